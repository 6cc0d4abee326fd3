/*
 * The cycle: a state machine in three phases, run by one thread at a time (the collector thread, or tri_gc's caller).
 *
 *            finish_sweep          stop                                  flip bits
 *      OFF ---------------> OFF --------> MARK ------------> TERMINATION ---------> OFF (sweeping)
 *            [no unswept]          [roots listed]  [no grey]             start, log
 *
 * Either the world is stopped from MARK to the end of TERMINATION, as Go does with gcstoptheworld=1, or it is started
 * again in MARK, once the roots' objects are grey, and stopped a second time to end it: gc/beside.c marks in between.
 * Once all is swept, by whoever finds that out: plan, scavenger (gc/scavenger.c), lines.
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
 * Locks: the gate and the loader's (API mode; the first stop only, or for all of it with gccheckmark=1), cycle,
 * registry (the stop), then what marking takes. The runner is inside the runtime.
 */
#include "gc/cycle.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <string.h>

#include "alloc/mcentral.h"
#include "gc/assist.h"
#include "gc/beside.h"
#include "gc/checkmark.h"
#include "gc/collector.h"
#include "gc/gctrace.h"
#include "gc/history.h"
#include "gc/hugepages.h"
#include "gc/limit.h"
#include "gc/monitor.h"
#include "gc/pacertrace.h"
#include "gc/pages.h"
#include "gc/plan.h"
#include "gc/procs.h"
#include "gc/roots.h"
#include "gc/scanstack.h"
#include "gc/scavenger.h"
#include "gc/shade.h"
#include "gc/stats_page.h"
#include "gc/stop.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/race.h"
#include "pacer/assist_ratio.h"

static struct tri_lock loader_gate = TRI_LOCK_INIT(TRI_RANK_LOADER_GATE); /* held around the callback */
static struct tri_lock cycle_lock = TRI_LOCK_INIT(TRI_RANK_CYCLE);
static const struct tri_config *settings;
static bool malloc_replaced;
static uint64_t start_ns;
static TRI_TLS bool mine;   /* this thread runs a cycle */
static uintptr_t runner_sp; /* the runner's, who holds cycle_lock: below it there are frames of the cycle alone */

bool tri_cycle_is_mine(void) {
  return mine;
}

/* Of the present or last cycle; guarded by cycle_lock. */
static struct cycle {
  enum tri_cycle_reason reason;
  /* t_mark to t_mark_done: marking, beside the program or not; before and after it the world was stopped. */
  uint64_t t_start, t_mark, t_mark_done, t_end;
  uint64_t heap_start, heap_end;
  uint64_t roots_cpu_ns;               /* of the markers in the first stop */
  struct tri_assist_totals assist;     /* what threads of the program have marked */
  uint64_t black_bytes;                /* marked by others than the markers */
  uint64_t expected_work;              /* what the cycle before scanned */
  uint64_t pages;                      /* to sweep; gcpacertrace only */
  double cons_mark;                    /* that it was planned with */
  struct tri_mark_totals mark, beside; /* all; what was done while the program ran */
  bool tracked;                        /* a barrier is there for it */
  bool is_beside;                      /* and is used */
  bool done;
  bool told_swept; /* tell_swept has done its work */
} cycle;
static uint64_t last_scanned_bytes; /* by the cycle before */

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

static void publish_stats(void) {
  uint64_t words[STATS_WORDS];
  memcpy(words, &stats, sizeof words);
  tri_int_fetch_add_acq_rel(&published_version, 1);
  for (int i = 0; i < STATS_WORDS; i++) tri_store_rel(&published[i], words[i]);
  tri_int_fetch_add_acq_rel(&published_version, 1);
}

void tri_cycle_init(const struct tri_config *config, bool malloc_mode) {
  settings = config;
  malloc_replaced = malloc_mode;
  tri_plan_init(malloc_mode && config->free_mode == TRI_FREE_NOW);
  tri_procs_init(config);
  tri_limit_init(config);
  tri_monitor_init(config);
  tri_hugepages_init(config);
  start_ns = stats.start_ns = tri_now_ns();
  publish_stats();
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

static uint64_t pages_in_use(void) {
  struct tri_mheap_stats heap;
  tri_mheap_read_stats(&heap);
  return heap.inuse_bytes >> TRI_PAGE_SHIFT;
}

/* With the hybrid barrier: by it and by assists. New objects are, net of what was freed. */
static uint64_t born_black_bytes(void) {
  uint64_t grown = cycle.heap_end > cycle.heap_start ? cycle.heap_end - cycle.heap_start : 0;
  return tri_shade_take_bytes() + grown;
}

static void learn(void) {
  struct tri_plan_marking m = {.live_before = cycle.heap_start,
                               .live_after = cycle.heap_end,
                               .scanned_bytes = cycle.beside.scanned_bytes + cycle.assist.scanned_bytes,
                               .duration_ns = cycle.t_mark_done - cycle.t_mark,
                               .marker_cpu_ns = cycle.beside.cpu_ns,
                               .assist_cpu_ns = cycle.assist.cpu_ns,
                               .held_up_ns = tri_beside_waited_ns()};
  tri_plan_learn(&m);
}

/* By others than the markers. */
static uint64_t marked_elsewhere(bool hybrid) {
  if (hybrid) return born_black_bytes();
  return tri_mcentral_born_marked_bytes() + (cycle.is_beside ? tri_shade_take_bytes() : 0);
}

/* The rest of MARK, and TERMINATION; world stopped, roots listed. */
static void mark_and_terminate(void) {
  bool hybrid = cycle.is_beside && tri_beside_is_hybrid();
  tri_worker_mark_to_the_end(hybrid && !tri_mark_was_cut());
  cycle.mark = tri_worker_totals();
  cycle.mark.scanned_bytes += cycle.assist.scanned_bytes;
  cycle.black_bytes = marked_elsewhere(hybrid);
  cycle.mark.marked_bytes += cycle.black_bytes;
  if (!cycle.is_beside) cycle.t_mark_done = tri_now_ns();
  set_phase(TRI_PHASE_MARK, TRI_PHASE_MARK_TERMINATION);
  check_marks();
  if (cycle.is_beside) learn();
  if (settings->gcpacertrace > 0) cycle.pages = pages_in_use();
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

/* *begun: since when the program is being stopped. Where it ran again meanwhile, that is no part of the pause. */
static void stop(uint64_t *begun) {
  *begun += tri_stop_world(true);
  if (tri_thread_is_registered(tri_self)) tri_self->sp = runner_sp;
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
  tri_shade_take_bytes();
  tri_shade_take_dropped();
  tri_checkmark_forget();
  set_phase(TRI_PHASE_MARK, TRI_PHASE_OFF);
}

static void end_in_stop(bool listed) {
  if (listed) {
    mark_and_terminate();
  } else {
    if (tri_int_load_rlx(&tri_state.phase) == TRI_PHASE_MARK) abandon_mark();
    give_up_stw();
  }
  tri_pages_close(!malloc_replaced || tri_hugepages_take_pages());
  cycle.t_end = tri_start_world();
}

/* For gccheckmark. Stacks that are left to their threads are listed once more, since they hold the same until then. */
static bool list_first_roots(void) {
  enum tri_stacks stacks = cycle.is_beside ? tri_beside_stacks() : TRI_STACKS_LISTED;
  bool checked = settings->gccheckmark && cycle.is_beside && tri_beside_is_hybrid();
  tri_checkmark_forget();
  if (checked && stacks == TRI_STACKS_SELF && list_roots(TRI_STACKS_LISTED)) tri_checkmark_begin(true);
  bool listed = list_roots(stacks);
  if (checked && stacks != TRI_STACKS_SELF && listed) tri_checkmark_begin(stacks == TRI_STACKS_LISTED);
  if (checked) TRI_RACE_POINT(NOTED);
  return listed;
}

/* The first stop: the only one, but when marking goes on beside the program. */
TRI_NOINLINE static void begin_collection(void) {
  cycle.expected_work = last_scanned_bytes;
  cycle.cons_mark = tri_plan_cons_mark();
  if (cycle.is_beside && tri_beside_is_hybrid()) tri_roots_prefetch();
  cycle.t_start = tri_now_ns();
  tri_plan_cycle_begins(cycle.t_start);
  stop(&cycle.t_start);
  sweep_all();
  cycle.heap_start = cycle.heap_end = live_now_stw();
  bool listed = list_first_roots();
  if (cycle.is_beside && (!listed || tri_roots_any_protected())) {
    cycle.is_beside = false;
    tri_scanstack_forget();
    tri_checkmark_forget();
    listed = listed && list_roots(TRI_STACKS_LISTED);
  }
  if (listed) begin_mark();
  if (cycle.is_beside) {
    tri_beside_mark_roots();
    cycle.roots_cpu_ns = tri_worker_totals().cpu_ns;
    tri_beside_pace_stw(cycle.heap_start, cycle.expected_work);
    cycle.t_mark = tri_start_world();
  } else {
    end_in_stop(listed);
  }
}

/* The program runs on between the first stop and the last. What is listed then is listed anew. */
static void mark_beside(void) {
  TRI_RACE_POINT(FLIPPED);
  tri_beside_mark();
  TRI_RACE_POINT(LAST_STOP);
  cycle.t_mark_done = tri_now_ns();
  cycle.beside = tri_worker_totals();
  cycle.beside.cpu_ns -= cycle.roots_cpu_ns;
  stop(&cycle.t_mark_done);
  cycle.assist = tri_assist_take_totals();
  cycle.heap_end = live_now_stw();
  bool listed = tri_beside_is_hybrid() || list_roots(TRI_STACKS_LISTED);
  end_in_stop(listed && tri_beside_prepare_last());
}

/* Of the time called marking: what was marked in the last stop is part of that stop. */
static uint64_t marker_cpu_ns(void) {
  return cycle.is_beside ? cycle.beside.cpu_ns : cycle.mark.cpu_ns;
}

/* Markers get more than their quarter beside the program only of what it leaves idle. */
static uint64_t idle_cpu_ns(void) {
  uint64_t quarter = (cycle.t_mark_done - cycle.t_mark) * tri_procs() / 4;
  return cycle.is_beside && marker_cpu_ns() > quarter ? marker_cpu_ns() - quarter : 0;
}

static void account(void) {
  uint64_t procs = tri_procs();
  uint64_t first = cycle.t_mark - cycle.t_start, last = cycle.t_end - cycle.t_mark_done;
  if (!cycle.is_beside) first = cycle.t_end - cycle.t_start, last = 0;
  last_scanned_bytes = cycle.mark.scanned_bytes;
  stats.num_gc++;
  if (cycle.reason == TRI_CYCLE_USER) stats.num_forced++;
  stats.last_end_ns = cycle.t_end;
  stats.pause_cpu_ns += (cycle.t_mark - cycle.t_start + cycle.t_end - cycle.t_mark_done) * procs;
  stats.mark_cpu_ns += marker_cpu_ns() - idle_cpu_ns();
  stats.idle_cpu_ns += idle_cpu_ns();
  stats.assist_cpu_ns += cycle.assist.cpu_ns;
  stats.heap_marked = cycle.mark.marked_bytes + settings->ballast_bytes;
  stats.scanned_bytes = cycle.mark.scanned_bytes;
  stats.stack_bytes = tri_roots_stack_bytes();
  stats.globals_bytes = tri_roots_globals_bytes();
  tri_history_add(first + last);
  stats.pause_total_ns += first + last;
  stats.pause_max_ns = tri_max(stats.pause_max_ns, tri_max(first, last));
}

static void tell_plan(void) {
  struct tri_cycle_times t = {.start = cycle.t_start,
                              .mark = cycle.t_mark,
                              .mark_done = cycle.t_mark_done,
                              .end = cycle.t_end,
                              .assist_cpu_ns = cycle.assist.cpu_ns,
                              .is_beside = cycle.is_beside};
  tri_plan_cycle_took(&t, stats.num_gc);
  tri_plan_renew(settings, 0);
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

/* Of all CPU time since the start, but for what was idle. */
static int collector_percent(uint64_t procs) {
  uint64_t ns = stats.pause_cpu_ns + stats.mark_cpu_ns + stats.assist_cpu_ns;
  return (int)(ns * 100 / ((cycle.t_end - start_ns) * procs));
}

static void print_trace(void) {
  uint64_t procs = tri_procs();
  uint64_t stw1 = cycle.t_mark - cycle.t_start, stw2 = cycle.t_end - cycle.t_mark_done;
  struct tri_gctrace t = {
      .num_gc = (uint32_t)stats.num_gc,
      .since_start_ns = cycle.t_start - start_ns,
      .percent = collector_percent(procs),
      .clock_ns = {stw1, cycle.t_mark_done - cycle.t_mark, stw2},
      .cpu_ns = {stw1 * procs, cycle.assist.cpu_ns, marker_cpu_ns() - idle_cpu_ns(), idle_cpu_ns(), stw2 * procs},
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

/* Assists go by the lead (pacer/lead.c): the ratio is what Go would ask them for. */
static void print_pacer_start(void) {
  struct tri_assist_input in = {.gc_percent = settings->gc_percent,
                                .heap_goal = stats.heap_goal,
                                .triggered = cycle.heap_start,
                                .heap_live = cycle.heap_start,
                                .work_expected = cycle.expected_work,
                                .work_max = cycle.heap_start};
  struct tri_pacertrace_start t = {
      .assist_ratio = tri_assist_ratio(&in).work_per_byte,
      .scan_bytes = cycle.heap_start,
      .heap_live = cycle.heap_start,
      .heap_goal = stats.heap_goal,
      .dedicated = (int)(cycle.is_beside ? tri_max(1, cycle.mark.markers / 4) : cycle.mark.markers)};
  char line[TRI_PACERTRACE_SIZE];
  tri_log_raw(line, tri_pacertrace_start(line, sizeof line, &t));
}

static void print_pacer_end(void) {
  uint64_t roots = stats.stack_bytes + stats.globals_bytes, scanned = cycle.mark.scanned_bytes;
  double wall = (double)(cycle.t_mark_done - cycle.t_mark) * tri_procs();
  struct tri_pacertrace_end t = {.utilization = wall > 0 ? (double)(marker_cpu_ns() + cycle.assist.cpu_ns) / wall : 0,
                                 .heap_work = scanned > roots ? scanned - roots : 0,
                                 .stack_work = stats.stack_bytes,
                                 .globals_work = stats.globals_bytes,
                                 .expected_work = cycle.expected_work,
                                 .triggered = cycle.heap_start,
                                 .heap_live = cycle.heap_end,
                                 .heap_goal = stats.heap_goal,
                                 .cons_mark = cycle.cons_mark};
  char line[TRI_PACERTRACE_SIZE];
  tri_log_raw(line, tri_pacertrace_end(line, sizeof line, &t));
}

/* As in Go the second line is left out where nothing was allocated while marking. */
static void print_pacer(void) {
  if (settings->gcpacertrace <= 0) return;
  print_pacer_start();
  if (cycle.heap_end > cycle.heap_start) print_pacer_end();
}

static void print_pacer_sweep(void) {
  if (settings->gcpacertrace <= 0) return;
  uint64_t live = tri_load_rlx(&tri_state.heap_live), marked = stats.heap_marked;
  struct tri_pacertrace_sweep t = {
      .heap_live = live, .allocated = live > marked ? live - marked : 0, .pages = cycle.pages};
  char line[TRI_PACERTRACE_SIZE];
  tri_log_raw(line, tri_pacertrace_sweep(line, sizeof line, &t));
}

static void tell_barrier(void) {
  uint64_t last_stop = cycle.t_end - cycle.t_mark_done;
  if (cycle.tracked) tri_beside_end(&cycle.mark, cycle.assist.cpu_ns, cycle.is_beside ? last_stop : UINT64_MAX);
  if (!cycle.tracked && cycle.done) tri_beside_not(cycle.t_mark_done - cycle.t_mark);
}

/* A cycle beside the program counts objects that are freed before it ends, and spans that are born meanwhile as if they
 * were full. The sweep has counted exactly. */
static void correct_live(void) {
  uint64_t assumed = cycle.mark.marked_bytes, exact = tri_mcentral_swept_live_bytes();
  tri_fetch_add_rlx(&tri_state.heap_live, exact - assumed);
  uint64_t marked = exact + settings->ballast_bytes;
  publish_plan(marked, cycle.heap_end > marked ? cycle.heap_end - marked : 0);
}

/* If the last cycle is swept, tells whom it concerns, once. Inside the runtime. */
static void tell_swept(void) {
  if (!cycle.done || cycle.told_swept || !tri_mcentral_all_swept()) return;
  cycle.told_swept = true;
  if (cycle.is_beside) correct_live();
  tri_plan_renew(settings, 0);
  print_pacer_sweep();
  tri_scavenger_print(false);
  if (tri_monitor_runs()) {
    tri_monitor_kick();
  } else {
    tri_scavenger_release_now();
  }
  tri_stats_page_write();
}

static void begin_inside(enum tri_cycle_reason reason) {
  tri_stats_page_keep_own();
  sweep_all(); /* [CYCLE-2]: most of it before the stop */
  tell_swept();
  cycle = (struct cycle){.reason = reason};
  cycle.tracked = cycle.is_beside = tri_beside_begin(settings, malloc_replaced);
  begin_collection();
}

static void finish_inside(void) {
  if (cycle.is_beside) mark_beside();
  tell_barrier();
  if (!cycle.done) return;
  account();
  tell_plan();
  publish_stats();
  tri_stats_page_cycle_ended();
  print_pacer();
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
  uintptr_t sp; /* above it is all that the caller has */
  bool sweep_all_now;
  bool begun, finished;
};

TRI_NOINLINE static void begin_locked(struct run *r) {
  struct tri_thread *t = tri_self;
  mine = r->begun = true;
  runner_sp = r->sp;
  tri_worker_start_all();
  enter(t);
  begin_inside(r->reason);
}

TRI_NOINLINE static void finish(struct run *r) {
  finish_inside();
  if (r->sweep_all_now) {
    sweep_all();
    tell_swept();
  }
  leave(tri_self);
  tri_cycle_unlock();
  mine = false;
  r->finished = true;
}

/* Below its caller's frame. */
TRI_NOINLINE static uintptr_t stack_pointer(void) {
  return (uintptr_t)__builtin_frame_address(0);
}

/* The check after the last stop lists roots once more. Frames of a dl_iterate_phdr of the program's own are roots. */
static int run_in_loader_callback(struct dl_phdr_info *info, size_t size, void *run) {
  struct run *r = run;
  __builtin_unwind_init();
  r->sp = stack_pointer();
  if (!tri_lock_try(&cycle_lock)) return 1;
  begin_locked(r);
  if (settings->gccheckmark) finish(r);
  return 1;
}

/* Nobody waits for a cycle with the loader's lock held, and nobody is in the callback when a thread forks: the child
 * would never get that lock. */
static void begin_in_loader(struct run *r) {
  for (;;) {
    tri_lock_acquire(&loader_gate);
    dl_iterate_phdr(run_in_loader_callback, r);
    tri_lock_release(&loader_gate);
    if (r->begun) return;
    tri_cycle_lock();
    tri_cycle_unlock();
  }
}

/* The caller's registers are spilled to this frame. The words of the cycle's own frames, addresses of spans among them,
 * are no roots. */
void tri_cycle_run(enum tri_cycle_reason reason, bool sweep_all_now) {
  struct run r = {.reason = reason, .sp = stack_pointer(), .sweep_all_now = sweep_all_now};
  int saved_errno = errno;
  if (mine) return;
  __builtin_unwind_init();
  if (malloc_replaced) {
    tri_cycle_lock();
    begin_locked(&r);
  } else {
    begin_in_loader(&r);
  }
  if (!r.finished) finish(&r);
  errno = saved_errno;
}

void tri_cycle_sweep_rest(void) {
  struct tri_thread *t = tri_self;
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES;) { /* a fork may wait for the way out after each batch */
    enter(t);
    bool more = tri_mcentral_sweep_some(c, UINT_MAX) != 0;
    leave(t);
    if (!more) c++;
  }
  tri_cycle_lock();
  enter(t);
  tell_swept();
  leave(t);
  tri_cycle_unlock();
}

void tri_cycle_replan_locked(int64_t added) {
  struct tri_thread *t = tri_self;
  if (!settings || !settings->collect) return;
  enter(t);
  tri_plan_renew(settings, added);
  tri_stats_page_write();
  leave(t);
  tri_monitor_kick();
}

void tri_cycle_replan(void) {
  tri_cycle_lock();
  tri_cycle_replan_locked(0);
  tri_cycle_unlock();
  tri_collector_request_if_due();
}

void tri_cycle_refresh_stats_page(void) {
  struct tri_thread *t = tri_self;
  if (!tri_lock_try(&cycle_lock)) return;
  enter(t);
  tri_stats_page_write();
  leave(t);
  tri_cycle_unlock();
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

bool tri_cycle_lock_gate_within(uint64_t ns) {
  return tri_lock_acquire_within(&loader_gate, ns);
}

void tri_cycle_unlock_gate(void) {
  tri_lock_release(&loader_gate);
}

/* Waited for outside the runtime: the holder may be stopping the world. */
void tri_cycle_lock(void) {
  tri_lock_acquire(&cycle_lock);
}
bool tri_cycle_lock_within(uint64_t ns) {
  return tri_lock_acquire_within(&cycle_lock, ns);
}
void tri_cycle_unlock(void) {
  tri_lock_release(&cycle_lock);
}
