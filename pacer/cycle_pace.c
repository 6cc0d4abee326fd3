/*
 * The pacing of cycles that mark while the program runs. Puts together goal.c, trigger.c and assist_ratio.c and keeps
 * what one cycle must know of the last:
 *
 *   init -> commit -> plan ... -> start -> revise ... -> end -> commit -> plan ...
 *
 * plan may be asked at any time: the goal by limit follows the memory figures of the moment. In the percent regime the
 * trigger leaves the sweeper 1 MiB, and a cycle that has begun has at least 64 KiB to its goal; under the memory limit
 * neither may move the goal up.
 * A cycle expects to scan what the last one did. Where frees are trusted (goal.c) the heap at its goal is live, all of
 * it, so that is what it expects to scan: else it would run over its goal by a third each time.
 * [PACER-1] trigger <= heap_goal. [PACER-2] heap_goal >= heap_marked.
 * The struct is the caller's, who serialises calls. Pure: no lock, no clock, no global.
 */
#include "pacer/cycle_pace.h"

#include "pacer/arith.h"
#include "pacer/sweep_pace.h"

#define NO_CYCLE UINT64_MAX

static uint64_t work_expected(const struct tri_pace *p) {
  return tri_add_sat(p->heap_work_expected, tri_add_sat(p->stack_work, p->globals_bytes));
}

static uint64_t heap_work_expected(const struct tri_pace *p, const struct tri_goal_input *in) {
  if (!tri_goal_trusts_frees(in) || p->heap_marked == 0) return p->heap_work;
  return tri_u64_of((double)p->heap_work / (double)p->heap_marked * (double)p->percent_goal);
}

void tri_pace_init(struct tri_pace *p, const struct tri_pace_settings *settings) {
  *p = (struct tri_pace){.settings = *settings, .triggered = NO_CYCLE};
  tri_pace_commit(p, 0, true);
}

void tri_pace_commit(struct tri_pace *p, uint64_t heap_live, bool sweep_done) {
  struct tri_goal_input in = {
      .heap_marked = p->heap_marked,
      .stack_bytes = p->stack_work,
      .globals_bytes = p->globals_bytes,
      .heap_minimum = p->settings.heap_minimum,
      .heap_reclaimed = p->heap_reclaimed,
      .gc_percent = p->settings.gc_percent,
      .frees_honoured = p->settings.frees_honoured,
  };
  p->percent_goal = tri_goal_percent(&in);
  p->min_trigger = tri_sweep_min_trigger(heap_live, sweep_done);
  p->heap_work_expected = heap_work_expected(p, &in);
  p->runway = tri_runway(p->cons_mark.estimate, work_expected(p));
}

struct tri_pacer_plan tri_pace_plan(const struct tri_pace *p, const struct tri_memory *memory) {
  uint64_t goal = tri_goal_limit(memory, p->heap_marked);
  uint64_t min_trigger = 0;
  if (goal >= p->percent_goal) {
    min_trigger = p->min_trigger;
    goal = tri_max_u64(p->percent_goal, min_trigger);
    if (p->triggered != NO_CYCLE) goal = tri_max_u64(goal, tri_add_sat(p->triggered, TRI_TRIGGERED_RUNWAY_MIN));
  }
  struct tri_trigger_input in = {.heap_marked = p->heap_marked,
                                 .goal = goal,
                                 .runway = p->runway,
                                 .min_trigger = min_trigger,
                                 .min_num = TRI_TRIGGER_MIN_NUM};
  return (struct tri_pacer_plan){.heap_goal = goal, .trigger = tri_trigger(&in)};
}

void tri_pace_start(struct tri_pace *p, uint64_t heap_live) {
  p->triggered = heap_live;
}

struct tri_assist_ratio tri_pace_revise(const struct tri_pace *p, const struct tri_memory *memory,
                                        const struct tri_pace_progress *progress) {
  struct tri_assist_input in = {
      .gc_percent = p->settings.gc_percent,
      .heap_goal = tri_pace_plan(p, memory).heap_goal,
      .triggered = p->triggered,
      .heap_live = progress->heap_live,
      .work_done = progress->heap_work + progress->stack_work + progress->globals_work,
      .work_expected = work_expected(p),
      .work_max = progress->heap_scan + progress->stack_max + p->globals_bytes,
  };
  return tri_assist_ratio(&in);
}

void tri_pace_end(struct tri_pace *p, const struct tri_memory *memory, const struct tri_pace_end *end) {
  struct tri_mark_measure measure = {
      .triggered = p->triggered,
      .heap_live = end->heap_live,
      .scan_work = end->heap_work + end->stack_work + end->globals_work,
      .duration_ns = end->duration_ns,
      .assist_ns = end->assist_ns,
      .idle_mark_ns = end->idle_mark_ns,
      .procs = end->procs,
      .frees_honoured = p->settings.frees_honoured,
  };
  tri_cons_mark_add(&p->cons_mark, &measure);
  p->last_heap_goal = tri_pace_plan(p, memory).heap_goal;
  p->heap_marked = end->heap_marked;
  p->heap_reclaimed = end->heap_reclaimed;
  p->heap_work = end->heap_work;
  p->stack_work = end->stack_work;
  p->triggered = NO_CYCLE;
}
