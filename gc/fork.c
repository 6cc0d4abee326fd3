/*
 * fork: the world is stopped around it, so the child inherits no half-done operation of a thread that it does not have.
 *
 *   prepare: cycle lock (no cycle runs), stop the world (nobody inside the runtime), jemalloc's locks
 *   parent:  jemalloc's locks, start the world, cycle lock
 *   child:   jemalloc's locks; the other threads, the collector and the markers are forgotten (they start again when
 *            they are needed); then as the parent
 *
 * With the world stopped every lock of ours is free, except those that this thread takes here. A collector thread that
 * sweeps is a registered thread: it stops between two spans. Other prepare handlers run before ours and may allocate;
 * between ours and the fork nothing of the program runs.
 */
#include "gc/fork.h"

#include <pthread.h>

#include "alloc/offheap.h"
#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "gc/worker.h"
#include "internal/check.h"

static bool prepared; /* written by the forking thread, world stopped */

static void prepare(void) {
  struct tri_thread *t = tri_self;
  /* fork in a signal handler that interrupted the runtime: nothing can be locked; the child may only exec. */
  if (!tri_runtime_ready() || (tri_thread_is_registered(t) && tri_int_load_rlx(&t->in_runtime))) return;
  tri_thread_register();
  tri_cycle_lock();
  tri_stop_world();
  tri_offheap_fork_prepare();
  prepared = true;
}

static void finish(void) {
  prepared = false;
  tri_start_world();
  tri_cycle_unlock();
}

static void in_parent(void) {
  if (!prepared) return;
  tri_offheap_fork_parent();
  finish();
}

static void in_child(void) {
  if (!prepared) return;
  tri_offheap_fork_child();
  tri_thread_after_fork();
  tri_worker_after_fork();
  tri_collector_after_fork();
  tri_log_after_fork();
  finish();
}

void tri_fork_init(void) { pthread_atfork(prepare, in_parent, in_child); }
