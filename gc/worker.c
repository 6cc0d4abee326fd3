/*
 * Marker threads. The cycle's runner raises `round` and marks itself; each worker that sees the new round joins, if its
 * number is among the round's markers, and the runner waits until all have left. A round of the runner alone is no
 * round for them. They sleep on `round` between rounds, hold no lock and never allocate from the collected heap.
 *
 * In the stopped world every CPU marks that the cgroup's quota allows; beside the program a quarter of them, at least
 * one.
 *
 * A worker is not in the registry, so a stop does not signal it. Its stack is a mapping of ours: the part below its
 * first frame is entered in ownmap (a marker's dead frames are full of object addresses), the part above (struct
 * pthread, whose dtv lies in our heap) is scanned like any memory. Stacks are reused by fork children.
 *
 * Ordering: round is released by the runner and acquired by workers; `left` the other way round.
 */
#include "gc/worker.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/os.h"
#include "alloc/ownmap.h"
#include "gc/procs.h"
#include "gc/real.h"
#include "gc/roots.h"
#include "gc/signals.h"
#include "gc/stop.h"
#include "gc/strangers.h"
#include "gc/thread.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/lock.h"

enum { STACK_BYTES = 256 << 10, MAX_THREADS = TRI_MAX_MARKERS + 2, SLICE_NS = 100 * 1000, TIMER_SLACK_NS = 1000 };
enum { FEW_ROOT_BYTES = 1 << 20 };

struct worker_thread {
  char *stack; /* kept when the thread is gone after fork */
  tri_aint running;
  tri_aint tid;
  void (*fn)(void *);
  void *arg;
};

static struct worker_thread threads[MAX_THREADS]; /* each entry has one spawner, which sets running first */
static struct tri_marker markers[TRI_MAX_MARKERS];
static uint64_t marker_cpu[TRI_MAX_MARKERS];
static unsigned first_seen[TRI_MAX_MARKERS]; /* the round before a worker's first */
static unsigned nworkers;                    /* guarded by the cycle lock: a round's markers are fixed */
static unsigned nmarkers;                    /* of the present round, the runner included */
static bool refused;                         /* the system gave no thread; not asked again before a fork */
static tri_aint round_no, left;
static tri_aword stack_bytes; /* of all stacks made so far; they are kept */

static struct worker_thread *free_slot(void) {
  for (unsigned i = 0; i < MAX_THREADS; i++)
    if (tri_int_exchange_acq_rel(&threads[i].running, 1) == 0) return &threads[i];
  return NULL;
}

static bool get_stack(struct worker_thread *w) {
  if (w->stack) return true;
  char *stack = tri_os_reserve(STACK_BYTES, TRI_PAGE_SIZE);
  if (!stack) return false;
  size_t guard = tri_os_page_size();
  if (!tri_os_commit(stack + guard, STACK_BYTES - guard)) {
    tri_os_unreserve(stack, STACK_BYTES);
    return false;
  }
  w->stack = stack;
  tri_fetch_add_rlx(&stack_bytes, STACK_BYTES - guard);
  return true;
}

/* A thread with a short slice gets the CPU soon when it wakes, so that markers beside the program can sleep often and
 * shortly (Linux 6.12; elsewhere it does nothing). */
static void ask_for_short_slices(void) {
  prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS); /* sleeps are as short as asked for */
  struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attr = {.size = sizeof attr};
  if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) != 0 || attr.policy != SCHED_OTHER) return;
  attr.runtime = SLICE_NS;
  syscall(SYS_sched_setattr, 0, &attr, 0);
}

static void block_stop_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  if (tri_stop_signal()) sigaddset(&set, tri_stop_signal());
  tri_real()->pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool tri_worker_has_tid(int tid) {
  for (unsigned i = 0; i < MAX_THREADS; i++)
    if (tri_int_load_acq(&threads[i].tid) == (unsigned)tid) return true;
  return false;
}

unsigned tri_worker_markers(void) {
  return nworkers;
}

TRI_NOINLINE static void *thread_main(void *thread) {
  struct worker_thread *w = thread;
  block_stop_signal();
  tri_signals_let_in_setxid();
  tri_int_store_rel(&w->tid, (unsigned)syscall(SYS_gettid));
  tri_futex_wake(&w->tid, 1);
  uintptr_t frame = tri_align_down((uintptr_t)__builtin_frame_address(0) - 256, 64);
  tri_ownmap_add(w->stack, frame - (uintptr_t)w->stack);
  prctl(PR_SET_NAME, "tricolor");
  ask_for_short_slices();
  w->fn(w->arg);
  return NULL;
}

/* The stop signal stays open: a thread that is parked may hold the C library's lock of cached stacks, for which the
 * calling one waits here. */
static int create_blocked(struct worker_thread *w, pthread_attr_t *attr) {
  pthread_t id;
  uint64_t mask = tri_signals_keep_off();
  int err = tri_real()->pthread_create(&id, attr, thread_main, w);
  tri_signals_let_in(mask);
  return err;
}

bool tri_worker_spawn(void (*fn)(void *), void *arg) {
  struct worker_thread *w = free_slot();
  if (!w) return false;
  if (!get_stack(w)) {
    tri_int_store_rel(&w->running, 0);
    return false;
  }
  w->fn = fn;
  w->arg = arg;
  tri_strangers_before_worker();
  tri_thread_is_coming(); /* the collector's and the monitor's register, and may stop who starts them */
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  size_t guard = tri_os_page_size();
  pthread_attr_setstack(&attr, w->stack + guard, STACK_BYTES - guard);
  bool ok = create_blocked(w, &attr) == 0;
  pthread_attr_destroy(&attr);
  if (!ok) tri_int_store_rel(&w->running, 0);
  while (ok && tri_int_load_acq(&w->tid) == 0) tri_futex_wait(&w->tid, 0, 0); /* no stop must take it for a stranger */
  return ok;
}

uint64_t tri_worker_stack_bytes(void) {
  return tri_load_rlx(&stack_bytes);
}

static void mark_as(unsigned i) {
  uint64_t start = tri_thread_cpu_ns();
  tri_mark_run(&markers[i]);
  marker_cpu[i] += tri_thread_cpu_ns() - start;
}

static void worker_main(void *index) {
  unsigned i = (unsigned)(uintptr_t)index, seen = first_seen[i];
  for (;;) {
    unsigned r = tri_int_load_acq(&round_no);
    if (r == seen) {
      tri_futex_wait(&round_no, r, 0);
      continue;
    }
    seen = r;
    if (i < nmarkers) mark_as(i);
    tri_int_fetch_add_acq_rel(&left, 1);
    tri_futex_wake(&left, 1);
  }
}

void tri_worker_start_all(void) {
  unsigned wanted = (unsigned)tri_min(tri_procs(), TRI_MAX_MARKERS) - 1;
  while (nworkers < wanted && !refused) {
    first_seen[nworkers + 1] = tri_int_load_rlx(&round_no);
    refused = !tri_worker_spawn(worker_main, (void *)(uintptr_t)(nworkers + 1));
    if (!refused) nworkers++;
  }
}

/* To wake the others takes longer than to scan so much. */
static bool few_roots(void) {
  return tri_roots_stack_bytes() + tri_roots_globals_bytes() < FEW_ROOT_BYTES;
}

/* That markers share in. The quota may have become less since they were started; the runner's own affinity says nothing
 * of the others'. */
static unsigned cpus(void) {
  return (unsigned)tri_min(nworkers + 1, tri_procs_quota());
}

static unsigned markers_for(enum tri_round round) {
  if (round == TRI_ROUND_ROOTS && few_roots()) return 1;
  unsigned n = cpus();
  return round == TRI_ROUND_BESIDE ? (unsigned)tri_max(1, n / 4) : n;
}

static void call_workers(void) {
  tri_int_store_rel(&left, 0);
  tri_int_store_rel(&round_no, tri_int_load_rlx(&round_no) + 1);
  tri_futex_wake(&round_no, INT_MAX);
}

static void wait_for_workers(void) {
  for (;;) {
    unsigned n = tri_int_load_acq(&left);
    if (n == nworkers) return;
    tri_futex_wait(&left, n, 0);
  }
}

static void run_round(enum tri_round round, unsigned n) {
  nmarkers = n;
  tri_mark_begin(round, nmarkers, cpus());
  if (nmarkers > 1) call_workers();
  if (round != TRI_ROUND_BESIDE) tri_mark_words(&markers[0]);
  mark_as(0);
  if (nmarkers > 1) wait_for_workers();
}

void tri_worker_round(enum tri_round round) {
  run_round(round, markers_for(round));
}

void tri_worker_mark_begin(void) {
  for (unsigned i = 0; i <= nworkers; i++) {
    markers[i] = (struct tri_marker){0};
    marker_cpu[i] = 0;
  }
}

void tri_worker_mark_to_the_end(bool little_left) {
  unsigned n = little_left ? 1 : markers_for(TRI_ROUND_TO_THE_END);
  do {
    run_round(TRI_ROUND_TO_THE_END, n);
  } while (tri_mark_recover(&markers[0], nworkers + 1));
}

struct tri_mark_totals tri_worker_totals(void) {
  struct tri_mark_totals t = {.markers = nworkers + 1};
  for (unsigned i = 0; i <= nworkers; i++) {
    t.marked_bytes += markers[i].marked_bytes;
    t.scanned_bytes += markers[i].scanned_bytes;
    t.dirty_bytes += markers[i].dirty_bytes;
    t.cpu_ns += marker_cpu[i];
  }
  return t;
}

void tri_worker_after_fork(void) {
  for (unsigned i = 0; i < MAX_THREADS; i++) {
    tri_int_store_rel(&threads[i].running, 0);
    tri_int_store_rel(&threads[i].tid, 0);
  }
  nworkers = 0;
  refused = false;
}
