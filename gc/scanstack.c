/*
 * Threads scan their own stacks, where the hybrid barrier allows it (TRICOLOR=stacks=):
 *
 *   together   not here: the runner scans all stacks in the first stop
 *   snapshot   a thread that was parked in the first stop scans its stack before it resumes, and does not wait for the
 *              others: many stacks are scanned at once, and the stop does not grow with them
 *   ragged     stacks are grey when the program resumes; then one thread after the other is told to scan its own where
 *              it stands. Stores shade the new pointer too, and the program has promised tri_write for globals
 *
 * Roots that are a thread's own (its stack with the thread block on top, or the main thread's thread-local storage) are
 * scanned in one piece. A thread that sleeps in a safe region is held there and scanned by the runner.
 *
 * A thread that sees in time that its scan is due does not wait to be held or signalled. So who holds it looks again.
 *
 * Invariants:
 *   [SCAN-1] snapshot: nothing of the program runs on a thread between the first stop and its scan: it happens in the
 *            handler that parked it, or on the way out of the runtime.
 *   [SCAN-2] marking does not end while a scan is due (tri_scanstack_finished), and a thread stops for the last stop
 *            only after its scan. A scan that is due is counted in `left`, once.
 *   [SCAN-3] while it scans a thread counts as inside the runtime and has all signals blocked.
 *
 * Locks: the runner holds the registry's while it tells threads. Memory order: `scan` is released when it is set, and
 * acquired by the thread; what a scan has found is released with `left`.
 * Forbidden: much stack; a handler may run on a small one.
 */
#include "gc/scanstack.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/mheap.h"
#include "gc/region.h"
#include "gc/stop.h"
#include "internal/lock.h"
#include "internal/race.h"

enum { BATCH = 32 };

static tri_aint left;    /* scans that are due; futex word */
static tri_aint strayed; /* a thread was found off its own stack */

/* A word may be one past the end of its object: the slot before counts as well. */
static void shade_words(struct tri_shader *s, uintptr_t lo, uintptr_t hi) {
  uintptr_t base = tri_heap_range.base, used = tri_load_acq(&tri_heap_range.used_bytes);
  tri_aword found[BATCH];
  size_t n = 0;
  for (lo = tri_align_up(lo, sizeof(void *)); lo + sizeof(void *) <= hi; lo += sizeof(void *)) {
    uintptr_t word = tri_load_rlx((const tri_aword *)lo);
    if (word - base > used) continue;
    tri_store_rlx(&found[n], word);
    tri_store_rlx(&found[n + 1], word - 1);
    n += 2;
    if (n < BATCH) continue;
    tri_shade(s, found, n);
    n = 0;
  }
  tri_shade(s, found, n);
}

/* Counts once, whoever else says so. */
void tri_scanstack_drop(struct tri_thread *t) {
  if (tri_int_exchange_acq_rel(&t->scan, TRI_SCAN_NONE) == TRI_SCAN_NONE) return;
  tri_int_fetch_add_acq_rel(&left, -1u);
  tri_futex_wake(&left, 1);
}

static void scan(struct tri_thread *t, uintptr_t sp) {
  const struct tri_own_stack *own = &t->own_stack;
  if (sp < own->lo || sp >= own->hi || t->alt_stack) {
    tri_int_store_rel(&strayed, 1);
  } else {
    shade_words(&t->shader, tri_max(sp, own->frames_hi), own->hi);
    shade_words(&t->shader, own->tls_lo, own->tls_hi);
    tri_shade_put_up(&t->shader);
  }
  tri_scanstack_drop(t);
}

void tri_scanstack_self(struct tri_thread *t, uintptr_t sp) {
  if (tri_likely(!tri_scanstack_is_due(t))) return;
  int saved_errno = errno;
  tri_int_store_rlx(&t->in_runtime, 1);
  tri_fence_sig();
  tri_stop_note_alternate_stack(t);
  scan(t, sp);
  tri_fence_sig();
  tri_int_store_rlx(&t->in_runtime, 0);
  errno = saved_errno;
}

void tri_scanstack_leave_to(struct tri_thread *t, struct tri_own_stack own, bool later) {
  t->own_stack = own;
  tri_int_fetch_add_acq_rel(&left, 1);
  tri_int_store_rel(&t->scan, later ? TRI_SCAN_LATER : TRI_SCAN_DUE);
}

void tri_scanstack_forget(void) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) tri_int_store_rel(&t->scan, TRI_SCAN_NONE);
  tri_int_store_rel(&left, 0);
  tri_int_store_rel(&strayed, 0);
}

bool tri_scanstack_finished(uint64_t ns) {
  unsigned n = tri_int_load_acq(&left);
  if (n > 0) tri_futex_wait(&left, n, ns);
  return tri_int_load_acq(&left) == 0;
}

bool tri_scanstack_strayed(void) {
  return tri_int_exchange_acq_rel(&strayed, 0) != 0;
}

/* The user's queue of pending signals may be full (RLIMIT_SIGPENDING): then the thread is told again the next time. */
static void tell(struct tri_thread *t) {
  if (!tri_int_cas_acq_rel(&t->scan, TRI_SCAN_LATER, TRI_SCAN_DUE)) return;
  TRI_RACE_POINT(TOLD);
  if (tri_region_hold(t)) {
    TRI_RACE_POINT(HOLDS);
    if (tri_scanstack_is_due(t)) scan(t, t->sp); /* else it has seen that, and gone to sleep after its scan */
    tri_region_release(t);
  } else if (syscall(SYS_tgkill, getpid(), t->tid, tri_stop_signal()) != 0) {
    if (errno == ESRCH) {
      tri_scanstack_drop(t);
    } else {
      tri_int_cas_acq_rel(&t->scan, TRI_SCAN_DUE, TRI_SCAN_LATER);
    }
  }
}

void tri_scanstack_now(struct tri_thread *t) {
  if (!tri_thread_is_registered(t) || tri_int_load_rlx(&t->in_runtime)) return;
  tri_int_cas_acq_rel(&t->scan, TRI_SCAN_LATER, TRI_SCAN_DUE);
  if (tri_scanstack_is_due(t)) tri_stop_park_self(t);
}

static void tell_or_look(struct tri_thread *t) {
  unsigned state = tri_int_load_acq(&t->scan);
  if (state == TRI_SCAN_LATER) tell(t);
  if (state == TRI_SCAN_DUE && tri_thread_is_dead(t)) tri_scanstack_drop(t);
}

void tri_scanstack_tell(void) {
  tri_lock_acquire(&tri_registry_lock);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) tell_or_look(t);
  tri_lock_release(&tri_registry_lock);
}
