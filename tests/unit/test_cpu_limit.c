/* The CPU limiter's bucket, step by step as in Go's own test. */
#include <criterion/criterion.h>

#include "pacer/cpu_limit.h"

#define MS ((int64_t)1000000)
#define SECOND (1000 * MS)
#define PROCS 14

/* CPU time of assists that take so many percent of all CPUs for so long. */
static int64_t assist(int64_t wall_ns, int percent) {
  return wall_ns / 100 * percent * PROCS;
}

Test(cpu_limit, constants_are_gos) {
  cr_expect_eq(TRI_CPU_LIMIT_CAPACITY_NS, 1000000000);
  cr_expect_eq(TRI_CPU_LIMIT_PERIOD_NS, 10000000);
}

Test(cpu_limit, program_time_leaves_it_empty) {
  struct tri_cpu_limit l;
  tri_cpu_limit_init(&l, 0, PROCS);
  cr_expect_eq(l.capacity_ns, PROCS * SECOND);
  tri_cpu_limit_update(&l, 3600 * SECOND, 0, 0);
  cr_expect_eq(l.fill_ns, 0);
  cr_expect_not(tri_cpu_limit_is_due(&l, 3600 * SECOND + 10 * MS));
  cr_expect(tri_cpu_limit_is_due(&l, 3600 * SECOND + 10 * MS + 1));
}

Test(cpu_limit, fills_and_drains) {
  struct tri_cpu_limit l;
  int64_t now = 0;
  tri_cpu_limit_init(&l, now, PROCS);
  tri_cpu_limit_stop_begin(&l, now += 109 * MS, 0, 0);
  tri_cpu_limit_stop_end(&l, now += 2 * MS, true);
  cr_expect_eq(l.fill_ns, 2 * MS * PROCS, "a stop takes all CPUs");
  tri_cpu_limit_update(&l, now += 2 * MS, 0, 0);
  cr_expect_eq(l.fill_ns, MS * PROCS, "workers alone: drained by half of the time");
  tri_cpu_limit_update(&l, now += 2 * SECOND, 0, 0);
  cr_expect_eq(l.fill_ns, 0);
  tri_cpu_limit_update(&l, now += 10 * MS, assist(10 * MS, 25), 0);
  cr_expect_eq(l.fill_ns, 0, "one half in all: no change");
  tri_cpu_limit_update(&l, now += SECOND - MS, assist(SECOND - MS, 75), 0);
  cr_expect_eq(l.fill_ns, (SECOND - MS) * PROCS);
  cr_expect_not(l.limiting);
  tri_cpu_limit_update(&l, now += MS, assist(MS, 75), 0);
  cr_expect_eq(l.fill_ns, l.capacity_ns);
  cr_expect(l.limiting, "full");
  cr_expect_eq(l.overflow_ns, 0);
  tri_cpu_limit_update(&l, now += SECOND, assist(SECOND, 25), 0);
  cr_expect(l.limiting, "one half in all keeps it on");
  tri_cpu_limit_update(&l, now += SECOND, 0, 0);
  cr_expect_eq(l.fill_ns, l.capacity_ns / 2);
  cr_expect_not(l.limiting);
  tri_cpu_limit_update(&l, now += SECOND, assist(SECOND, 75), 0);
  cr_expect_eq(l.overflow_ns, SECOND * PROCS / 2);
  cr_expect(l.limiting);
}

Test(cpu_limit, idle_cpus_count_as_neither) {
  struct tri_cpu_limit l;
  tri_cpu_limit_init(&l, 0, 4);
  tri_cpu_limit_stop_end(&l, 0, true);
  /* 4 s of CPU: 1 for the workers, 2 idle, 1 for the program. */
  tri_cpu_limit_update(&l, SECOND, 0, 2 * SECOND);
  cr_expect_eq(l.fill_ns, 0);
  /* 1 for the workers, 1 for assists, 1 idle, 1 for the program. */
  tri_cpu_limit_update(&l, 2 * SECOND, SECOND, SECOND);
  cr_expect_eq(l.fill_ns, SECOND);
}

Test(cpu_limit, number_of_cpus_changes) {
  struct tri_cpu_limit l;
  tri_cpu_limit_init(&l, 0, 8);
  tri_cpu_limit_stop_end(&l, SECOND / 2, false);
  cr_expect_eq(l.fill_ns, 4 * SECOND);
  tri_cpu_limit_set_procs(&l, SECOND / 2, 2);
  cr_expect_eq(l.fill_ns, 2 * SECOND);
  cr_expect(l.limiting);
  tri_cpu_limit_set_procs(&l, SECOND / 2, 4);
  cr_expect_eq(l.fill_ns, 2 * SECOND);
  cr_expect_not(l.limiting);
}

Test(cpu_limit, a_clock_that_steps_back_is_ignored) {
  struct tri_cpu_limit l;
  tri_cpu_limit_init(&l, SECOND, 1);
  tri_cpu_limit_update(&l, 0, SECOND, 0);
  tri_cpu_limit_stop_end(&l, 0, false);
  cr_expect_eq(l.fill_ns, 0);
  cr_expect_eq(l.last_update_ns, SECOND);
}

Test(cpu_limit, rests_as_long_as_the_cycle_took_while_limiting) {
  struct tri_cpu_limit l;
  tri_cpu_limit_init(&l, 0, 2);
  cr_assert_eq(tri_cpu_limit_rest_ns(&l, 50), 0);
  tri_cpu_limit_stop_begin(&l, 0, 0, 0);
  tri_cpu_limit_stop_end(&l, 3 * TRI_CPU_LIMIT_CAPACITY_NS, false);
  cr_assert(l.limiting);
  cr_assert_eq(tri_cpu_limit_rest_ns(&l, 50), 50);
  cr_assert_eq(tri_cpu_limit_rest_ns(&l, -1), 0);
}
