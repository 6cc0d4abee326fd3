/*
 * test_sim SCENARIO: runs it and judges it. test_sim --reference: compares with Go's figures. test_sim --list: the
 * names.
 *
 * Settled means what Go's pacer test means by it: 25 cycles after a change, the peak is within 5% of the goal and the
 * share of CPU time moves by less than 0.5% from one cycle to the next.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reference.h"
#include "sim.h"

#define MIB ((uint64_t)1 << 20)
#define LIMIT (512 * MIB)
#define SETTLED_AFTER 25
#define HEADROOM(bytes) ((bytes) / 100 * 3)

static struct sim_run run;
static int failures;

static void expect(bool good, int cycle, const char *what, double value) {
  if (good) return;
  failures++;
  printf("cycle %d: %s: %g\n", cycle, what, value);
}

/* i counts from 0, cycles in messages from 1. */
static void in_range(int i, const char *what, double value, double least, double most) {
  expect(value >= least && value <= most, i + 1, what, value);
}

static double peak_to_goal(int i) {
  return (double)run.cycle[i].peak / (double)run.cycle[i].goal;
}

static void settled_at(int from, int to, double utilization) {
  for (int i = from; i < to; i++) {
    in_range(i, "peak / goal", peak_to_goal(i), 0.95, 1.05);
    in_range(i, "utilization", run.cycle[i].utilization, 0.2, utilization);
    double last = run.cycle[i - 1].utilization;
    in_range(i, "utilization moves", fabs(run.cycle[i].utilization / last - 1), 0, 0.005);
  }
}

static void settled(int from, int to) {
  settled_at(from, to, 0.3);
}

static void check_steady(void) {
  settled(SETTLED_AFTER - 1, run.cycles);
}

/* So much is allocated that the trigger stays at its lower bound, and assists make up for the rest. */
static void check_heavy_step(void) {
  settled_at(SETTLED_AFTER - 1, 49, 0.3);
  settled_at(50 + SETTLED_AFTER - 1, run.cycles, 0.5);
}

static void check_step(void) {
  settled(SETTLED_AFTER - 1, 49);
  settled(50 + SETTLED_AFTER - 1, run.cycles);
}

/* Over the goal by a tenth at most in the cycle that meets the grown heap; settled again in the next. */
static void check_live_step(void) {
  settled(SETTLED_AFTER - 1, 50);
  in_range(50, "peak / goal", peak_to_goal(50), 1, 1.1);
  in_range(75, "peak / goal", peak_to_goal(75), 0.9, 1);
  settled(52, 75);
  settled(77, run.cycles);
}

static void check_moving(void) {
  for (int i = 12; i < run.cycles; i++) {
    in_range(i, "peak / goal", peak_to_goal(i), 0.95, 1.05);
    in_range(i, "utilization", run.cycle[i].utilization, 0.25, 0.3);
  }
}

static void check_tiny(void) {
  for (int i = 4; i < run.cycles; i++) {
    const struct sim_cycle *c = &run.cycle[i];
    in_range(i, "peak / goal", peak_to_goal(i), 0.925, 1.025);
    in_range(i, "trigger", (double)(c->trigger - c->marked) / (double)(c->goal - c->marked), 0.925, 0.975);
  }
}

/* GOGC is so large that the trigger's upper bound, not the runway, decides. */
static void check_huge(void) {
  for (int i = 12; i < run.cycles; i++) {
    in_range(i, "peak / goal", peak_to_goal(i), 0.9, i == 25 ? 1.5 : 1.05);
    in_range(i, "utilization", run.cycle[i].utilization, 0.25, 0.26);
  }
}

static void goal_is(uint64_t goal, int from) {
  for (int i = from; i < run.cycles; i++)
    expect(run.cycle[i].goal == goal, i + 1, "the goal is not the limit's", (double)run.cycle[i].goal);
}

static void check_near_limit(void) {
  goal_is(LIMIT - HEADROOM(LIMIT), 0);
  settled(SETTLED_AFTER - 1, run.cycles);
  for (int i = 0; i < run.cycles; i++) in_range(i, "peak / limit", (double)run.cycle[i].peak / LIMIT, 0, 1.0);
}

static void check_limit_and_percent(void) {
  for (int i = 0; i < 5; i++)
    expect(run.cycle[i].goal < LIMIT / 2, i + 1, "GOGC does not count", (double)run.cycle[i].goal);
  goal_is(LIMIT - HEADROOM(LIMIT), 13);
  settled(SETTLED_AFTER - 1, run.cycles);
}

static void check_beside(void) {
  uint64_t heap = LIMIT - 64 * MIB;
  goal_is(heap - HEADROOM(heap), 0);
  settled(SETTLED_AFTER - 1, run.cycles);
}

/* The limiter holds the collector at half of the CPUs, and the program goes on. */
static void check_above_limit(void) {
  int limited = 0;
  for (int i = 20; i < run.cycles; i++) {
    const struct sim_cycle *c = &run.cycle[i];
    limited += c->limited;
    expect(c->goal == c->marked, i + 1, "the goal is not what is live", (double)c->goal);
    expect(c->peak > c->marked, i + 1, "the program stands still", (double)c->peak);
  }
  expect(limited > 50, 0, "cycles in which the limiter was on", limited);
  in_range(-1, "share of CPU time", run.gc_cpu_share, 0.4, 0.52);
}

/* Nine of ten bytes are freed: the same cycles as a tenth of the allocation without frees. */
static void check_frees_most(void) {
  static struct sim_run other;
  check_steady();
  sim_run(sim_find("steady"), &other);
  for (int i = 0; i < run.cycles; i++) {
    in_range(i, "trigger / steady's", (double)run.cycle[i].trigger / (double)other.cycle[i].trigger, 0.999, 1.001);
    in_range(i, "peak / steady's", (double)run.cycle[i].peak / (double)other.cycle[i].peak, 0.999, 1.001);
  }
}

/* Four times the heap in each cycle, up to 64 MiB more than twice: the trigger is at its lower bound, and assists keep
 * the peak at the goal. The shorter the way there, the more they have to do. */
static void check_frees_and_grows(void) {
  for (int i = 2; i < run.cycles; i++) {
    double marked = (double)run.cycle[i].marked, more = 2 * marked < (64 << 20) ? 2 * marked : 64 << 20;
    in_range(i, "goal / (2 * marked + more)", (double)run.cycle[i].goal / (2 * marked + more), 0.98, 1.02);
    in_range(i, "peak / goal", peak_to_goal(i), 0.95, 1.05);
    in_range(i, "utilization", run.cycle[i].utilization, 0.25, marked <= (32 << 20) ? 0.4 : 0.5);
  }
}

/* A heap that shrinks while it is marked: no assists, and the burst before is forgotten after five cycles. */
static void check_frees_all(void) {
  for (int i = 30; i < run.cycles; i++) {
    const struct sim_cycle *c = &run.cycle[i];
    in_range(i, "utilization", c->utilization, 0.25, 0.25);
    expect(c->peak < c->marked, i + 1, "the heap grows", (double)c->peak);
    expect((c->cons_mark > 0) == (i < 34), i + 1, "cons/mark", c->cons_mark);
  }
}

static const struct {
  const char *scenario;
  void (*check)(void);
} checks[] = {
    {"steady", check_steady},          {"steady_2_cpus", check_steady},
    {"steady_5_cpus", check_steady},   {"steady_7_cpus", check_steady},
    {"steady_16_cpus", check_steady},  {"steady_128_cpus", check_steady},
    {"steady_gogc_50", check_steady},  {"steady_gogc_200", check_steady},
    {"steady_gogc_400", check_steady}, {"big_stacks", check_steady},
    {"big_globals", check_steady},     {"step", check_step},
    {"heavy_step", check_heavy_step},  {"live_step", check_live_step},
    {"oscillating", check_moving},     {"jittering", check_moving},
    {"tiny_heap", check_tiny},         {"huge_gogc", check_huge},
    {"near_limit", check_near_limit},  {"limit_and_percent", check_limit_and_percent},
    {"beside_heap", check_beside},     {"above_limit", check_above_limit},
    {"frees_most", check_frees_most},  {"frees_and_grows", check_frees_and_grows},
    {"frees_all", check_frees_all},
};

static void check_bounds(const struct sim_scenario *s) {
  expect(run.cycles == s->cycles, 0, "cycles", run.cycles);
  expect(!run.degenerate[0], 0, run.degenerate, 0);
  for (int i = 0; i < run.cycles; i++) in_range(i, "utilization", run.cycle[i].utilization, 0.2 - 1e-9, 1);
}

static bool judge(const char *name) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(checks); i++) {
    if (strcmp(checks[i].scenario, name) != 0) continue;
    const struct sim_scenario *s = sim_find(name);
    sim_run(s, &run);
    check_bounds(s);
    checks[i].check();
    return failures == 0;
  }
  printf("%s: no check\n", name);
  return false;
}

static void near(const char *what, int i, double ours, double theirs, double tolerance) {
  if (fabs(ours - theirs) <= tolerance) return;
  failures++;
  printf("%s, cycle %d: %s is %.0f, Go's %.0f\n", reference[i].scenario, reference[i].cycle, what, ours, theirs);
}

static bool compare_with_go(void) {
  const char *last = "";
  for (int i = 0; i < (int)TRI_ARRAY_LEN(reference); i++) {
    if (strcmp(last, reference[i].scenario) != 0) sim_run(sim_find(reference[i].scenario), &run);
    last = reference[i].scenario;
    const struct sim_cycle *c = &run.cycle[reference[i].cycle - 1];
    /* Go's harness rounds times to nanoseconds earlier: a few hundred bytes of some million. */
    double bytes = 1e-5 * (double)reference[i].goal;
    near("marked", i, (double)c->marked, (double)reference[i].marked, bytes);
    near("trigger", i, (double)c->trigger, (double)reference[i].trigger, bytes);
    near("peak", i, (double)c->peak, (double)reference[i].peak, bytes);
    near("goal", i, (double)c->goal, (double)reference[i].goal, bytes);
    near("utilization", i, c->utilization * 100, reference[i].utilization_percent, 0.06);
  }
  return failures == 0;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: test_sim SCENARIO|--reference|--list\n"), 2;
  if (strcmp(argv[1], "--reference") == 0) return !compare_with_go();
  if (strcmp(argv[1], "--list") != 0) return !judge(argv[1]);
  for (int i = 0; i < sim_nscenarios; i++) puts(sim_scenarios[i].name);
  return 0;
}
