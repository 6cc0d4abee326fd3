/*
 * When a concurrent cycle starts, so that it ends when the heap reaches its goal and workers alone can do it.
 * A leaf under cycle_pace.c.
 *
 *   cons/mark  (grown while marking) * (util + idle util) / (work * (1 - util - held up)); the greatest of this and the
 *              last four
 *   runway     cons/mark * (1 - 0.25) / 0.25 * expected work
 *   trigger    goal - runway, between 45/64 and 61/64 of the way from marked to goal; the upper bound is goal - 4 MiB
 *              where that is more; with the page barrier from 32/64 on, and by a memory limit up to 48/64
 *
 * Go drops the sample of a cycle in which the heap did not grow. Where free() is honoured that is a measurement like
 * any other, and counts as 0: otherwise one burst would keep the trigger low for as long as the program stays still.
 * Where threads wait as well as assist (the page barrier), what they would have allocated meanwhile counts, or the
 * runway would stay what it was too short for. That barrier also makes marking more, in a program that writes
 * everywhere: with Go's lower bound too little would be left to grow by meanwhile, at a low GOGC. Beyond a limit's goal
 * it does not mark on beside the program: cycles that are through early make the next begin late, and that one would
 * end in a long stop.
 * A sample that is no number (nothing scanned, all CPUs in assists) is left out or kept finite: Go's would stay the
 * greatest for five cycles.
 * [PACER-1] marked <= trigger <= goal, as long as marked <= goal. Pure: no lock, no clock, no global.
 */
#include "pacer/trigger.h"

#include "pacer/arith.h"
#include "pacer/goal.h"

#define GREATEST_UTILIZATION (1 - 1e-6)
#define MOST_HELD_UP 0.9 /* of the program's time: more threads may wait than there are CPUs */

static double share_of(int64_t cpu_ns, const struct tri_mark_measure *m) {
  if (m->duration_ns <= 0 || m->procs <= 0) return 0;
  return (double)cpu_ns / ((double)m->duration_ns * m->procs);
}

static double share_not_held_up(const struct tri_mark_measure *m, double utilization) {
  double held_up = share_of(m->held_up_ns, m) / (1 - utilization);
  return 1 - (held_up < MOST_HELD_UP ? held_up : MOST_HELD_UP);
}

static double cons_mark_of(const struct tri_mark_measure *m) {
  double utilization = TRI_GC_UTILIZATION + share_of(m->assist_ns, m);
  if (utilization > GREATEST_UTILIZATION) utilization = GREATEST_UTILIZATION;
  double grown = (double)tri_sub_sat(m->heap_live, m->triggered);
  double mark_share = utilization + share_of(m->idle_mark_ns, m);
  return grown * mark_share / ((double)m->scan_work * (1 - utilization) * share_not_held_up(m, utilization));
}

void tri_cons_mark_add(struct tri_cons_mark *estimate, const struct tri_mark_measure *m) {
  if (m->scan_work == 0) return;
  if (m->heap_live <= m->triggered && !m->frees_honoured) return;
  double current = cons_mark_of(m);
  estimate->estimate = current;
  for (int i = 0; i < TRI_CONS_MARK_HISTORY; i++)
    if (estimate->last[i] > estimate->estimate) estimate->estimate = estimate->last[i];
  for (int i = 1; i < TRI_CONS_MARK_HISTORY; i++) estimate->last[i - 1] = estimate->last[i];
  estimate->last[TRI_CONS_MARK_HISTORY - 1] = current;
}

uint64_t tri_runway(double cons_mark, uint64_t expected_work) {
  return tri_u64_of(cons_mark * (1 - TRI_GC_UTILIZATION) / TRI_GC_UTILIZATION * (double)expected_work);
}

static uint64_t on_the_way(uint64_t heap_marked, uint64_t goal, uint64_t num) {
  return (goal - heap_marked) / TRI_TRIGGER_DEN * num + heap_marked;
}

static uint64_t latest(const struct tri_trigger_input *in) {
  if (in->max_num) return on_the_way(in->heap_marked, in->goal, in->max_num);
  uint64_t most = on_the_way(in->heap_marked, in->goal, TRI_TRIGGER_MAX_NUM);
  return tri_max_u64(most, tri_sub_sat(in->goal, TRI_HEAP_MINIMUM));
}

uint64_t tri_trigger(const struct tri_trigger_input *in) {
  uint64_t marked = in->heap_marked, goal = in->goal;
  if (goal == TRI_NO_LIMIT || marked >= goal) return goal;
  uint64_t least = tri_max_u64(in->min_trigger, on_the_way(marked, goal, in->min_num));
  uint64_t most = tri_max_u64(latest(in), least);
  uint64_t trigger = tri_min_u64(tri_max_u64(tri_sub_sat(goal, in->runway), least), most);
  return tri_min_u64(trigger, goal);
}
