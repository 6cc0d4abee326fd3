/*
 * The public functions of tricolor/thread.h about threads and sleeping calls; each is named there with its contract.
 * The registry is gc/thread.c's, regions gc/region.c's, coroutine stacks gc/stacks.c's.
 */
#include <errno.h>

#include "gc/enter.h"
#include "gc/region.h"
#include "tricolor/tricolor.h"

static_assert(sizeof(struct tri_region) <= sizeof((struct tri_blocking *)0)->own, "a region fits its public room");

int tri_thread_register(void) {
  struct tri_thread *t = tri_enter_registered();
  if (!t) {
    errno = ENOMEM;
    return -1;
  }
  tri_runtime_leave(t);
  tri_thread_find_stack(t);
  return 0;
}

int tri_thread_unregister(void) {
  if (tri_thread_unregister_self()) return 0;
  errno = EINVAL;
  return -1;
}

void tri_blocking_enter(struct tri_blocking *b) {
  struct tri_region *r = (struct tri_region *)(void *)b->own;
  *r = (struct tri_region){0};
  tri_region_enter(r);
}

void tri_blocking_leave(struct tri_blocking *b) {
  tri_region_leave((struct tri_region *)(void *)b->own);
}
