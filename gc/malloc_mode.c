/* What libtricolor-malloc is: the core that replaces malloc. See gc/runtime.h. */
#include <dlfcn.h>
#include <stdlib.h>

#include "gc/runtime.h"

const bool tri_malloc_mode = true;

extern __typeof(malloc) tri_own_malloc __attribute__((visibility("hidden")));

bool tri_mode_owns_malloc(void) {
  return dlsym(RTLD_DEFAULT, "malloc") == __extension__(void *) tri_own_malloc;
}
