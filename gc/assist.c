/*
 * Mark assist: a thread that allocates faster than marking gets on takes grey work from the markers, instead of waiting
 * for them. Called by gc/collector.c on the way out of an allocation; marks by gc/mark.c.
 *
 * One assist is at most ASSIST_BYTES of scanning, so that nobody is held up for long; whoever is still ahead comes
 * again. Threads come in through the door, which markers open and the runner shuts. Where malloc is replaced it is
 * opened when first somebody has come to it, and in the next cycle from the start: until then a single marker sets
 * marks with plain stores, which is faster.
 *
 * Invariants:
 *   [ASSIST-1] a thread holds grey work inside the runtime only, and has put it up when it leaves: the last stop, which
 *              waits for it, finds all of it.
 *   [ASSIST-2] marking does not go to the last stop while a thread has work in its hands (tri_assist_is_under_way):
 *              what hangs on it may be much.
 *   [ASSIST-3] the door is open only while marks are set as shared ones. With the page barrier that is in a round
 *              BESIDE, and nobody is inside when it has ended: pages are listed then ([BESIDE-2]), and the next round
 *              sets its own bounds ([BESIDE-3]). With the hybrid barrier it is from after the first stop to the last.
 *   [ASSIST-4] a thread of a program that did not ask for it assists with its signals blocked: the runner waits for it,
 *              and a handler could fork, sleep or longjmp away with the work, or find the heap shut. Beyond that it
 *              asks the kernel nothing that a sandbox may not allow, but leaves such work to the markers.
 *
 * No locks. Memory order: work that is put up is released by the global stack and, for the runner, by `door`; with the
 * page barrier who comes in acquires the round's bounds by it. Forbidden on a stack whose end is not known or near:
 * marking needs some of it.
 */
#include "gc/assist.h"

#include <errno.h>

#include "gc/beside.h"
#include "gc/mark.h"
#include "gc/plan.h"
#include "gc/runtime.h"
#include "gc/shade.h"
#include "gc/signals.h"
#include "gc/stop.h"
#include "internal/clock.h"
#include "internal/lock.h"
#include "internal/state.h"

enum { ASSIST_BYTES = 8 << 10, STACK_NEEDED = 64 << 10 };
/* Small steps of allocation, small assists. */
enum { STEP_BYTES = 512 };
/* An assist takes less, unless its thread has lost the CPU meanwhile. */
enum { ASSIST_MOST_NS = 100 * 1000 };

static tri_aword assist_ns, assist_bytes; /* since the runner asked last */
static tri_aword counts[TRI_ASSIST_BUCKETS];
/* Futex word: ONE for each thread inside, and SHUT. */
enum { SHUT = 1, ONE = 2 };
static tri_aint door = SHUT;
static tri_aint wanted, wanted_before; /* somebody has come to it, in this cycle or the one before */

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

static void leave(void) {
  if (tri_int_load_rlx(&door) < ONE) return; /* a handler has forked meanwhile, and this is the child */
  if (tri_int_fetch_add_acq_rel(&door, -(unsigned)ONE) - ONE <= SHUT) tri_futex_wake(&door, 1);
}

static bool enter(void) {
  if (!(tri_int_fetch_add_acq_rel(&door, ONE) & SHUT)) return true;
  leave();
  return false;
}

/* The CPU's clock of a thread is a system call; see [ASSIST-4]. */
static uint64_t clock_ns(void) {
  return tri_malloc_mode ? tri_now_ns() : tri_thread_cpu_ns();
}

static uint64_t spent_ns(uint64_t since) {
  uint64_t ns = clock_ns() - since;
  return tri_malloc_mode ? tri_min(ns, ASSIST_MOST_NS) : ns;
}

/* False: there was nothing to take. */
static bool mark_inside(void) {
  struct tri_marker m = {0};
  uint64_t begun = tri_now_ns(), start = clock_ns();
  bool took_some = tri_mark_assist(&m, ASSIST_BYTES);
  if (m.work.overflow) tri_shade_tell_dropped();
  tri_shade_add_bytes(m.marked_bytes);
  tri_fetch_add_rlx(&assist_ns, spent_ns(start));
  tri_fetch_add_rlx(&assist_bytes, m.scanned_bytes);
  tri_beside_did(m.scanned_bytes);
  count(tri_now_ns() - begun);
  return took_some;
}

/* Inside the runtime. */
static bool mark_some(void) {
  if (!enter()) return false;
  bool took_some = mark_inside();
  leave();
  return took_some;
}

static bool assist(struct tri_thread *t) {
  if (!tri_runtime_enter(t)) return false;
  bool took_some = mark_some();
  tri_runtime_leave(t);
  return took_some;
}

/* Signals come in when the thread is outside the runtime again: there a handler may do what it likes. */
static bool assist_undisturbed(struct tri_thread *t) {
  uint64_t mask = tri_signals_keep_off();
  bool entered = tri_runtime_enter(t), took_some = entered && mark_some();
  if (entered) tri_runtime_leave_only(t);
  tri_signals_let_in(mask);
  return took_some;
}

static bool is_work_to_take(void) {
  tri_int_store_rlx(&wanted, 1);
  return tri_assist_is_open() && tri_mark_has_work();
}

bool tri_assist(void) {
  struct tri_thread *t = tri_self;
  int saved_errno = errno;
  if (tri_plan_is_limited() || !tri_thread_is_registered(t) || !has_room(t) || !is_work_to_take()) return false;
  bool took_some = tri_malloc_mode ? assist_undisturbed(t) : assist(t);
  errno = saved_errno;
  return took_some;
}

void tri_assist_begin(void) {
  tri_int_store_rlx(&wanted_before, tri_int_exchange_acq_rel(&wanted, 0));
}

bool tri_assist_is_wanted(void) {
  return tri_int_load_rlx(&wanted) || tri_int_load_rlx(&wanted_before);
}

bool tri_assist_is_open(void) {
  return !(tri_int_load_rlx(&door) & SHUT);
}

void tri_assist_open(void) {
  tri_int_store_rlx(&tri_state.flush_bytes, tri_plan_is_limited() ? 0 : STEP_BYTES);
  for (unsigned n; (n = tri_int_load_rlx(&door)) & SHUT;)
    if (tri_int_cas_acq_rel(&door, n, n - SHUT)) return;
}

void tri_assist_shut(void) {
  if (tri_assist_is_open()) tri_int_fetch_add_acq_rel(&door, SHUT);
  tri_int_store_rlx(&tri_state.flush_bytes, 0);
}

bool tri_assist_is_under_way(uint64_t ns) {
  unsigned n = tri_int_load_acq(&door);
  if (n >= ONE) tri_futex_wait(&door, n, ns);
  return tri_int_load_acq(&door) >= ONE;
}

struct tri_assist_totals tri_assist_take_totals(void) {
  return (struct tri_assist_totals){.cpu_ns = tri_exchange_acq_rel(&assist_ns, 0),
                                    .scanned_bytes = tri_exchange_acq_rel(&assist_bytes, 0)};
}

void tri_assist_after_fork(void) {
  tri_int_store_rel(&door, SHUT);
}
