/* What libtricolor-malloc is: the core that replaces malloc. See gc/runtime.h. */
#include <dlfcn.h>
#include <stdlib.h>

#include "gc/heap.h"
#include "gc/runtime.h"

const bool tri_malloc_mode = true;

/* A function by name, of any type. */
static void *look_up(void *where, const char *name) {
  return dlsym(where, name);
}

bool tri_mode_owns_malloc(void) {
  void *(*resolved_malloc)(size_t);
  void (*resolved_free)(void *);
  *(void **)&resolved_malloc = look_up(RTLD_DEFAULT, "malloc");
  *(void **)&resolved_free = look_up(RTLD_DEFAULT, "free");
  if (!resolved_malloc || !resolved_free) return false;
  void *p = resolved_malloc(64);
  bool ours = p && tri_heap_owns(p);
  resolved_free(p);
  return ours;
}

void tri_mode_foreign_free(void *p) {
  void (*next)(void *);
  *(void **)&next = look_up(RTLD_NEXT, "free");
  if (next) next(p);
}

void *tri_mode_foreign_realloc(void *p, size_t size) {
  void *(*next)(void *, size_t);
  *(void **)&next = look_up(RTLD_NEXT, "realloc");
  return next ? next(p, size) : NULL;
}

size_t tri_mode_foreign_usable(void *p) {
  size_t (*next)(void *);
  *(void **)&next = look_up(RTLD_NEXT, "malloc_usable_size");
  return next ? next(p) : 0;
}
