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

/* For when malloc is not replaced. The loader is asked before it may have an error to tell: it frees that when it is
 * asked the next time, which would come here again. */
static struct {
  void (*free)(void *);
  void *(*realloc)(void *, size_t);
  size_t (*usable)(void *);
} next;

void tri_mode_prepare_inert(void) {
  *(void **)&next.free = look_up(RTLD_NEXT, "free");
  *(void **)&next.realloc = look_up(RTLD_NEXT, "realloc");
  *(void **)&next.usable = look_up(RTLD_NEXT, "malloc_usable_size");
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
  if (next.free) next.free(p);
}

void *tri_mode_foreign_realloc(void *p, size_t size) {
  return next.realloc ? next.realloc(p, size) : NULL;
}

size_t tri_mode_foreign_usable(void *p) {
  return next.usable ? next.usable(p) : 0;
}
