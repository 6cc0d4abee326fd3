/*
 * Safe regions. A thread that sleeps in the kernel needs no signal to be stopped: it says beforehand where its stack
 * ends, and on the way out waits if a stop has counted on it. So a sleeping call is not interrupted (no EINTR that the
 * program would not see without us), and a thousand sleepers are not woken.
 *
 *            enter                 hold (runner)           leave
 *      OUT ---------> IN ----------------------------> HELD -----> AWAITED
 *       ^   leave     ^ |        release (runner)        |            |
 *       +-------------+-+<-------------------------------+------------+
 *
 * Invariants:
 *   [REGION-1] IN, HELD or AWAITED: nothing of the program's runs on this thread, and [sp, stack end) holds every
 * pointer that it has: the callee-saved registers and the call's pointer arguments are in the caller's frame.
 *   [REGION-2] IN -> HELD by the runner only, IN -> OUT by the thread only, both by compare-and-swap: one of them wins.
 *   [REGION-3] a thread stores IN and then looks for a stop; the runner stores the request, or that
 *              a scan of the stack is due, and then looks for IN: one of them sees the other. A thread that sees the
 * request goes back and parks, so that the signal on its way finds it awake and does not interrupt the call.
 *
 * Memory ordering: both halves of [REGION-3] are sequentially consistent. hold acquires what the thread did before it
 * went in; leave acquires, by the swap, what the runner did.
 *
 * Cancellation is deferred in a region: at any other instruction than the call's it would leave the region behind. The
 * call itself is a cancellation point, and the cleanup ends the region.
 * No locks. Async-signal-safe. Forbidden: allocating; touching the program's memory between enter and leave.
 */
#include "gc/region.h"

#include <errno.h>
#include <pthread.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/scanstack.h"
#include "gc/signals.h"
#include "gc/stop.h"
#include "gc/strangers.h"
#include "internal/race.h"

/* A child of _Fork or of a raw clone that shares our thread-local storage is not the thread that it takes itself for.
 */
static bool is_itself(const struct tri_thread *t) {
  return tri_thread_is_registered(t) && (int)syscall(SYS_gettid) == t->tid;
}

/* False: outside still. Who runs here is a forked child, with a copy of the stop that its parent was asked for. */
static bool go_in(struct tri_thread *t, uintptr_t sp, bool alt_stack) {
  for (;;) {
    t->sp = sp;
    t->alt_stack = alt_stack;
    tri_int_store_rel(&t->region, TRI_REGION_IN);
    tri_fence_seq();
    TRI_RACE_POINT(REGION_IN);
    if (tri_likely(!tri_stop_wanted(t) && !tri_scanstack_is_due(t))) return true;
    TRI_RACE_POINT(REGION_BACK);
    if (!tri_int_cas_acq_rel(&t->region, TRI_REGION_IN, TRI_REGION_OUT)) return true; /* held: the stop knows */
    if (!is_itself(t)) return false;
    tri_stop_park_self(t);
  }
}

static void wait_while_held(struct tri_thread *t) {
  tri_int_cas_acq_rel(&t->region, TRI_REGION_HELD, TRI_REGION_AWAITED);
  if (tri_int_load_acq(&t->region) == TRI_REGION_AWAITED) tri_futex_wait(&t->region, TRI_REGION_AWAITED, 0);
}

static void go_out(struct tri_thread *t) {
  int saved_errno = errno;
  while (!tri_int_cas_acq_rel(&t->region, TRI_REGION_IN, TRI_REGION_OUT)) {
    if (tri_int_load_acq(&t->region) == TRI_REGION_OUT) break;
    wait_while_held(t);
  }
  errno = saved_errno;
}

static bool is_outside(const struct tri_thread *t) {
  return !tri_int_load_rlx(&t->in_runtime) && tri_int_load_rlx(&t->region) == TRI_REGION_OUT;
}

static bool may_enter(const struct tri_thread *t) {
  return is_itself(t) && is_outside(t);
}

static void enter(struct tri_region *r, struct tri_thread *t, uintptr_t sp) {
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &r->cancel_type);
  tri_signals_note_alternate_stack(t);
  if (go_in(t, sp, t->alt_stack)) {
    r->t = t;
  } else if (r->cancel_type != PTHREAD_CANCEL_DEFERRED) {
    pthread_setcanceltype(r->cancel_type, NULL);
  }
}

/* Nobody can stop the calling thread. The C library makes threads for itself too, for timers and asynchronous I/O. */
static bool is_alone(void) {
  return tri_thread_is_alone() && __libc_single_threaded;
}

/* A program of one thread asks the kernel nothing: it may run in a sandbox that does not let it. */
TRI_NOINLINE void tri_region_enter(struct tri_region *r) {
  struct tri_thread *t = tri_self;
  r->t = NULL;
  if (is_alone()) return;
  int saved_errno = errno;
  if (tri_unlikely(t == &tri_thread_none)) t = tri_strangers_register_self();
  if (may_enter(t)) enter(r, t, (uintptr_t)__builtin_frame_address(0));
  errno = saved_errno;
}

/* On its own stack runs the thread, or a child that it waits for. Where the bounds are not known the kernel is asked.
 */
static bool is_at_home(const struct tri_thread *t, uintptr_t sp) {
  return t->stack_hi != 0 || t->self_stack ? tri_thread_is_on_own_stack(t, sp) : is_itself(t);
}

TRI_NOINLINE void tri_region_enter_quickly(struct tri_region *r) {
  struct tri_thread *t = tri_self;
  uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
  r->t = NULL;
  if (is_alone()) return;
  int saved_errno = errno;
  if (tri_unlikely(t == &tri_thread_none)) t = tri_strangers_register_self();
  if (tri_thread_is_registered(t) && is_at_home(t, sp) && is_outside(t)) enter(r, t, sp);
  errno = saved_errno;
}

void tri_region_leave(struct tri_region *r) {
  struct tri_thread *t = r->t;
  r->t = NULL;
  if (!t) return;
  go_out(tri_self);
  if (r->cancel_type != PTHREAD_CANCEL_DEFERRED) pthread_setcanceltype(r->cancel_type, NULL);
}

struct tri_region_interrupted tri_region_interrupt(struct tri_thread *t) {
  struct tri_region_interrupted was = {0};
  if (!tri_thread_is_registered(t)) return was;
  bool inside = tri_int_load_acq(&t->region) != TRI_REGION_OUT;
  if (inside && !is_itself(t)) return was;
  was.was_inside = inside;
  was.sp = t->sp;
  was.alt_stack = t->alt_stack;
  if (was.was_inside) go_out(t);
  return was;
}

void tri_region_resume(struct tri_thread *t, const struct tri_region_interrupted *was) {
  if (!was->was_inside) {
    if (tri_thread_is_registered(t) && was->sp) t->sp = was->sp, t->alt_stack = was->alt_stack;
    return;
  }
  int saved_errno = errno;
  go_in(t, was->sp, was->alt_stack);
  errno = saved_errno;
}

bool tri_region_hold(struct tri_thread *t) {
  tri_fence_seq();
  return tri_int_cas_acq_rel(&t->region, TRI_REGION_IN, TRI_REGION_HELD);
}

void tri_region_release(struct tri_thread *t) {
  unsigned state = tri_int_load_rlx(&t->region);
  if (state != TRI_REGION_HELD && state != TRI_REGION_AWAITED) return;
  if (tri_int_exchange_acq_rel(&t->region, TRI_REGION_IN) == TRI_REGION_AWAITED) tri_futex_wake(&t->region, 1);
}
