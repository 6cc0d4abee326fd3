/*
 * System calls that write into objects, such as read into a struct with pointers: they delete edges like a store, and
 * the kernel knows no barrier. Called by gc/reading.c and gc/blocking.c around the call; the hybrid barrier only.
 *
 *   publish the range -> barrier on? shade what it holds -> the call -> withdraw
 *
 * A flip in between, before the call or while it sleeps, shades what is published (gc/hybrid.c): rule 6 of the models.
 *
 * Invariants:
 *   [KERNEL-1] a range is published before the thread looks at the barrier's state, and until the call has returned.
 *   [KERNEL-2] a published range lies within one object; whoever reads it looks whether that is still in use: a handler
 *              that left the call by longjmp has left its entry behind, to be overwritten by a later one.
 *   [KERNEL-3] entries are taken and given back like a stack's, so what a handler publishes is not in the place of what
 *              it has interrupted, unless calls are nested eight deep.
 *
 * No locks. An entry is its thread's; a stop is an interrupt of that thread, so it needs no order but the compiler's.
 */
#include "gc/kernel_writes.h"

#include <limits.h>

#include "gc/beside.h"
#include "gc/slot.h"
#include "gc/write.h"

#define WORD sizeof(uintptr_t)

/* The part of a buffer that lies in an object with pointers; whole words. */
static struct tri_kernel_range in_object(const void *start, size_t size) {
  struct tri_slot s;
  uintptr_t lo = (uintptr_t)start;
  if (size == 0 || !tri_slot_find(lo, &s) || !tri_slot_in_use(&s) || tri_mspan_noscan(s.span))
    return (struct tri_kernel_range){0, 0};
  uintptr_t end = tri_slot_start(&s) + s.span->elemsize, left = end - lo;
  return (struct tri_kernel_range){tri_align_down(lo, WORD), tri_align_up(lo + tri_min(size, left), WORD)};
}

static void publish(struct tri_kernel_writes *w, struct tri_kernel_range range) {
  struct tri_kernel_range *r = &w->t->kernel_writes[w->t->nkernel_writes++ % TRI_ARRAY_LEN(w->t->kernel_writes)];
  *r = range;
  tri_fence_sig();
  w->range[w->n++] = r;
  tri_write_shade_range((void *)range.lo, range.hi - range.lo);
}

void tri_kernel_writes_begin(struct tri_kernel_writes *w, const struct iovec *buffers, size_t n) {
  if (tri_likely(!tri_beside_is_hybrid()) || !buffers || n > IOV_MAX) return;
  w->t = tri_self;
  for (size_t i = 0; i < n && w->n < TRI_KERNEL_WRITES; i++) {
    struct tri_kernel_range r = in_object(buffers[i].iov_base, buffers[i].iov_len);
    if (r.hi <= r.lo) continue;
    if (!tri_thread_is_registered(w->t)) w->t = tri_thread_register_self();
    if (!w->t) return;
    publish(w, r);
  }
}

void tri_kernel_writes_end(struct tri_kernel_writes *w) {
  tri_fence_sig();
  for (unsigned i = 0; i < w->n; i++) w->range[i]->hi = 0;
  if (w->n > 0) w->t->nkernel_writes -= w->n;
}

void tri_kernel_writes_shade(const struct tri_thread *t, struct tri_shader *s) {
  for (unsigned i = 0; i < TRI_ARRAY_LEN(t->kernel_writes); i++) {
    uintptr_t lo = t->kernel_writes[i].lo, hi = t->kernel_writes[i].hi;
    if (hi <= lo) continue;
    struct tri_kernel_range now = in_object((const void *)lo, hi - lo);
    if (now.hi > now.lo) tri_shade(s, (const tri_aword *)now.lo, (now.hi - now.lo) / WORD);
  }
}
