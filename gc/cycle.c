/*
 * The cycle: a state machine in three phases, run by one thread at a time (the collector thread, or tri_gc's caller).
 *
 *            finish_sweep          stop                                  flip bits
 *      OFF ---------------> OFF --------> MARK ------------> TERMINATION ---------> OFF (sweeping)
 *            [no unswept]          [roots listed]  [no grey]             start, log
 *
 * Either the world is stopped from MARK to the end of TERMINATION, as Go does with gcstoptheworld=1, or it is started
 * again in MARK, once the roots' objects are grey, and stopped a second time to end it: gc/beside.c marks in between.
 * The log line prints three times: until marking began, marking, from its end until the world runs.
 *
 * In API mode the first stop happens inside a dl_iterate_phdr callback, so that no stopped thread holds the loader's
 * lock, which the root scan takes; the last stop needs no roots. In malloc mode the root scan takes no foreign lock at
 * all (gc/roots.c), so the loader's lock is left alone: a program that sits in such a callback does not keep its memory
 * from being collected. Either way a thread in malloc or free never waits for the runner with a lock of the program's
 * held: it asks the collector thread and goes on (gc/collector.c).
 *
 * Invariants:
 *   [CYCLE-1] phase changes only in the stopped world, by the holder of cycle_lock: a thread inside the runtime
 *             sees one phase.
 *   [CYCLE-2] when a cycle flips, every span is swept: it finished the last sweep itself, before and in the stop.
 *   [CYCLE-3] mcaches are discarded before the centrals flip: no thread allocates from a span that is to be swept.
 *   [CYCLE-4] if the roots cannot be listed nothing is flipped or freed, and no mark is left; the goal is doubled,
 *             and one line says so.
 *
 * Locks: loader (API mode), cycle, registry (the stop), then what marking takes. The runner is inside the runtime.
 */
#include "gc/cycle.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <string.h>

#include "alloc/mcentral.h"
#include "gc/beside.h"
#include "gc/checkmark.h"
#include "gc/gctrace.h"
#include "gc/pages.h"
#include "gc/plan.h"
#include "gc/roots.h"
#include "gc/scanstack.h"
#include "gc/shade.h"
#include "gc/stop.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/clock.h"

/* Long enough that a fault costs little beside filling it; design.md section 3. */
enum { RELEASE_RUN_BYTES = 1 << 20 };

static struct tri_lock cycle_lock = TRI_LOCK_INIT(TRI_RANK_CYCLE);
static const struct tri_config *settings;
static bool malloc_replaced;
static uint64_t start_ns;
static TRI_TLS bool mine; /* this thread runs a cycle */

bool tri_cycle_is_mine(void) {
  return mine;
}

/* Of the present or last cycle; guarded by cycle_lock. */
static struct cycle {
  enum tri_cycle_reason reason;
  /* t_mark to t_mark_done: marking, beside the program or not; before and after it the world was stopped. */
  uint64_t t_start, t_mark, t_mark_done, t_end;
  uint64_t heap_start, heap_end;
  uint64_t inuse_bytes;                /* in spans when marking ended */
  uint64_t black_bytes;                /* marked by others than the markers */
  struct tri_mark_totals mark, beside; /* all; what was done while the program ran */
  bool tracked;                        /* a barrier is there for it */
  bool is_beside;                      /* and is used */
  bool done;
  bool corrected; /* the sweep's count of live bytes was taken over */
} cycle;
static uint64_t last_scanned_bytes; /* by the cycle before */
static uint64_t gc_cpu_ns;          /* since the start, for the percentage */

static struct tri_cycle_stats stats; /* guarded by cycle_lock */
/* A copy that can be had while a cycle runs: the holder of cycle_lock writes, and the version is odd meanwhile. */
enum { STATS_WORDS = sizeof(struct tri_cycle_stats) / sizeof(uint64_t) };
static tri_aword published[STATS_WORDS];
static tri_aint published_version;

static void set_phase(enum tri_phase from, enum tri_phase to) {
  tri_check(tri_int_load_rlx(&tri_state.phase) == from);
  tri_int_store_rel(&tri_state.phase, to);
}

static void publish_plan(uint64_t marked, uint64_t reclaimed) {
  struct tri_plan_input in = {
      .heap_marked = marked, .heap_reclaimed = reclaimed, .scanned_bytes = cycle.mark.scanned_bytes};
  tri_plan_publish(settings, &in);
}

void tri_cycle_init(const struct tri_config *config, bool malloc_mode) {
  settings = config;
  malloc_replaced = malloc_mode;
  tri_plan_init(malloc_mode && config->free_mode == TRI_FREE_NOW);
  start_ns = tri_now_ns();
  tri_fetch_add_rlx(&tri_state.heap_live, config->ballast_bytes);
  tri_beside_init(config, malloc_mode);
  if (config->collect) publish_plan(config->ballast_bytes, UINT64_MAX);
}

static void sweep_all(void) {
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++)
    while (tri_mcentral_sweep_some(c, UINT_MAX)) continue;
}

static uint64_t live_now_stw(void) {
  int64_t live = (int64_t)tri_load_acq(&tri_state.heap_live);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) live += t->mcache.live_delta;
  return live < 0 ? 0 : (uint64_t)live;
}

static void discard_mcaches(void) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) tri_mcache_discard_stw(&t->mcache);
}

static void flip_stw(void) {
  discard_mcaches();
  tri_mcentral_flip_stw();
  tri_int_store_rel(&tri_state.sweepgen, tri_int_load_rlx(&tri_state.sweepgen) + 2);
}

static bool list_roots(enum tri_stacks stacks) {
  return tri_pages_open() && tri_roots_gather(malloc_replaced, stacks);
}

/* The last stop of a cycle with the hybrid barrier lists no roots for itself: the check may not hide what it lacks. */
static void check_marks(void) {
  if (!settings->gccheckmark) return;
  bool hybrid = cycle.is_beside && tri_beside_is_hybrid();
  if (!hybrid || list_roots(TRI_STACKS_LISTED)) tri_checkmark_run(hybrid);
}

static uint64_t inuse_now(void) {
  struct tri_mheap_stats heap;
  tri_mheap_read_stats(&heap);
  return heap.inuse_bytes;
}

/* With the hybrid barrier: what was marked by others than the markers. New objects are, net of what was freed. */
static uint64_t born_black_bytes(void) {
  uint64_t grown = cycle.heap_end > cycle.heap_start ? cycle.heap_end - cycle.heap_start : 0;
  return tri_shade_take_bytes() + grown;
}

/* The rest of MARK, and TERMINATION; world stopped, roots listed. */
static void mark_and_terminate(void) {
  bool hybrid = cycle.is_beside && tri_beside_is_hybrid();
  tri_worker_mark_to_the_end(hybrid && !tri_mark_was_cut());
  cycle.mark = tri_worker_totals();
  cycle.black_bytes = hybrid ? born_black_bytes() : tri_mcentral_born_marked_bytes();
  cycle.mark.marked_bytes += cycle.black_bytes;
  if (!cycle.is_beside) cycle.t_mark_done = tri_now_ns();
  set_phase(TRI_PHASE_MARK, TRI_PHASE_MARK_TERMINATION);
  check_marks();
  if (cycle.is_beside)
    tri_plan_learn(cycle.heap_start, cycle.heap_end, cycle.beside.scanned_bytes, cycle.t_mark_done - cycle.t_mark,
                   cycle.beside.cpu_ns);
  cycle.inuse_bytes = inuse_now();
  flip_stw();
  uint64_t marked = cycle.mark.marked_bytes + settings->ballast_bytes;
  tri_store_rel(&tri_state.heap_live, marked);
  stats.heap_goal = tri_load_rlx(&tri_state.goal);
  publish_plan(marked, cycle.heap_end > marked ? cycle.heap_end - marked : 0);
  if (settings->gcstoptheworld == 2) sweep_all();
  set_phase(TRI_PHASE_MARK_TERMINATION, TRI_PHASE_OFF);
  cycle.done = true;
}

static void give_up_stw(void) {
  static bool told;
  if (tri_load_rlx(&tri_state.trigger) != UINT64_MAX)
    tri_store_rel(&tri_state.trigger, live_now_stw() * 2 + ((uint64_t)4 << 20));
  if (told) return;
  told = true;
  tri_warn(
      "the process's memory cannot be listed (/proc/self/maps, pagemap); nothing is collected while that lasts (said "
      "once)");
}

static void stop(void) {
  tri_stop_world();
  if (tri_thread_is_registered(tri_self)) tri_self->sp = (uintptr_t)__builtin_frame_address(0);
}

static void begin_mark(void) {
  set_phase(TRI_PHASE_OFF, TRI_PHASE_MARK);
  tri_worker_mark_begin();
  cycle.t_mark = tri_now_ns();
}

/* The world is stopped, in this phase marks may be set, and they cannot be completed. */
static void abandon_mark(void) {
  tri_store_rel(&tri_state.born_marked_below, 0);
  tri_mark_forget();
  set_phase(TRI_PHASE_MARK, TRI_PHASE_OFF);
}

static void end_in_stop(bool listed) {
  if (listed) {
    mark_and_terminate();
  } else {
    if (tri_int_load_rlx(&tri_state.phase) == TRI_PHASE_MARK) abandon_mark();
    give_up_stw();
  }
  tri_pages_close();
  tri_start_world();
  cycle.t_end = tri_now_ns();
}

/* The first stop: the only one, but when marking goes on beside the program. */
TRI_NOINLINE static void begin_collection(void) {
  cycle.t_start = tri_now_ns();
  stop();
  sweep_all();
  cycle.heap_start = cycle.heap_end = live_now_stw();
  bool listed = list_roots(cycle.is_beside ? tri_beside_stacks() : TRI_STACKS_LISTED);
  if (cycle.is_beside && (!listed || tri_roots_any_protected())) {
    cycle.is_beside = false;
    tri_scanstack_forget();
    listed = listed && list_roots(TRI_STACKS_LISTED);
  }
  if (listed) begin_mark();
  if (cycle.is_beside) {
    tri_beside_mark_roots();
    tri_start_world();
    cycle.t_mark = tri_now_ns();
  } else {
    end_in_stop(listed);
  }
}

/* The program runs on between the first stop and the last. What is listed then is listed anew. */
static void mark_beside(void) {
  tri_beside_mark(cycle.heap_start, last_scanned_bytes);
  cycle.t_mark_done = tri_now_ns();
  cycle.beside = tri_worker_totals();
  stop();
  cycle.heap_end = live_now_stw();
  bool listed = tri_beside_is_hybrid() || list_roots(TRI_STACKS_LISTED);
  end_in_stop(listed && tri_beside_prepare_last());
}

/* Of the time called marking: what was marked in the last stop is part of that stop. */
static uint64_t beside_cpu_ns(void) {
  return cycle.is_beside ? cycle.beside.cpu_ns : cycle.mark.cpu_ns;
}

static void account(void) {
  uint64_t procs = tri_worker_procs();
  uint64_t first = cycle.t_mark - cycle.t_start, last = cycle.t_end - cycle.t_mark_done;
  if (!cycle.is_beside) first = cycle.t_end - cycle.t_start, last = 0;
  last_scanned_bytes = cycle.mark.scanned_bytes;
  stats.num_gc++;
  if (cycle.reason == TRI_CYCLE_USER) stats.num_forced++;
  stats.pause_total_ns += first + last;
  stats.pause_max_ns = tri_max(stats.pause_max_ns, tri_max(first, last));
  gc_cpu_ns += (cycle.t_mark - cycle.t_start + cycle.t_end - cycle.t_mark_done) * procs + beside_cpu_ns();
}

static void print_page_line(void) {
  const struct tri_beside_stats *s = tri_beside_read_stats();
  char rounds[TRI_BESIDE_ROUNDS * 24] = "";
  for (unsigned i = 0, n = 0; i < s->rounds; i++)
    n += (unsigned)tri_format(rounds + n, sizeof rounds - n, "%s%zu", i ? " " : "", (size_t)(s->dirty_bytes[i] >> 10));
  tri_log_line("gc %lu page: %zu KiB tracked, dirty KiB %s%s%s, stops %lu+%lu us", (unsigned long)stats.num_gc,
               (size_t)(s->tracked_bytes >> 10), rounds, s->cut ? ", cut" : "", s->lost ? ", lost" : "",
               (unsigned long)(cycle.t_mark - cycle.t_start) / 1000,
               (unsigned long)(cycle.t_end - cycle.t_mark_done) / 1000);
}

static void print_hybrid_line(void) {
  const struct tri_beside_stats *s = tri_beside_read_stats();
  tri_log_line("gc %lu hybrid: %u rounds%s, %zu KiB shaded or new, stops %lu+%lu us", (unsigned long)stats.num_gc,
               s->rounds, s->cut ? ", cut" : "", (size_t)(cycle.black_bytes >> 10),
               (unsigned long)(cycle.t_mark - cycle.t_start) / 1000,
               (unsigned long)(cycle.t_end - cycle.t_mark_done) / 1000);
}

static void print_barrier_line(void) {
  if (tri_beside_is_hybrid()) {
    print_hybrid_line();
  } else {
    print_page_line();
  }
}

static void print_trace(void) {
  uint64_t procs = tri_worker_procs();
  uint64_t stw1 = cycle.t_mark - cycle.t_start, stw2 = cycle.t_end - cycle.t_mark_done;
  struct tri_gctrace t = {.num_gc = (uint32_t)stats.num_gc,
                          .since_start_ns = cycle.t_start - start_ns,
                          .percent = (int)(gc_cpu_ns * 100 / ((cycle.t_end - start_ns) * procs)),
                          .clock_ns = {stw1, cycle.t_mark_done - cycle.t_mark, stw2},
                          .cpu_ns = {stw1 * procs, 0, beside_cpu_ns(), 0, stw2 * procs},
                          .heap_start = cycle.heap_start,
                          .heap_end = cycle.heap_end,
                          .heap_marked = cycle.mark.marked_bytes + settings->ballast_bytes,
                          .goal = stats.heap_goal,
                          .stack_bytes = tri_roots_stack_bytes(),
                          .globals_bytes = tri_roots_globals_bytes(),
                          .procs = (uint32_t)procs,
                          .forced = cycle.reason == TRI_CYCLE_USER};
  char line[TRI_GCTRACE_SIZE];
  tri_log_raw(line, tri_gctrace_format(line, sizeof line, &t));
}

/*
 * What stays resident after a sweep, by the rule of Go's scavenger: what spans held when marking ended, scaled as the
 * goal moved, and a tenth. Giving all free runs back after every cycle cost a quarter of the time of a program that
 * leaks: the same pages were faulted in again at once.
 */
static size_t retain_bytes(void) {
  uint64_t goal = tri_load_rlx(&tri_state.goal), last = stats.heap_goal, ballast = settings->ballast_bytes;
  double moved =
      goal == UINT64_MAX || last == UINT64_MAX ? 1.0 : (double)(goal - ballast) / (double)(last - ballast + 1);
  return (size_t)((double)cycle.inuse_bytes * moved * 1.1);
}

static void sweep_and_release(void) {
  sweep_all();
  tri_mheap_release_free(RELEASE_RUN_BYTES, retain_bytes());
}

static void tell_barrier(void) {
  uint64_t last_stop = cycle.t_end - cycle.t_mark_done;
  if (cycle.tracked) tri_beside_end(&cycle.mark, cycle.is_beside ? last_stop : UINT64_MAX);
  if (!cycle.tracked && cycle.done) tri_beside_not(cycle.t_mark_done - cycle.t_mark);
}

/* A cycle beside the program counts objects that are freed before it ends, and spans that are born meanwhile as if they
 * were full. The sweep has counted exactly. */
static void correct_live(void) {
  if (!cycle.is_beside || !cycle.done || cycle.corrected || !tri_mcentral_all_swept()) return;
  cycle.corrected = true;
  uint64_t assumed = cycle.mark.marked_bytes, exact = tri_mcentral_swept_live_bytes();
  tri_fetch_add_rlx(&tri_state.heap_live, exact - assumed);
  uint64_t marked = exact + settings->ballast_bytes;
  publish_plan(marked, cycle.heap_end > marked ? cycle.heap_end - marked : 0);
}

static void publish_stats(void) {
  uint64_t words[STATS_WORDS];
  memcpy(words, &stats, sizeof words);
  tri_int_fetch_add_acq_rel(&published_version, 1);
  for (int i = 0; i < STATS_WORDS; i++) tri_store_rel(&published[i], words[i]);
  tri_int_fetch_add_acq_rel(&published_version, 1);
}

static void begin_inside(enum tri_cycle_reason reason) {
  sweep_all(); /* [CYCLE-2]: most of it before the stop */
  correct_live();
  cycle = (struct cycle){.reason = reason};
  cycle.tracked = cycle.is_beside = tri_beside_begin(settings, malloc_replaced);
  begin_collection();
}

static void finish_inside(void) {
  if (cycle.is_beside) mark_beside();
  tell_barrier();
  if (!cycle.done) return;
  account();
  publish_stats();
  if (settings->gctrace > 0) print_trace();
  if (settings->gctrace > 1 && cycle.is_beside) print_barrier_line();
}

static void enter(struct tri_thread *t) {
  bool entered = !tri_thread_is_registered(t) || tri_runtime_enter(t);
  tri_check(entered);
}

static void leave(struct tri_thread *t) {
  if (tri_thread_is_registered(t)) tri_runtime_leave(t);
}

struct run {
  enum tri_cycle_reason reason;
  bool sweep_all_now;
  bool finished;
};

TRI_NOINLINE static void begin(const struct run *r) {
  struct tri_thread *t = tri_self;
  mine = true;
  tri_cycle_lock();
  tri_worker_start_all();
  enter(t);
  begin_inside(r->reason);
}

TRI_NOINLINE static void finish(struct run *r) {
  finish_inside();
  if (r->sweep_all_now) {
    sweep_and_release();
    correct_live();
  }
  leave(tri_self);
  tri_cycle_unlock();
  mine = false;
  r->finished = true;
}

/* The check after the last stop lists roots once more. */
static int run_in_loader_callback(struct dl_phdr_info *info, size_t size, void *run) {
  struct run *r = run;
  begin(r);
  if (settings->gccheckmark) finish(r);
  return 1;
}

void tri_cycle_run(enum tri_cycle_reason reason, bool sweep_all_now) {
  struct run r = {reason, sweep_all_now, false};
  int saved_errno = errno;
  if (mine) return;
  __builtin_unwind_init();
  if (malloc_replaced) {
    begin(&r);
  } else {
    dl_iterate_phdr(run_in_loader_callback, &r);
  }
  if (!r.finished) finish(&r);
  errno = saved_errno;
}

void tri_cycle_sweep_rest(void) {
  struct tri_thread *t = tri_self;
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) {
    enter(t);
    while (tri_mcentral_sweep_some(c, UINT_MAX)) continue;
    leave(t);
  }
  tri_cycle_lock();
  correct_live();
  size_t retained = retain_bytes();
  tri_cycle_unlock();
  enter(t);
  tri_mheap_release_free(RELEASE_RUN_BYTES, retained);
  leave(t);
}

void tri_cycle_read_stats(struct tri_cycle_stats *ret) {
  uint64_t words[STATS_WORDS];
  unsigned before, after;
  do {
    before = tri_int_load_acq(&published_version);
    for (int i = 0; i < STATS_WORDS; i++) words[i] = tri_load_acq(&published[i]);
    after = tri_int_load_acq(&published_version);
  } while (before != after || before % 2 != 0);
  memcpy(ret, words, sizeof words);
  ret->heap_goal = tri_load_acq(&tri_state.goal);
}

/* Waited for outside the runtime: the holder may be stopping the world. */
void tri_cycle_lock(void) {
  tri_lock_acquire(&cycle_lock);
}
void tri_cycle_unlock(void) {
  tri_lock_release(&cycle_lock);
}
