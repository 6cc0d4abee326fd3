/* What is kept of free memory, and how fast the rest goes back. */
#include <criterion/criterion.h>
#include <math.h>

#include "pacer/scavenge_pace.h"

#define MIB ((uint64_t)1 << 20)
#define MS ((int64_t)1000000)
#define PAGE 4096

static struct tri_scavenge_input input(void) {
  return (struct tri_scavenge_input){.cycles = 1,
                                     .heap_goal = 200 * MIB,
                                     .heap_live = 100 * MIB,
                                     .heap_in_use = 120 * MIB,
                                     .heap_retained = 500 * MIB,
                                     .page_size = PAGE,
                                     .memory_limit = UINT64_MAX};
}

Test(scavenge_pace, constants_are_gos) {
  struct tri_scavenge_rhythm r;
  tri_scavenge_rhythm_init(&r, 1);
  cr_expect_eq(TRI_SCAVENGE_RETAIN_PERCENT, 10);
  cr_expect_eq(TRI_SCAVENGE_REDUCE_PERCENT, 5);
  cr_expect_eq(TRI_SCAVENGE_CPU_PERCENT, 1);
  cr_expect_eq(TRI_SCAVENGE_QUANTUM, 65536);
  cr_expect_eq(TRI_SCAVENGE_WORK_MIN_NS, 1000000);
  cr_expect_eq(TRI_SCAVENGE_COOLDOWN_NS, 5000000000);
  cr_expect_eq(r.controller.kp, 0.3375);
  cr_expect_eq(r.controller.tt, 1e9);
  cr_expect_eq(r.controller.min, 0.001);
  cr_expect_eq(r.controller.max, 1000);
}

/* Go has 3.2e6 and 0.001: a gigabyte takes longer than ten seconds with them, on two CPUs. */
Test(scavenge_pace, two_constants_are_not) {
  struct tri_scavenge_rhythm r;
  tri_scavenge_rhythm_init(&r, 1);
  cr_expect_eq(r.controller.ti, 3.2e7);
  cr_expect_eq(r.work_per_sleep, 0.01);
}

Test(scavenge_pace, keeps_what_the_heap_will_use_and_a_tenth) {
  struct tri_scavenge_input in = input();
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 242 * MIB);
  in.heap_live = 250 * MIB; /* over the goal: no more than is in use */
  in.heap_in_use = 260 * MIB;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 286 * MIB);
  in = input();
  in.heap_goal += 1000 * MIB;
  in.ballast = 1000 * MIB;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 242 * MIB, "a ballast is no memory");
}

/* A heap that was large has left tables behind: it makes up for them, but not for what any heap needs. */
Test(scavenge_pace, the_runtimes_own_memory_counts) {
  struct tri_scavenge_input in = input();
  in.overhead = 4 * MIB;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 242 * MIB);
  in.overhead = 24 * MIB;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 222 * MIB);
  in.overhead = 1000 * MIB;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 195 * MIB, "or each cycle would fault everything in again");
  in.heap_live = in.heap_goal;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 120 * MIB, "what is in use stays");
}

Test(scavenge_pace, nothing_to_do) {
  struct tri_scavenge_input in = input();
  in.heap_retained = 242 * MIB + PAGE - 1;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, TRI_SCAVENGE_NONE);
  in.heap_retained++;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 242 * MIB);
  in.cycles = 0;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, TRI_SCAVENGE_NONE);
}

Test(scavenge_pace, without_a_goal_what_is_in_use_counts) {
  struct tri_scavenge_input in = input();
  in.heap_goal = UINT64_MAX;
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, 132 * MIB);
}

Test(scavenge_pace, limit_is_approached_from_95_percent) {
  struct tri_scavenge_input in = input();
  cr_expect_eq(tri_scavenge_goals(&in).by_limit, TRI_SCAVENGE_NONE);
  in.memory_limit = 1000 * MIB;
  in.mapped_ready = 950 * MIB;
  cr_expect_eq(tri_scavenge_goals(&in).by_limit, TRI_SCAVENGE_NONE);
  in.mapped_ready++;
  cr_expect_eq(tri_scavenge_goals(&in).by_limit, 950 * MIB);
}

Test(scavenge_pace, gos_formula) {
  cr_expect_eq(tri_scavenge_percent_goal_go(200 * MIB, 400 * MIB, 300 * MIB, PAGE), 165 * MIB);
  cr_expect_eq(tri_scavenge_percent_goal_go(100, 100, 1, PAGE), PAGE);
  cr_expect_eq(tri_scavenge_percent_goal_go(100, 0, 1, PAGE), TRI_SCAVENGE_NONE);
}

/* In a steady state both keep the same: nothing is given back only to be faulted in again. */
Test(scavenge_pace, as_go_in_a_steady_state) {
  struct tri_scavenge_input in = input();
  in.heap_in_use = in.heap_live;
  uint64_t go = tri_scavenge_percent_goal_go(200 * MIB, 200 * MIB, 200 * MIB, PAGE);
  cr_expect_eq(tri_scavenge_goals(&in).by_percent, go);
}

static double settle(int procs, int64_t work_ns, int64_t late_ns) {
  struct tri_scavenge_rhythm r;
  tri_scavenge_rhythm_init(&r, procs);
  double worked = 0, slept = 0;
  for (int i = 0; i < 3000; i++) {
    int64_t sleep_ns = tri_scavenge_sleep_ns(&r, work_ns) + late_ns;
    tri_scavenge_slept(&r, work_ns, sleep_ns, procs);
    if (i < 2000) continue;
    worked += (double)work_ns;
    slept += (double)sleep_ns;
  }
  return worked / (worked + slept) / procs;
}

Test(scavenge_pace, takes_one_percent_of_the_cpus) {
  cr_expect_float_eq(settle(1, 2 * MS, 0), 0.01, 0.002);
  cr_expect_float_eq(settle(2, 2 * MS, 0), 0.01, 0.002);
  cr_expect_float_eq(settle(16, 2 * MS, 0), 0.01, 0.002);
  cr_expect_float_eq(settle(2, 2 * MS, 5 * MS), 0.01, 0.002, "sleeps that last too long are made up for");
}

/* From the third second on no sleep is much longer than another, so memory goes back at an even rate. */
Test(scavenge_pace, works_evenly) {
  for (int procs = 1; procs <= 16; procs *= 2) {
    struct tri_scavenge_rhythm r;
    tri_scavenge_rhythm_init(&r, procs);
    int64_t even = MS * 99 / procs;
    for (int64_t now = 0; now < 20000 * MS;) {
      int64_t sleep_ns = tri_scavenge_sleep_ns(&r, MS);
      tri_scavenge_slept(&r, MS, sleep_ns, procs);
      now += MS + sleep_ns;
      if (now < 3000 * MS) continue;
      cr_assert(sleep_ns > even / 2 && sleep_ns < even * 2, "%d CPUs: %.1f ms, not %.1f", procs, (double)sleep_ns / MS,
                (double)even / MS);
    }
  }
}

Test(scavenge_pace, short_runs_count_as_a_millisecond) {
  struct tri_scavenge_rhythm r;
  tri_scavenge_rhythm_init(&r, 1);
  cr_expect_eq(tri_scavenge_sleep_ns(&r, 1), 100 * MS);
  cr_expect_eq(tri_scavenge_sleep_ns(&r, 3 * MS), 300 * MS);
  cr_expect_lt(settle(1, MS / 10, 0), 0.0011);
}

Test(scavenge_pace, failed_control_pauses_five_seconds) {
  struct tri_scavenge_rhythm r;
  tri_scavenge_rhythm_init(&r, 1);
  r.controller.integral = INFINITY;
  tri_scavenge_slept(&r, MS, 100 * MS, 2);
  cr_expect_eq(r.work_per_sleep, 2 * TRI_SCAVENGE_START_RATIO);
  cr_expect_eq(r.cooldown_ns, 5000 * MS);
  tri_scavenge_slept(&r, MS, 3999 * MS, 2);
  cr_expect_eq(r.cooldown_ns, 1000 * MS);
  cr_expect_eq(r.controller.integral, 2 * TRI_SCAVENGE_START_RATIO);
  tri_scavenge_slept(&r, MS, 3999 * MS, 2);
  cr_expect_eq(r.cooldown_ns, 0);
  tri_scavenge_slept(&r, MS, 3999 * MS, 2);
  cr_expect_neq(r.controller.integral, 2 * TRI_SCAVENGE_START_RATIO);
}

/* Who was stopped for hours does not work for minutes to make up for it. */
Test(scavenge_pace, a_long_sleep_counts_as_ten_seconds) {
  struct tri_scavenge_rhythm r, s;
  tri_scavenge_rhythm_init(&r, 1);
  tri_scavenge_rhythm_init(&s, 1);
  tri_scavenge_slept(&r, MS, 10000 * MS, 2);
  tri_scavenge_slept(&s, MS, 50000000 * MS, 2);
  cr_expect_eq(r.controller.integral, s.controller.integral);
  cr_expect_eq(r.work_per_sleep, s.work_per_sleep);
}
