/* Proportional sweeping. */
#include <criterion/criterion.h>

#include "pacer/sweep_pace.h"

#define MIB ((uint64_t)1 << 20)

static struct tri_sweep_input input(void) {
  return (struct tri_sweep_input){.heap_live = 10 * MIB, .trigger = 21 * MIB, .pages_in_use = 2560, .pages_swept = 0};
}

Test(sweep_pace, constants_are_gos) {
  cr_expect_eq(TRI_SWEEP_MARGIN, 1048576);
}

Test(sweep_pace, all_is_swept_a_mebibyte_before_the_trigger) {
  struct tri_sweep_input in = input();
  struct tri_sweep_pace p = tri_sweep_pace(&in);
  cr_expect_float_eq(p.pages_per_byte, 2560 / (10.0 * MIB), 1e-15);
  cr_expect_eq(tri_sweep_debt(&p, 10 * MIB, 0, 0, 0), 0);
  cr_expect_eq(tri_sweep_debt(&p, 15 * MIB, 0, 0, 0), 1280);
  cr_expect_eq(tri_sweep_debt(&p, 19 * MIB, MIB, 0, 0), 2560);
  cr_expect_eq(tri_sweep_debt(&p, 19 * MIB, MIB, 2500, 20), 40);
  cr_expect_eq(tri_sweep_debt(&p, 19 * MIB, MIB, 2500, 90), 0);
}

Test(sweep_pace, counts_from_where_it_was_planned) {
  struct tri_sweep_input in = input();
  in.pages_swept = 560;
  struct tri_sweep_pace p = tri_sweep_pace(&in);
  cr_expect_eq(tri_sweep_debt(&p, 15 * MIB, 0, 560, 0), 1000);
  cr_expect_eq(tri_sweep_debt(&p, 15 * MIB, 0, 1060, 0), 500);
}

Test(sweep_pace, a_heap_that_frees_shrink_owes_nothing) {
  struct tri_sweep_input in = input();
  struct tri_sweep_pace p = tri_sweep_pace(&in);
  cr_expect_eq(tri_sweep_debt(&p, 5 * MIB, MIB, 0, 0), 0);
}

Test(sweep_pace, no_distance_is_one_page) {
  struct tri_sweep_input in = input();
  in.trigger = in.heap_live;
  struct tri_sweep_pace p = tri_sweep_pace(&in);
  cr_expect_float_eq(p.pages_per_byte, 2560.0 / TRI_PAGE_SIZE, 1e-12);
  in.trigger = UINT64_MAX; /* no goal: no hurry */
  p = tri_sweep_pace(&in);
  cr_expect_lt(p.pages_per_byte, 1e-12);
}

Test(sweep_pace, done) {
  struct tri_sweep_input in = input();
  in.sweep_done = true;
  struct tri_sweep_pace p = tri_sweep_pace(&in);
  cr_expect_eq(tri_sweep_debt(&p, 20 * MIB, MIB, 0, 0), 0);
  in.sweep_done = false;
  in.pages_swept = in.pages_in_use + 5;
  p = tri_sweep_pace(&in);
  cr_expect_eq(p.pages_per_byte, 0);
  cr_expect_eq(tri_sweep_min_trigger(7, true), 0);
  cr_expect_eq(tri_sweep_min_trigger(7, false), 7 + MIB);
}
