/*
 * The scavenger: free runs of pages go back to the system, at one percent of the CPUs, so that memory which the program
 * no longer needs is there for others seconds later. Run by the monitor thread (gc/monitor.c); how much is to stay
 * comes from pacer/scavenge_pace.c, giving back is alloc/mheap.c's.
 *
 *   sweep ended, or live bytes fell below the watermark
 *     -> spans in no cache that the program has emptied die -> goals, from what is in use now
 *     -> a millisecond of giving back -> sleep as the rhythm says -> goals -> ... -> goal reached: watermark, sleep
 *
 * The goal moves with frees: with GOGC=100 a program that has freed nine tenths of its data is allowed twice the rest,
 * long before a collection finds out (Go waits for the next one, two minutes at worst).
 *
 * Runs shorter than 64 KiB stay, and those in chunks that are nearly full. What is given back on the spot, when the
 * heap grows or reaches the memory limit, mheap does by itself; here it is told how much.
 *
 * Looking for empty spans has a share of its own, a hundredth of one CPU: else the rhythm would make up for it by a
 * long sleep. State is the monitor's, but for words that others read. Locks: those of the centrals and the heap, below.
 * A step is inside the runtime for some hundred microseconds at a time, since a stop waits for that, and does nothing
 * while a cycle marks.
 */
#include "gc/scavenger.h"

#include "alloc/mcentral.h"
#include "alloc/mheap.h"
#include "alloc/os.h"
#include "gc/cycle.h"
#include "gc/limit.h"
#include "gc/memory.h"
#include "gc/plan.h"
#include "gc/procs.h"
#include "gc/stop.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/state.h"
#include "pacer/arith.h"
#include "pacer/goal.h"
#include "pacer/scavenge_pace.h"

enum {
  STEP_BYTES = 1 << 20,
  MAX_LOOKS = 1 << 17,
  LOOK_AGAIN_NS = 100 * 1000 * 1000,
  SPARSE_DIVISOR = 8,
  WATERMARK_DIVISOR = 16
};
#define WATERMARK_MIN ((uint64_t)1 << 20)
#define SPARSE_MIN ((uint64_t)4 << 20)
/* Looking through all spans takes a hundredth of the time at most. */
#define WALK_SHARE 100

static const struct tri_config *settings;
/* The monitor's. */
static struct tri_scavenge_rhythm rhythm;
static uint64_t worked_ns;        /* of the last step; 0: it did nothing */
static uint64_t episode_bytes;    /* given back since the goal was last reached */
static uint64_t next_walk_ns;     /* spans are not looked through before */
static tri_aint controller_reset; /* since the last line */
static tri_aword watermark, cpu_ns, background_bytes;
static tri_aword told_background, told_eager; /* of the last scavtrace line */

void tri_scavenger_init(const struct tri_config *config) {
  settings = config;
  tri_scavenge_rhythm_init(&rhythm, (int)tri_procs());
  if (config->madvdontneed == 0) tri_mheap_release_lazily();
}

static void enter(void) {
  bool entered = tri_runtime_enter(tri_self);
  tri_check(entered);
}

static void leave(void) {
  tri_runtime_leave(tri_self);
}

static void bury_empty_spans(void) {
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) {
    struct tri_mspan *first = NULL;
    bool more = true;
    for (unsigned i = 0; more && i < MAX_LOOKS; i++) {
      enter();
      more = tri_mcentral_bury_some(c, &first);
      leave();
    }
  }
}

/* Half of the job: where most memory in spans is in no object, spans that are empty and in no cache die. Returns how
 * long to wait before it is time for that; 0: it is done, or there is nothing to do. */
static uint64_t look_for_empty_spans(void) {
  struct tri_memory_use use;
  uint64_t start = tri_now_ns();
  enter();
  tri_memory_read(&use, settings->ballast_bytes);
  leave();
  if (use.unused < SPARSE_MIN || use.unused < (use.objects + use.unused) / SPARSE_DIVISOR) return 0;
  if (start < next_walk_ns) return next_walk_ns - start;
  uint64_t cpu_start = tri_thread_cpu_ns();
  bury_empty_spans();
  next_walk_ns = tri_now_ns() + (tri_thread_cpu_ns() - cpu_start) * WALK_SHARE;
  return 0;
}

static uint64_t live_bytes(void) {
  int64_t live = (int64_t)tri_load_rlx(&tri_state.heap_live);
  return live < 0 ? 0 : (uint64_t)live;
}

/* Bytes of heap that may stay resident beside so much of the runtime's own; UINT64_MAX: all. */
static uint64_t retain_goal(const struct tri_memory_use *use, uint64_t overhead) {
  struct tri_goal_input by_percent;
  struct tri_cycle_stats cycles;
  tri_plan_read(&by_percent);
  tri_cycle_read_stats(&cycles);
  uint64_t live = live_bytes(), ballast = settings->ballast_bytes, goal = tri_load_rlx(&tri_state.goal);
  if (by_percent.frees_honoured) goal = tri_min_u64(goal, tri_goal_after_frees(&by_percent, live));
  struct tri_scavenge_input in = {.cycles = cycles.num_gc,
                                  .heap_goal = goal,
                                  .heap_live = tri_sub_sat(live, ballast),
                                  .ballast = ballast,
                                  .heap_in_use = use->objects + use->unused,
                                  .heap_retained = use->objects + use->unused + use->free,
                                  .overhead = overhead,
                                  .page_size = tri_os_page_size(),
                                  .mapped_ready = use->mapped,
                                  .memory_limit = tri_limit_bytes()};
  struct tri_scavenge_goals goals = tri_scavenge_goals(&in);
  if (goals.by_limit == TRI_SCAVENGE_NONE) return goals.by_percent;
  return tri_min_u64(goals.by_percent, tri_sub_sat(in.heap_retained, use->mapped - goals.by_limit));
}

static uint64_t retain_goal_now(void) {
  struct tri_memory_use use;
  tri_memory_read(&use, settings->ballast_bytes);
  tri_mheap_set_retained_on_growth(retain_goal(&use, 0)); /* whoever grows into it needs it */
  return retain_goal(&use, use.meta);
}

static size_t release_some(void) {
  enter();
  uint64_t goal = retain_goal_now();
  size_t released = goal == UINT64_MAX ? 0 : tri_mheap_release_some(TRI_SCAVENGE_QUANTUM, goal, STEP_BYTES);
  leave();
  return released;
}

/* For about a millisecond of CPU time. False: the goal is reached, or no more can be given back. */
static bool work(uint64_t cpu_start) {
  while (tri_thread_cpu_ns() - cpu_start < (uint64_t)TRI_SCAVENGE_WORK_MIN_NS) {
    size_t released = release_some();
    episode_bytes += released;
    tri_fetch_add_rlx(&background_bytes, released);
    if (released == 0) return false;
  }
  return true;
}

static void end_episode(void) {
  uint64_t live = live_bytes(), drop = tri_max_u64(live / WATERMARK_DIVISOR, WATERMARK_MIN);
  tri_store_rel(&watermark, tri_sub_sat(live, drop));
  if (episode_bytes) tri_scavenger_print_classic(episode_bytes);
  episode_bytes = 0;
}

static bool is_busy(void) {
  return tri_int_load_acq(&tri_state.phase) != TRI_PHASE_OFF || !tri_mcentral_all_swept();
}

static uint64_t step(void) {
  worked_ns = 0;
  if (is_busy()) return LOOK_AGAIN_NS;
  uint64_t walk_in = look_for_empty_spans(), start = tri_thread_cpu_ns();
  bool more = work(start);
  if (more) {
    worked_ns = tri_thread_cpu_ns() - start;
    return (uint64_t)tri_scavenge_sleep_ns(&rhythm, (int64_t)worked_ns);
  }
  if (walk_in) return walk_in;
  end_episode();
  return UINT64_MAX;
}

uint64_t tri_scavenger_step(void) {
  uint64_t start = tri_thread_cpu_ns(), sleep = step();
  tri_fetch_add_rlx(&cpu_ns, tri_thread_cpu_ns() - start);
  return sleep;
}

void tri_scavenger_slept(uint64_t ns) {
  if (worked_ns == 0) return;
  tri_scavenge_slept(&rhythm, (int64_t)worked_ns, (int64_t)ns, (int)tri_procs());
  worked_ns = 0; /* counted, also if the sleep was cut short */
  if (rhythm.cooldown_ns == TRI_SCAVENGE_COOLDOWN_NS) tri_int_store_rlx(&controller_reset, 1);
}

uint64_t tri_scavenger_watermark(void) {
  return tri_load_rlx(&watermark);
}

void tri_scavenger_release_now(void) {
  uint64_t goal = retain_goal_now();
  if (goal == UINT64_MAX) return;
  uint64_t released = tri_mheap_release_free(TRI_SCAVENGE_QUANTUM, goal);
  tri_fetch_add_rlx(&background_bytes, released);
  if (released) tri_scavenger_print_classic(released);
}

uint64_t tri_scavenger_release_all(void) {
  uint64_t released = 0, piece;
  bury_empty_spans();
  do {
    enter();
    piece = tri_mheap_release_some(TRI_PAGE_SIZE, 0, STEP_BYTES);
    leave();
    released += piece;
  } while (piece);
  enter();
  released += tri_mheap_release_free(TRI_PAGE_SIZE, 0); /* in nearly full chunks */
  tri_mheap_await_release();                            /* the monitor's last piece */
  leave();
  return released;
}

uint64_t tri_scavenger_cpu_ns(void) {
  return tri_load_rlx(&cpu_ns);
}

uint64_t tri_scavenger_background_bytes(void) {
  return tri_load_rlx(&background_bytes);
}

static unsigned long long since(tri_aword *told, uint64_t now) {
  return (unsigned long long)(now - tri_exchange_acq_rel(told, now)) >> 10;
}

void tri_scavenger_print(bool forced) {
  if (settings->scavtrace <= 0) return;
  struct tri_memory_use use;
  tri_memory_read(&use, settings->ballast_bytes);
  uint64_t in_use = use.objects + use.unused, retained = in_use + use.free;
  bool was_reset = tri_int_exchange_acq_rel(&controller_reset, 0) != 0;
  char line[160];
  size_t n = tri_format(
      line, sizeof line, "scav %llu KiB work (bg), %llu KiB work (eager), %llu KiB now, %llu%% util%s\n",
      since(&told_background, tri_load_rlx(&background_bytes)), since(&told_eager, tri_mheap_eager_bytes()),
      (unsigned long long)(use.released >> 10), (unsigned long long)(retained ? in_use * 100 / retained : 100),
      forced      ? " (forced)"
      : was_reset ? " [controller reset]"
                  : "");
  tri_log_raw(line, n);
}

void tri_scavenger_print_classic(uint64_t released_bytes) {
  if (settings->gctrace <= 0) return;
  struct tri_memory_use u;
  tri_memory_read(&u, settings->ballast_bytes);
  unsigned long long inuse = u.objects + u.unused, idle = u.free + u.released, released = u.released;
  char text[200];
  size_t n = tri_format(text, sizeof text, "scvg: %llu KB released\n", (unsigned long long)released_bytes >> 10);
  tri_log_raw(text, n);
  n = tri_format(text, sizeof text, "scvg: inuse: %llu, idle: %llu, sys: %llu, released: %llu, consumed: %llu (MB)\n",
                 inuse >> 20, idle >> 20, (inuse + idle) >> 20, released >> 20, (inuse + idle - released) >> 20);
  tri_log_raw(text, n);
}
