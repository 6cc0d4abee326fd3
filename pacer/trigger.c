/*
 * When a concurrent cycle starts, so that it ends when the heap reaches its goal and workers alone can do it.
 * A leaf under cycle_pace.c.
 *
 *   cons/mark  (grown while marking) * (util + idle util) / (work * (1 - util)); the greatest of this and the last four
 *   runway     cons/mark * (1 - 0.25) / 0.25 * expected work
 *   trigger    goal - runway, between 45/64 and 61/64 of the way from marked to goal; the upper bound is goal - 4 MiB
 *              where that is more
 *
 * Go drops the sample of a cycle in which the heap did not grow. Where free() is honoured that is a measurement like
 * any other, and counts as 0: otherwise one burst would keep the trigger low for as long as the program stays still.
 * A sample that is no number (nothing scanned, all CPUs in assists) is left out or kept finite: Go's would stay the
 * greatest for five cycles.
 * [PACER-1] marked <= trigger <= goal, as long as marked <= goal. Pure: no lock, no clock, no global.
 */
#include "pacer/trigger.h"

#include "pacer/arith.h"
#include "pacer/goal.h"

#define GREATEST_UTILIZATION (1 - 1e-6)

static double share_of(int64_t cpu_ns, const struct tri_mark_measure *m) {
  if (m->duration_ns <= 0 || m->procs <= 0) return 0;
  return (double)cpu_ns / ((double)m->duration_ns * m->procs);
}

static double cons_mark_of(const struct tri_mark_measure *m) {
  double utilization = TRI_GC_UTILIZATION + share_of(m->assist_ns, m);
  if (utilization > GREATEST_UTILIZATION) utilization = GREATEST_UTILIZATION;
  double grown = (double)tri_sub_sat(m->heap_live, m->triggered);
  return grown * (utilization + share_of(m->idle_mark_ns, m)) / ((double)m->scan_work * (1 - utilization));
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

uint64_t tri_trigger(uint64_t heap_marked, uint64_t goal, uint64_t min_trigger, uint64_t runway) {
  if (goal == TRI_NO_LIMIT || heap_marked >= goal) return goal;
  uint64_t least = tri_max_u64(min_trigger, on_the_way(heap_marked, goal, TRI_TRIGGER_MIN_NUM));
  uint64_t most = tri_max_u64(on_the_way(heap_marked, goal, TRI_TRIGGER_MAX_NUM), tri_sub_sat(goal, TRI_HEAP_MINIMUM));
  most = tri_max_u64(most, least);
  uint64_t trigger = tri_min_u64(tri_max_u64(tri_sub_sat(goal, runway), least), most);
  return tri_min_u64(trigger, goal);
}
