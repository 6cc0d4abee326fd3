/* Workers for each number of CPUs. */
#include <criterion/criterion.h>

#include "pacer/workers.h"

static const struct {
  int procs;
  int dedicated;
  double share;
} by_procs[] = {
    {1, 0, 0.25}, {2, 0, 0.25}, {3, 0, 0.25}, {4, 1, 0},  {5, 1, 0},  {6, 1, 0.5 / 6},
    {7, 2, 0},    {8, 2, 0},    {9, 2, 0},    {10, 3, 0}, {16, 4, 0}, {128, 32, 0},
};

Test(workers, a_quarter_of_the_cpus) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(by_procs); i++) {
    struct tri_worker_plan p = tri_workers_plan(by_procs[i].procs, TRI_CYCLE_BY_HEAP, false);
    cr_expect_eq(p.dedicated, by_procs[i].dedicated, "%d CPUs", by_procs[i].procs);
    cr_expect_float_eq(p.fractional_share, by_procs[i].share, 1e-12, "%d CPUs", by_procs[i].procs);
    cr_expect_eq(p.max_idle, by_procs[i].procs - p.dedicated, "%d CPUs", by_procs[i].procs);
  }
}

Test(workers, share_stays_near_a_quarter) {
  for (int procs = 1; procs <= 1024; procs++) {
    struct tri_worker_plan p = tri_workers_plan(procs, TRI_CYCLE_FORCED, false);
    double share = (double)p.dedicated / procs + p.fractional_share;
    cr_assert(share >= 0.19 && share <= 0.31, "%d CPUs: %f", procs, share);
    cr_assert(p.fractional_share == 0 || procs <= 3 || procs == 6);
  }
}

Test(workers, idle_ones_leave_a_cycle_of_the_clock_alone) {
  cr_expect_eq(tri_workers_plan(2, TRI_CYCLE_BY_TIME, false).max_idle, 1);
  cr_expect_eq(tri_workers_plan(8, TRI_CYCLE_BY_TIME, false).max_idle, 0);
}

Test(workers, stopped_world_takes_all) {
  struct tri_worker_plan p = tri_workers_plan(6, TRI_CYCLE_BY_HEAP, true);
  cr_expect_eq(p.dedicated, 6);
  cr_expect_eq(p.fractional_share, 0);
  cr_expect_eq(p.max_idle, 0);
}

Test(workers, fractional_worker_yields_at_a_fifth_over_its_share) {
  cr_expect(tri_fractional_may_start(0.25, 250, 1000));
  cr_expect_not(tri_fractional_may_start(0.25, 251, 1000));
  cr_expect(tri_fractional_may_start(0.25, 0, 0));
  cr_expect_not(tri_fractional_may_start(0, 0, 0));
  cr_expect_not(tri_fractional_must_yield(0.25, 300, 1000));
  cr_expect(tri_fractional_must_yield(0.25, 301, 1000));
  cr_expect(tri_fractional_must_yield(0.25, 0, 0));
}
