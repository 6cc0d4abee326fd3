/*
 * How far the heap may grow before a cycle should have ended. A leaf: tri_pacer_plan() and tri_pace_plan() ask it.
 *
 *   by percent  marked + (marked + stacks + globals) * GOGC / 100, at least 4 MiB * GOGC / 100
 *   by limit    limit - (what is not heap + what is mapped above the limit), less 3% or 1 MiB of it, at least marked
 *
 * Where free() is honoured, live bytes fall with it, and a program that frees what it uses grows only because it needs
 * more. A cycle that found next to nothing dead (under 1/16 of what it marked) says so, and the goal moves up by two
 * more times the marked bytes (scaled by GOGC below 100), at most 64 MiB: at GOGC=100 a heap of up to 32 MiB is looked
 * at after it grew fourfold and not twofold. As soon as a cycle finds garbage the plain formula is back. A difference
 * from Go on purpose: there everything that dies is garbage. The bound is for programs that build up what they need and
 * leak from then on: until the first cycle after that they look the same.
 *
 * A ballast counts as marked heap, so it moves the goal as a real one does in Go, and since it takes no memory it is
 * added to the goal by limit. With GOGC off, and where a goal does not fit 64 bits, it is UINT64_MAX: never.
 * [PACER-2] each goal >= heap_marked. Pure: no lock, no clock, no global.
 */
#include "pacer/goal.h"

#include "pacer/arith.h"

static uint64_t grown_by_percent(const struct tri_goal_input *in) {
  uint64_t percent = (uint64_t)in->gc_percent;
  uint64_t scanned = tri_add_sat(in->heap_marked, tri_add_sat(in->stack_bytes, in->globals_bytes));
  uint64_t goal = tri_add_sat(in->heap_marked, tri_percent_of(scanned, percent));
  return tri_max_u64(goal, tri_percent_of(in->heap_minimum, percent));
}

bool tri_goal_trusts_frees(const struct tri_goal_input *in) {
  return in->frees_honoured && in->gc_percent >= 0 && in->heap_reclaimed <= in->heap_marked / 16;
}

static uint64_t trust_in_frees(const struct tri_goal_input *in) {
  uint64_t percent = in->gc_percent < 100 ? (uint64_t)in->gc_percent : 100;
  return tri_min_u64(tri_percent_of(in->heap_marked, 2 * percent), TRI_TRUST_MAX);
}

static uint64_t by_percent(const struct tri_goal_input *in, bool trusted) {
  if (in->gc_percent < 0) return TRI_NO_LIMIT;
  return tri_add_sat(grown_by_percent(in), trusted ? trust_in_frees(in) : 0);
}

uint64_t tri_goal_percent(const struct tri_goal_input *in) {
  return by_percent(in, tri_goal_trusts_frees(in));
}

uint64_t tri_goal_after_frees(const struct tri_goal_input *in, uint64_t heap_live) {
  struct tri_goal_input now = *in;
  now.heap_marked = tri_min_u64(in->heap_marked, heap_live);
  /* The verdict of the last cycle stands, though there is less marked now. */
  return by_percent(&now, tri_goal_trusts_frees(in));
}

uint64_t tri_goal_limit(const struct tri_memory *memory, uint64_t heap_marked) {
  if (memory->limit == TRI_NO_LIMIT) return TRI_NO_LIMIT;
  /* The counters are read one after the other, so the parts may exceed the whole for a moment. */
  uint64_t not_heap = tri_sub_sat(memory->mapped_ready, tri_add_sat(memory->heap_free, memory->heap_alloc));
  uint64_t overage = tri_sub_sat(memory->mapped_ready, memory->limit);
  uint64_t taken = tri_add_sat(not_heap, overage);
  if (taken >= memory->limit) return heap_marked;
  uint64_t goal = memory->limit - taken;
  uint64_t headroom = tri_max_u64(goal / 100 * TRI_LIMIT_HEADROOM_PERCENT, TRI_LIMIT_HEADROOM_MIN);
  goal = tri_max_u64(tri_sub_sat(goal, headroom), headroom);
  return tri_max_u64(tri_add_sat(goal, memory->ballast), heap_marked);
}
