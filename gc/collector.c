/*
 * The collector thread, and the port through which allocation asks for a cycle. Between alloc/mcache.c (which calls
 * tri_port_heap_grew at flushes) and gc/cycle.c.
 *
 * The thread is made at the first request, not at start-up: programs that never collect stay single-threaded (setns,
 * unshare and lock elision depend on it). It is made on the way out of an allocation, or by who changes a setting, not
 * from inside pthread_create, nor from free(): the C library calls that with its lock of cached stacks held. What is
 * asked for there, or where a thread ends, is left to the thread's next allocation, or to the first of the next thread
 * that begins. Where no thread can be made (RLIMIT_NPROC, seccomp) the allocating thread runs the cycle.
 *
 * An allocating thread never waits for a cycle to end: the runner may need a lock that the program holds. When the heap
 * is far past the trigger and the cycle has not begun it sleeps, outside the runtime, for a bounded time: the runner
 * stops it there like anybody. While a cycle marks beside the program, who is ahead of it (pacer/lead.c) assists in
 * small steps. While it is far ahead it goes on with that, for 2 ms and 64 assists for each 64 KiB that it has
 * allocated: one allocation of a few bytes is not held up for the rest of the cycle, and the next one does its part. It
 * sleeps as well if it is far ahead and finds no work to take, with the page barrier or near a memory limit before
 * that, and whenever it cannot assist.
 *
 * Between cycles the thread makes huge pages (gc/hugepages.c), as long as nobody wants a cycle.
 *
 * State: `wanted` counts requests (any thread), `served` those that a cycle has answered (runner). The start lock is
 * only tried, never waited for.
 */
#include "gc/collector.h"

#include <errno.h>

#include "alloc/alloc_port.h"
#include "gc/assist.h"
#include "gc/beside.h"
#include "gc/cycle.h"
#include "gc/exec.h"
#include "gc/hugepages.h"
#include "gc/monitor.h"
#include "gc/plan.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "gc/thread_record.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/race.h"
#include "pacer/lead.h"

enum { WAIT_STEP_NS = 250 * 1000, WAIT_STEPS = 8 };
enum { BURST_STEP_BYTES = 64 << 10, BURST_STEP_NS = 2 * 1000 * 1000, BURST_STEP_ASSISTS = 64 };

static tri_aint wanted, served; /* futex words: the collector sleeps on wanted, helpers on served */
enum { NOT_STARTED, STARTED, REFUSED };
static tri_aint thread_state;
static tri_aint serving;  /* 1 while a thread collects for want of a collector thread */
static tri_aint starting; /* 1 while one thread starts the others */
static TRI_TLS bool is_starter;
static size_t stress_bytes;
static tri_aword stress_mark; /* total_alloc at the last stress request */

static bool pending(void) {
  return tri_int_load_acq(&wanted) != tri_int_load_acq(&served);
}

void tri_collector_request(void) {
  if (pending()) return;
  tri_int_fetch_add_acq_rel(&wanted, 1);
  tri_futex_wake(&wanted, 1);
}

void tri_collector_request_if_due(void) {
  int64_t live = (int64_t)tri_load_rlx(&tri_state.heap_live);
  if (live <= 0 || (uint64_t)live < tri_load_acq(&tri_state.trigger)) return;
  tri_collector_request();
  tri_collector_start();
}

static bool stress_due(void) {
  if (stress_bytes == 0) return false;
  uint64_t total = tri_load_rlx(&tri_state.total_alloc), mark = tri_load_rlx(&stress_mark);
  return total - mark >= stress_bytes && tri_cas_acq_rel(&stress_mark, mark, total);
}

void tri_port_heap_grew(uint64_t heap_live, int64_t grown) {
  tri_plan_follow();
  tri_monitor_live_is(heap_live);
  uint64_t trigger = tri_load_acq(&tri_state.trigger);
  bool due = ((int64_t)heap_live > 0 && heap_live >= trigger) || stress_due(),
       held_up = tri_plan_hold_up_ns(heap_live) != 0;
  bool want_thread = tri_monitor_is_wanted();
  if (!due && !held_up && !want_thread) return;
  if (due) tri_collector_request();
  if (!held_up && !want_thread && tri_int_load_rlx(&tri_state.phase) == TRI_PHASE_MARK &&
      !tri_beside_is_outrun(heap_live) && stress_bytes == 0)
    return;
  /* Makes the thread call tri_collector_help or tri_collector_wait on its way out of the runtime. */
  if (!tri_thread_is_registered(tri_self)) return;
  tri_self->grown = grown > 0 ? (uint64_t)grown : 0;
  tri_int_store_rlx(&tri_self->stop_pending, 1);
}

static void serve(void) {
  unsigned w = tri_int_load_acq(&wanted);
  tri_cycle_run(TRI_CYCLE_HEAP, false);
  tri_int_store_rel(&served, w);
  tri_futex_wake(&served, INT_MAX);
}

/* Somebody is about to stop the world, or has. */
static bool cycle_is_near(void) {
  return pending() || tri_int_load_acq(&tri_state.phase) != TRI_PHASE_OFF;
}

static void collector_main(void *arg) {
  struct tri_thread *t = tri_thread_register_self();
  if (!t) tri_fatal("no memory to register the collector thread");
  if (!tri_malloc_mode) tri_thread_find_stack(t);
  for (uint64_t rest_ns = 0;;) {
    unsigned w = tri_int_load_acq(&wanted);
    if (w == tri_int_load_acq(&served)) {
      tri_futex_wait(&wanted, w, rest_ns);
    } else {
      serve();
      tri_cycle_sweep_rest();
    }
    rest_ns = tri_hugepages_step(cycle_is_near);
  }
}

void tri_collector_start(void) {
  if (tri_int_load_acq(&thread_state) != NOT_STARTED || tri_pthread_creating()) return;
  if (!tri_int_cas_acq_rel(&starting, 0, 1)) return;
  is_starter = true;
  if (tri_int_load_acq(&thread_state) == NOT_STARTED) {
    bool exec_before = tri_exec_is_under_way(), ok = tri_worker_spawn(collector_main, NULL);
    if (ok || !(exec_before || tri_exec_is_under_way())) {
      if (!ok) tri_warn("no collector thread can be started; allocating threads collect themselves");
      tri_int_store_rel(&thread_state, ok ? STARTED : REFUSED);
    }
  }
  is_starter = false;
  tri_int_store_rel(&starting, 0);
  tri_monitor_start();
}

void tri_collector_look_about(void) {
  tri_futex_wake(&wanted, 1);
}

static unsigned outrun_by(void) {
  return tri_beside_outrun_by(tri_load_rlx(&tri_state.heap_live));
}

static uint64_t hold_up_ns(void) {
  return tri_plan_hold_up_ns(tri_load_rlx(&tri_state.heap_live));
}

bool tri_collector_wants_help(void) {
  return pending() || hold_up_ns() != 0 || tri_monitor_is_wanted();
}

/* live - goal is how far allocation is ahead of the collector, in bytes. While a cycle marks beside the program, under
 * stress, the program is to run. */
static bool far_behind(void) {
  uint64_t live = tri_load_rlx(&tri_state.heap_live), goal = tri_load_rlx(&tri_state.goal);
  bool marking = tri_int_load_rlx(&tri_state.phase) == TRI_PHASE_MARK;
  if (stress_bytes) return !marking;
  if (marking && tri_beside_is_outrun(live)) return true;
  uint64_t slack = tri_plan_is_by_limit() ? 0 : goal / 16 + ((uint64_t)1 << 20);
  return (int64_t)live > 0 && live > goal && live - goal > slack;
}

/* What the bytes that a thread has allocated oblige it to, at most, while it is far ahead. */
struct burst {
  uint64_t until;
  uint64_t assists; /* also if the thread gets little of the CPU */
};

static bool burst_is_over(const struct burst *b, uint64_t assists) {
  return assists >= b->assists && tri_now_ns() >= b->until;
}

/* The further ahead allocation is, the more assists at a time: each takes no longer than it must. Once it is far ahead
 * they go on until it is not, or the burst is over: that bounds the heap. */
static bool assist_a_while(const struct burst *b) {
  uint64_t done = 0;
  unsigned left = outrun_by();
  while (left > 0 && tri_assist()) {
    done++;
    if (--left == 0 && tri_beside_is_far_outrun() && pending() && !burst_is_over(b, done)) left = 1;
  }
  return left == 0;
}

/* Who has assisted as much as it should waits only if it is far ahead. So does, with the hybrid barrier, who found
 * nothing to take, as long as the goal is no memory limit's: its cycles may go further beyond it. */
static unsigned most_lead(bool has_assisted) {
  bool marking = tri_int_load_rlx(&tri_state.phase) == TRI_PHASE_MARK;
  if (!marking || !tri_assist_is_open() || tri_plan_is_limited()) return 0;
  bool may_go_on = has_assisted || (tri_beside_is_hybrid() && !tri_plan_is_by_limit());
  return may_go_on ? TRI_LEAD_FAR : TRI_LEAD_NEAR;
}

static bool must_wait(bool has_assisted) {
  if (!pending() || !far_behind()) return false;
  unsigned most = most_lead(has_assisted);
  return most == 0 || outrun_by() > most;
}

/* A thread that allocates little at a time is held up shortly and often, not once for the rest of the cycle. */
static void wait_a_moment(uint64_t grown) {
  uint64_t steps = 1 + grown / BURST_STEP_BYTES;
  struct burst b = {.until = tri_now_ns() + steps * BURST_STEP_NS, .assists = steps * BURST_STEP_ASSISTS};
  if (stress_bytes) tri_assist();
  for (int i = 0; i < WAIT_STEPS && pending() && far_behind(); i++) {
    bool marking = tri_int_load_rlx(&tri_state.phase) == TRI_PHASE_MARK, has_assisted = assist_a_while(&b);
    unsigned s = tri_int_load_acq(&served);
    if (!must_wait(has_assisted) || (marking && has_assisted && tri_now_ns() >= b.until)) return;
    tri_beside_wait(&served, s, WAIT_STEP_NS);
  }
}

/* The collector rests; nobody wakes this thread. */
static void wait_while_held_up(void) {
  for (uint64_t waited = 0; waited < hold_up_ns(); waited += WAIT_STEP_NS)
    tri_futex_wait(&served, tri_int_load_acq(&served), WAIT_STEP_NS);
}

static void start_or_serve(void) {
  tri_collector_start();
  if (tri_int_load_acq(&thread_state) != REFUSED || !tri_int_cas_acq_rel(&serving, 0, 1)) return;
  serve();
  tri_cycle_sweep_rest();
  tri_int_store_rel(&serving, 0);
}

static void wait_if_behind(void) {
  uint64_t grown = tri_self->grown;
  tri_self->grown = 0; /* a stop brings the thread here, too */
  if (pending()) wait_a_moment(grown);
  wait_while_held_up();
}

/* Or is about to: the collector's thread may be long in coming where CPUs are scarce. Who makes it, and allocates in
 * the C library meanwhile, would wait for itself. */
static bool somebody_serves(void) {
  return tri_int_load_acq(&thread_state) == STARTED || tri_int_load_rlx(&serving) != 0 ||
         (tri_int_load_rlx(&starting) != 0 && !is_starter);
}

/* Neither free() nor the end of a thread starts a thread or runs a cycle, nor does what pthread_create allocates. In a
 * program whose live bytes only ever pass a step there nobody else would. */
bool tri_collector_remind(void) {
  struct tri_thread *t = tri_self;
  bool unserved = pending() && !somebody_serves();
  if ((unserved || tri_monitor_is_wanted()) && tri_thread_is_registered(t)) tri_int_store_rlx(&t->stop_pending, 1);
  return unserved;
}

void tri_collector_wait(void) {
  if (tri_cycle_is_mine() || tri_int_load_rlx(&tri_self->leaving) || tri_collector_remind()) return;
  int saved_errno = errno;
  wait_if_behind();
  errno = saved_errno;
}

void tri_collector_help(void) {
  if (tri_cycle_is_mine()) return;
  int saved_errno = errno;
  if (pending()) start_or_serve();
  if (tri_monitor_is_wanted() && !tri_pthread_creating()) tri_monitor_start();
  if (!tri_collector_remind()) wait_if_behind();
  errno = saved_errno;
}

void tri_collector_set_stress(size_t bytes) {
  stress_bytes = bytes;
  TRI_RACE_YIELDS(bytes != 0);
}

void tri_collector_after_fork(void) {
  tri_hugepages_after_fork();
  tri_int_store_rel(&thread_state, NOT_STARTED);
  tri_int_store_rel(&starting, 0);
  is_starter = false;
  tri_int_store_rel(&serving, 0);
  tri_int_store_rel(&served, tri_int_load_rlx(&wanted));
}
