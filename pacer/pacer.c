/*
 * The plan of a cycle that marks in a stopped world: from what the last cycle measured to when the next one starts.
 * Nothing is allocated between trigger and end of marking, so the trigger is the goal itself (goal.c has the formula).
 * Cycles that mark while the program runs are planned by cycle_pace.c.
 * [PACER-1] trigger <= heap_goal. [PACER-2] heap_goal >= heap_marked.
 * Pure, so that it can be simulated: no lock, no clock, no global.
 */
#include "pacer/pacer.h"

#include "pacer/goal.h"

struct tri_pacer_plan tri_pacer_plan(const struct tri_pacer_input *in) {
  struct tri_goal_input goal_input = {
      .heap_marked = in->heap_marked,
      .stack_bytes = in->stack_bytes,
      .globals_bytes = in->globals_bytes,
      .heap_minimum = TRI_HEAP_MINIMUM,
      .heap_reclaimed = in->heap_reclaimed,
      .gc_percent = in->gc_percent,
      .frees_honoured = in->frees_honoured,
  };
  uint64_t goal = tri_goal_percent(&goal_input);
  return (struct tri_pacer_plan){.heap_goal = goal, .trigger = goal};
}
