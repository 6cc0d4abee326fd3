/* What one cycle leaves to the next, and which rule moves the goal when. */
#include <criterion/criterion.h>

#include "pacer/cycle_pace.h"

#define MIB ((uint64_t)1 << 20)
#define KIB ((uint64_t)1 << 10)

static const struct tri_memory unlimited = {.limit = TRI_NO_LIMIT};

static struct tri_pace after_a_cycle(int percent, uint64_t marked) {
  struct tri_pace_settings settings = {.gc_percent = percent, .heap_minimum = TRI_HEAP_MINIMUM};
  struct tri_pace p;
  tri_pace_init(&p, &settings);
  tri_pace_start(&p, 4 * MIB);
  struct tri_pace_end end = {.heap_live = 5 * MIB,
                             .heap_marked = marked,
                             .heap_work = marked,
                             .stack_work = 8 * KIB,
                             .duration_ns = 1000,
                             .procs = 4};
  tri_pace_end(&p, &unlimited, &end);
  tri_pace_commit(&p, marked, true);
  return p;
}

Test(cycle_pace, first_cycle_is_at_the_minimum) {
  struct tri_pace_settings settings = {.gc_percent = 100, .heap_minimum = TRI_HEAP_MINIMUM};
  struct tri_pace p;
  tri_pace_init(&p, &settings);
  struct tri_pacer_plan plan = tri_pace_plan(&p, &unlimited);
  cr_expect_eq(plan.heap_goal, 4 * MIB);
  cr_expect_eq(plan.trigger, 4 * MIB / 64 * 61);
}

Test(cycle_pace, same_goal_as_the_stopped_world) {
  struct tri_pace p = after_a_cycle(100, 100 * MIB);
  struct tri_pacer_input in = {.heap_marked = 100 * MIB, .stack_bytes = 8 * KIB, .gc_percent = 100};
  cr_expect_eq(tri_pace_plan(&p, &unlimited).heap_goal, tri_pacer_plan(&in).heap_goal);
}

Test(cycle_pace, sweeping_moves_trigger_and_goal) {
  struct tri_pace p = after_a_cycle(5, 10 * MIB);
  cr_expect_lt(tri_pace_plan(&p, &unlimited).heap_goal, 11 * MIB);
  tri_pace_commit(&p, 10 * MIB, false);
  struct tri_pacer_plan plan = tri_pace_plan(&p, &unlimited);
  cr_expect_eq(plan.heap_goal, 11 * MIB);
  cr_expect_eq(plan.trigger, 11 * MIB);
}

Test(cycle_pace, a_cycle_begun_late_has_64_kib) {
  cr_expect_eq(TRI_TRIGGERED_RUNWAY_MIN, 65536);
  struct tri_pace p = after_a_cycle(100, 10 * MIB);
  tri_pace_start(&p, 50 * MIB);
  cr_expect_eq(tri_pace_plan(&p, &unlimited).heap_goal, 50 * MIB + 64 * KIB);
}

Test(cycle_pace, limit_is_not_moved_by_either) {
  struct tri_pace p = after_a_cycle(100, 10 * MIB);
  struct tri_memory memory = {.limit = 15 * MIB};
  tri_pace_commit(&p, 13 * MIB + 900 * KIB, false);
  tri_pace_start(&p, 14 * MIB);
  struct tri_pacer_plan plan = tri_pace_plan(&p, &memory);
  cr_expect_eq(plan.heap_goal, 14 * MIB);
  cr_expect_lt(plan.trigger, 14 * MIB);
}

Test(cycle_pace, limit_counts_with_percent_off) {
  struct tri_pace p = after_a_cycle(-1, 10 * MIB);
  struct tri_memory memory = {.limit = 100 * MIB};
  cr_expect_eq(tri_pace_plan(&p, &unlimited).trigger, UINT64_MAX);
  cr_expect_eq(tri_pace_plan(&p, &memory).heap_goal, 100 * MIB - 100 * MIB / 100 * 3);
}

Test(cycle_pace, settings_count_from_the_next_commit) {
  struct tri_pace p = after_a_cycle(100, 100 * MIB);
  p.settings.gc_percent = 200;
  tri_pace_commit(&p, 100 * MIB, true);
  cr_expect_eq(tri_pace_plan(&p, &unlimited).heap_goal, 300 * MIB + 16 * KIB);
}

Test(cycle_pace, revise_knows_what_the_last_cycle_scanned) {
  struct tri_pace p = after_a_cycle(100, 100 * MIB);
  p.globals_bytes = 4 * MIB;
  tri_pace_start(&p, 180 * MIB);
  struct tri_pace_progress at = {.heap_live = 190 * MIB, .heap_scan = 190 * MIB, .heap_work = 50 * MIB};
  double left = (double)(54 * MIB + 8 * KIB);
  double ratio = tri_pace_revise(&p, &unlimited, &at).work_per_byte;
  cr_expect_float_eq(ratio, left / (double)(10 * MIB + 8 * KIB), 1e-9);
}

Test(cycle_pace, trusted_frees_mean_that_all_is_live_at_the_goal) {
  struct tri_pace p = after_a_cycle(100, 100 * MIB);
  cr_expect_eq(p.heap_work_expected, 100 * MIB);
  p.settings.frees_honoured = true;
  tri_pace_commit(&p, 100 * MIB, true);
  cr_expect_eq(p.heap_work_expected, p.percent_goal);
  p.heap_reclaimed = 7 * MIB;
  tri_pace_commit(&p, 100 * MIB, true);
  cr_expect_eq(p.heap_work_expected, 100 * MIB);
}

Test(cycle_pace, last_goal_is_kept) {
  struct tri_pace p = after_a_cycle(100, 10 * MIB);
  cr_expect_eq(p.last_heap_goal, 4 * MIB + 64 * KIB);
  cr_expect_eq(p.triggered, UINT64_MAX);
}
