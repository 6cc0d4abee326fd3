/*
 * The pacer: from what the last cycle measured to when the next one starts.
 *
 *   goal = marked + (marked + stacks + globals) * GOGC / 100, at least 4 MiB * GOGC / 100
 *
 * Where free() is honoured, live bytes fall with it, and a program that frees what it uses grows only because it needs
 * more. A cycle that found next to nothing dead (under 1/16 of what it marked) says so, and the goal moves up by two
 * more times the marked bytes (scaled by GOGC below 100): at GOGC=100 the heap is looked at after it grew fourfold and
 * not twofold. As soon as a cycle finds garbage the plain formula is back. A difference from Go on purpose: there
 * everything that dies is garbage.
 *
 * A ballast counts as marked heap, so it moves the goal as a real one does in Go. With GOGC off, and where the goal
 * does not fit 64 bits, it is UINT64_MAX: never by heap size. Marking stops the world, so nothing is allocated between
 * trigger and end of marking, and the trigger is the goal itself.
 * [PACER-1] trigger <= heap_goal. [PACER-2] heap_goal >= heap_marked.
 * Pure, so that it can be simulated: no lock, no clock, no global.
 */
#include "pacer/pacer.h"

#define HEAP_MINIMUM ((uint64_t)4 << 20) /* at GOGC=100 */

static uint64_t add_saturated(uint64_t a, uint64_t b) {
  return a + b < a ? UINT64_MAX : a + b;
}

/* bytes * percent / 100, rounded down, without overflow in between. */
static uint64_t percent_of(uint64_t bytes, uint64_t percent) {
  uint64_t hundreds;
  if (__builtin_mul_overflow(bytes / 100, percent, &hundreds)) return UINT64_MAX;
  return add_saturated(hundreds, bytes % 100 * percent / 100);
}

static uint64_t goal_by_percent(const struct tri_pacer_input *in) {
  if (in->gc_percent < 0) return UINT64_MAX;
  uint64_t percent = (uint64_t)in->gc_percent;
  uint64_t scanned = add_saturated(in->heap_marked, add_saturated(in->stack_bytes, in->globals_bytes));
  uint64_t goal = add_saturated(in->heap_marked, percent_of(scanned, percent));
  uint64_t minimum = percent_of(HEAP_MINIMUM, percent);
  return goal < minimum ? minimum : goal;
}

static uint64_t trust_in_frees(const struct tri_pacer_input *in) {
  if (!in->frees_honoured || in->gc_percent < 0 || in->heap_reclaimed > in->heap_marked / 16) return 0;
  uint64_t percent = in->gc_percent < 100 ? (uint64_t)in->gc_percent : 100;
  return percent_of(in->heap_marked, 2 * percent);
}

struct tri_pacer_plan tri_pacer_plan(const struct tri_pacer_input *in) {
  uint64_t goal = add_saturated(goal_by_percent(in), trust_in_frees(in));
  return (struct tri_pacer_plan){.heap_goal = goal, .trigger = goal};
}
