/* The assist ratio with its two rules for the unexpected, and balances. */
#include <criterion/criterion.h>
#include <math.h>

#include "pacer/assist_ratio.h"

static struct tri_assist_input input(void) {
  return (struct tri_assist_input){.gc_percent = 100,
                                   .heap_goal = 200000,
                                   .triggered = 150000,
                                   .heap_live = 160000,
                                   .work_done = 20000,
                                   .work_expected = 100000,
                                   .work_max = 150000};
}

static double ratio_of(const struct tri_assist_input *in) {
  struct tri_assist_ratio r = tri_assist_ratio(in);
  cr_expect_float_eq(r.work_per_byte * r.bytes_per_work, 1, 1e-9);
  return r.work_per_byte;
}

Test(assist_ratio, constants_are_gos) {
  cr_expect_eq(TRI_ASSIST_WORK_MIN, 65536);
  cr_expect_eq(TRI_ASSIST_OFF_PERCENT, 100000);
  cr_expect_eq(TRI_ASSIST_OVERSHOOT, 1.1);
  cr_expect_eq(TRI_ASSIST_REMAINING_MIN, 1000);
}

Test(assist_ratio, remaining_work_over_remaining_bytes) {
  struct tri_assist_input in = input();
  cr_expect_float_eq(ratio_of(&in), 80000 / 40000.0, 1e-12);
  in.work_done = 99500; /* at least 1000 is assumed to remain */
  cr_expect_float_eq(ratio_of(&in), 1000 / 40000.0, 1e-12);
  in.work_done = 100000;
  cr_expect_float_eq(ratio_of(&in), 1000 / 40000.0, 1e-12);
  in.heap_live = in.heap_goal; /* at least one byte */
  cr_expect_float_eq(ratio_of(&in), 1000, 1e-9);
}

Test(assist_ratio, more_work_than_expected_moves_the_goal_out) {
  struct tri_assist_input in = input();
  in.work_done = 110000;
  /* goal: 150000 + 50000 / 100000 * 150000 = 225000 */
  cr_expect_float_eq(ratio_of(&in), 40000 / 65000.0, 1e-12);
}

Test(assist_ratio, but_not_beyond_the_next_goal) {
  struct tri_assist_input in = input();
  in.work_done = 110000;
  in.work_max = 10000000;
  cr_expect_float_eq(ratio_of(&in), (10000000 - 110000) / (400000.0 - 160000), 1e-9);
  in.gc_percent = 0;
  cr_expect_float_eq(ratio_of(&in), (10000000 - 110000) / (200000.0 - 160000), 1e-9);
  in.gc_percent = -1; /* as 100000: the hard goal is out of the way */
  cr_expect_float_eq(ratio_of(&in), (10000000 - 110000) / (150000 + 5000000.0 - 160000), 1e-9);
}

Test(assist_ratio, over_the_goal_a_tenth_is_left) {
  struct tri_assist_input in = input();
  in.heap_live = 210000;
  cr_expect_float_eq(ratio_of(&in), (150000 - 20000) / (220000.0 - 210000), 1e-9);
  in.heap_live = 230000; /* beyond that too */
  cr_expect_float_eq(ratio_of(&in), 130000, 1e-6);
}

Test(assist_ratio, always_positive_and_finite) {
  static const uint64_t values[] = {0, 1, 1000, 1 << 20, UINT64_MAX / 2, UINT64_MAX};
  enum { N = TRI_ARRAY_LEN(values) };
  for (int i = 0; i < N * N * N * N * N * N; i++) {
    int k[6];
    for (int j = 0, rest = i; j < 6; j++, rest /= N) k[j] = rest % N;
    struct tri_assist_input in = {k[0] % 2 ? -1 : 100, values[k[0]], values[k[1]], values[k[2]],
                                  values[k[3]],        values[k[4]], values[k[5]]};
    struct tri_assist_ratio r = tri_assist_ratio(&in);
    cr_assert(isfinite(r.work_per_byte) && r.work_per_byte > 0, "%d: %g", i, r.work_per_byte);
    cr_assert(isfinite(r.bytes_per_work) && r.bytes_per_work > 0, "%d: %g", i, r.bytes_per_work);
  }
}

Test(assist_ratio, no_goal_means_next_to_no_assist) {
  struct tri_assist_input in = input();
  in.gc_percent = -1;
  in.heap_goal = UINT64_MAX;
  cr_expect_lt(ratio_of(&in), 1e-12);
}

Test(assist_ratio, need_is_at_least_64_kib) {
  struct tri_assist_ratio r = {2, 0.5};
  struct tri_assist_need n = tri_assist_need(&r, -100000);
  cr_expect_eq(n.work, 200000);
  cr_expect_eq(n.bytes, 100000);
  n = tri_assist_need(&r, -1);
  cr_expect_eq(n.work, 65536);
  cr_expect_eq(n.bytes, 32768);
  n = tri_assist_need(&r, 0);
  cr_expect_eq(n.work, 0);
  n = tri_assist_need(&r, INT64_MIN);
  cr_expect_eq(n.work, INT64_MAX);
  cr_expect_eq(tri_assist_worth(&r, 1000), 501);
}

Test(assist_ratio, net_growth_is_charged_and_surplus_bounded) {
  cr_expect_eq(tri_assist_charge(0, 5000, 0), -5000);
  cr_expect_eq(tri_assist_charge(-5000, 1000, 4000), -2000);
  cr_expect_eq(tri_assist_charge(0, 0, (uint64_t)1 << 40), TRI_ASSIST_SURPLUS_MAX);
  cr_expect_eq(tri_assist_charge(1000000, 0, 5), 1000000, "what was scanned for is not lost");
  cr_expect_eq(tri_assist_charge(0, UINT64_MAX, 0), INT64_MIN);
}

Test(assist_ratio, stealing_stops_where_the_credit_does) {
  int64_t credit = 100;
  cr_expect_eq(tri_assist_steal(&credit, 70), 70);
  cr_expect_eq(tri_assist_steal(&credit, 70), 30);
  cr_expect_eq(tri_assist_steal(&credit, 70), 0);
  cr_expect_eq(credit, 0);
}

Test(assist_ratio, worker_pays_debts) {
  int64_t debts[3] = {-100, -50, -80};
  int64_t bytes = 170;
  cr_expect(tri_assist_pay(&debts[0], &bytes));
  cr_expect(tri_assist_pay(&debts[1], &bytes));
  cr_expect_not(tri_assist_pay(&debts[2], &bytes));
  cr_expect_eq(bytes, 0);
  cr_expect_eq(debts[0], 0);
  cr_expect_eq(debts[1], 0);
  cr_expect_eq(debts[2], -60);
}
