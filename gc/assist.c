/*
 * Mark assist: a thread that allocates faster than marking gets on takes grey work from the markers, instead of waiting
 * for them. Called by gc/collector.c on the way out of an allocation; marks by gc/mark.c.
 *
 * With the hybrid barrier only: there a thread that is interrupted between two objects has nothing left undone. One
 * assist is at most ASSIST_BYTES of scanning, so that nobody is held up for long; whoever is still ahead comes again.
 *
 * Invariants:
 *   [ASSIST-1] a thread holds grey work inside the runtime only, and has put it up when it leaves: the last stop, which
 *              waits for it, finds all of it.
 *   [ASSIST-2] marking does not go to the last stop while a thread has work in its hands (tri_assist_is_under_way):
 *              what hangs on it may be much.
 *
 * No locks. Memory order: work that is put up is released by the global stack and, for the runner, by `assisting`.
 * Forbidden on a stack whose end is not known or near: marking needs some of it.
 */
#include "gc/assist.h"

#include <errno.h>

#include "gc/beside.h"
#include "gc/mark.h"
#include "gc/plan.h"
#include "gc/shade.h"
#include "gc/stop.h"
#include "internal/clock.h"
#include "internal/lock.h"
#include "internal/state.h"

enum { ASSIST_BYTES = 8 << 10, STACK_NEEDED = 64 << 10 };

static tri_aword assist_ns, assist_bytes; /* since the runner asked last */
static tri_aword counts[TRI_ASSIST_BUCKETS];
static tri_aint assisting; /* threads with grey work in their hands; futex word */

/* A coroutine's stack is not the thread's, and may be small; so may a signal handler's. */
static bool has_room(const struct tri_thread *t) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  return tri_thread_is_on_own_stack(t, here) && here > t->stack_lo + STACK_NEEDED;
}

static void count(uint64_t ns) {
  uint64_t us = ns / 1000;
  unsigned bucket = us == 0 ? 0 : 63 - (unsigned)__builtin_clzll(us);
  tri_fetch_add_rlx(&counts[tri_min(bucket, TRI_ASSIST_BUCKETS - 1)], 1);
}

uint64_t tri_assist_count(unsigned bucket) {
  return tri_load_rlx(&counts[bucket]);
}

static uint64_t mark_some(void) {
  struct tri_marker m = {0};
  if (!tri_mark_has_work()) return 0;
  uint64_t begun = tri_now_ns(), start = tri_thread_cpu_ns();
  tri_int_fetch_add_acq_rel(&assisting, 1);
  tri_mark_assist(&m, ASSIST_BYTES);
  if (m.work.overflow) tri_shade_tell_dropped();
  if (tri_int_fetch_add_acq_rel(&assisting, -1u) == 1) tri_futex_wake(&assisting, 1);
  tri_shade_add_bytes(m.marked_bytes);
  tri_fetch_add_rlx(&assist_ns, tri_thread_cpu_ns() - start);
  tri_fetch_add_rlx(&assist_bytes, m.scanned_bytes);
  count(tri_now_ns() - begun);
  return m.scanned_bytes;
}

bool tri_assist(void) {
  struct tri_thread *t = tri_self;
  int saved_errno = errno;
  if (tri_plan_is_limited() || !tri_thread_is_registered(t) || !has_room(t) || !tri_runtime_enter(t)) return false;
  uint64_t scanned = tri_int_load_rlx(&tri_state.barrier) ? mark_some() : 0;
  tri_runtime_leave(t);
  tri_beside_did(scanned);
  errno = saved_errno;
  return scanned > 0;
}

struct tri_assist_totals tri_assist_take_totals(void) {
  return (struct tri_assist_totals){.cpu_ns = tri_exchange_acq_rel(&assist_ns, 0),
                                    .scanned_bytes = tri_exchange_acq_rel(&assist_bytes, 0)};
}

bool tri_assist_is_under_way(uint64_t ns) {
  unsigned n = tri_int_load_acq(&assisting);
  if (n > 0) tri_futex_wait(&assisting, n, ns);
  return tri_int_load_acq(&assisting) > 0;
}
