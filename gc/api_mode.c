/* What libtricolor is: the core with the API; malloc stays the C library's. See gc/runtime.h. */
#include "gc/runtime.h"

const bool tri_malloc_mode = false;

bool tri_mode_owns_malloc(void) {
  return false;
}
