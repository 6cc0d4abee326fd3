/*
 * fork in a threaded program: the child must not inherit a half-done operation of a thread that it does not have.
 *
 *   prepare:  the gate of the loader's callback, cycle lock (no cycle runs) -> stop the world (nobody is inside the
 * runtime)
 *             -> every lock of the runtime in rank order -> let the threads run, the registry locked
 *   parent:   the locks in reverse order, with no handler of the program in between
 *   child:    the other threads, the collector and the markers are forgotten (they start again when they are needed);
 *             then as the parent
 *
 * The threads that run on get no further than the first lock. What they may leave half done is a fast path, a change of
 * one word, and stacks of remote frees that they had taken off before they met a lock: the child builds those anew.
 *
 * The world does not stay stopped: between our prepare handler and the fork itself the C library takes locks of its own
 * (stdio's list, name service), which a stopped thread might hold. A collector thread that sweeps is a registered
 * thread: it stops between two spans. Other prepare handlers run before ours and may allocate. A signal handler may run
 * in between, on the forking thread, and allocate.
 */
#include "gc/fork.h"

#include <pthread.h>

#include "alloc/mcentral.h"
#include "alloc/mheap.h"
#include "alloc/offheap.h"
#include "alloc/ownmap.h"
#include "gc/beside.h"
#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/epoll.h"
#include "gc/monitor.h"
#include "gc/notify.h"
#include "gc/plan.h"
#include "gc/roots.h"
#include "gc/runtime.h"
#include "gc/signals.h"
#include "gc/stacks.h"
#include "gc/stats_page.h"
#include "gc/stop.h"
#include "gc/strangers.h"
#include "gc/thread_record.h"
#include "gc/types.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/race.h"

static tri_aword forker; /* the thread between prepare and the handlers after it; written by it, world stopped */
static bool has_gate;    /* by the forking thread, which holds the cycle lock when it is read */
static unsigned nested;  /* forks by a handler that interrupted the forker there; the forker's */

static void lock_all(void) {
  tri_roots_lock();
  tri_epoll_lock();
  tri_notify_lock();
  tri_stacks_lock();
  tri_types_lock();
  tri_plan_lock_for_fork();
  tri_mcentral_lock_all();
  tri_mheap_lock();
  tri_offheap_fork_prepare();
  tri_ownmap_lock();
}

static void unlock_all(void) {
  tri_ownmap_unlock();
  tri_mheap_unlock();
  tri_mcentral_unlock_all();
  tri_plan_unlock_for_fork();
  tri_stacks_unlock();
  tri_types_unlock();
  tri_notify_unlock();
  tri_epoll_unlock();
  tri_roots_unlock();
}

static bool is_forker(void) {
  return tri_load_rlx(&forker) == (uint64_t)(uintptr_t)tri_self;
}

/* Who is in the loader's callback may be waiting for a lock of the loader's that the forking thread itself holds (it
 * forks in a constructor): the gate is waited for long enough for anybody else, and no longer. For the cycle's lock the
 * longer the more often it was not to be had, since who waits anew waits behind others. */
static bool lock_both(bool *ret_gate, int *missed_gate, int *missed_cycle) {
  enum { GATE_TRIES = 200, MOST_WAITS = 50 };
  *ret_gate = tri_cycle_lock_gate_within(TRI_HANDLERS_WAIT_NS);
  *missed_gate = *ret_gate ? 0 : *missed_gate + 1;
  if (!*ret_gate && *missed_gate < GATE_TRIES) return false;
  if (tri_cycle_lock_within(TRI_HANDLERS_WAIT_NS * (unsigned)tri_min(*missed_cycle + 1, MOST_WAITS))) return true;
  ++*missed_cycle;
  if (*ret_gate) tri_cycle_unlock_gate();
  return false;
}

/* A handler that interrupts the holder of the cycle lock outside the runtime, and allocates, may wait for a cycle that
 * waits for that lock. So there is none before the forker counts as inside and after. The stop signal stays open. */
static void lock_cycle(void) {
  bool gate;
  int missed_gate = 0, missed_cycle = 0;
  uint64_t old = tri_signals_keep_off();
  while (!lock_both(&gate, &missed_gate, &missed_cycle)) {
    tri_signals_let_in(old);
    old = tri_signals_keep_off();
  }
  has_gate = gate;
  TRI_RACE_POINT(FORK_LOCKED);
  if (tri_thread_is_registered(tri_self)) tri_int_store_rlx(&tri_self->in_runtime, 1);
  tri_signals_let_in(old);
}

/* From the cycle lock on the forker counts as inside the runtime: a handler that allocates gets emergency memory. */
static void prepare(void) {
  struct tri_thread *t = tri_self;
  /* fork in a signal handler that interrupted the runtime: nothing can be locked; the child may only exec. */
  if (!tri_runtime_ready() || tri_cycle_is_mine() ||
      (tri_thread_is_registered(t) && tri_int_load_rlx(&t->in_runtime))) {
    nested += is_forker();
    return;
  }
  tri_thread_register_self();
  tri_beside_hurry_begin();
  lock_cycle();
  tri_beside_hurry_end();
  tri_stop_world(false);
  lock_all();
  tri_store_rlx(&forker, (uint64_t)(uintptr_t)tri_self);
  tri_start_world_keep_registry();
}

/* Its locks are this thread's to give back. */
static bool was_prepared(void) {
  if (!is_forker()) return false;
  if (nested == 0) return true;
  nested--;
  return false;
}

static void give_locks_back(void) {
  unlock_all();
  tri_store_rlx(&forker, 0);
  if (tri_thread_is_registered(tri_self)) tri_int_store_rlx(&tri_self->in_runtime, 0);
}

static void finish(void) {
  tri_thread_release_registry_to_all();
  tri_cycle_unlock();
  if (has_gate) tri_cycle_unlock_gate();
}

static void in_parent(void) {
  if (!was_prepared()) return;
  uint64_t old = tri_signals_keep_off();
  tri_offheap_fork_parent();
  give_locks_back();
  TRI_RACE_POINT(FORK_GIVES);
  finish();
  tri_signals_let_in(old);
}

static void retell(void) {
  if (tri_thread_is_registered(tri_self)) tri_mcentral_drop_told(&tri_self->mcache.inbox);
  tri_mcentral_retell();
}

static void in_child(void) {
  tri_signals_after_fork();
  if (!was_prepared()) return;
  uint64_t old = tri_signals_keep_off();
  tri_offheap_fork_child();
  give_locks_back(); /* first: forgetting threads takes their pool's lock */
  tri_strangers_after_fork();
  if (tri_thread_after_fork()) retell();
  tri_thread_record_after_fork();
  tri_worker_after_fork();
  tri_collector_after_fork();
  tri_monitor_after_fork();
  tri_beside_after_fork();
  tri_stats_page_after_fork();
  tri_log_after_fork();
  finish();
  tri_signals_let_in(old);
}

void tri_fork_init(void) {
  pthread_atfork(prepare, in_parent, in_child);
}
