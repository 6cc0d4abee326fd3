/* What libtricolor is: the core with the API; malloc stays the C library's. See gc/runtime.h. */
#include "gc/misuse.h"
#include "gc/runtime.h"

const bool tri_malloc_mode = false;

bool tri_mode_owns_malloc(void) {
  return false;
}

void tri_mode_prepare_inert(void) {}

void tri_mode_foreign_free(void *p) {
  tri_misuse_bad_free(p, "tri_free");
}

void *tri_mode_foreign_realloc(void *p, size_t size) {
  tri_misuse_bad_free(p, "tri_realloc");
}

size_t tri_mode_foreign_usable(void *p) {
  tri_misuse_bad_free(p, "tri_usable_size");
}
