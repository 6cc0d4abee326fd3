/* Cons/mark, runway and the trigger's bounds, by Go's formulas. */
#include <criterion/criterion.h>
#include <math.h>

#include "pacer/goal.h"
#include "pacer/trigger.h"

#define MIB ((uint64_t)1 << 20)

static struct tri_mark_measure measure(uint64_t grown, uint64_t work) {
  return (struct tri_mark_measure){
      .triggered = 100, .heap_live = 100 + grown, .scan_work = work, .duration_ns = 1000, .procs = 4};
}

Test(trigger, constants_are_gos) {
  cr_expect_eq(TRI_GC_UTILIZATION, 0.25);
  cr_expect_eq(TRI_CONS_MARK_HISTORY, 4);
  cr_expect_eq(TRI_TRIGGER_DEN, 64);
  cr_expect_eq(TRI_TRIGGER_MIN_NUM, 45);
  cr_expect_eq(TRI_TRIGGER_MAX_NUM, 61);
}

Test(trigger, cons_mark_of_one_cycle) {
  struct tri_cons_mark e = {0};
  struct tri_mark_measure m = measure(300, 1000);
  tri_cons_mark_add(&e, &m);
  cr_expect_float_eq(e.estimate, 300 * 0.25 / (1000 * 0.75), 1e-12);
  m.assist_ns = 1000; /* of 4000: another quarter */
  m.idle_mark_ns = 400;
  tri_cons_mark_add(&e, &m);
  cr_expect_float_eq(e.estimate, 300 * (0.5 + 0.1) / (1000 * 0.5), 1e-12);
}

Test(trigger, what_threads_would_have_allocated_while_they_waited) {
  struct tri_cons_mark e = {0};
  struct tri_mark_measure m = measure(300, 1000);
  m.held_up_ns = 1500; /* of 3000 that the program has */
  tri_cons_mark_add(&e, &m);
  cr_expect_float_eq(e.estimate, 300 * 0.25 / (1000 * 0.75 * 0.5), 1e-12);
  m.held_up_ns = 1 << 30; /* many threads waited */
  tri_cons_mark_add(&e, &m);
  cr_expect_float_eq(e.estimate, 300 * 0.25 / (1000 * 0.75 * 0.1), 1e-9);
}

Test(trigger, greatest_of_this_and_the_last_four) {
  struct tri_cons_mark e = {0};
  struct tri_mark_measure high = measure(3000, 1000);
  struct tri_mark_measure low = measure(30, 1000);
  tri_cons_mark_add(&e, &high);
  for (int i = 0; i < 4; i++) {
    tri_cons_mark_add(&e, &low);
    cr_expect_float_eq(e.estimate, 1.0, 1e-12, "after %d", i + 1);
  }
  tri_cons_mark_add(&e, &low);
  cr_expect_float_eq(e.estimate, 0.01, 1e-12);
}

Test(trigger, a_heap_that_did_not_grow) {
  struct tri_cons_mark e = {0};
  struct tri_mark_measure grown = measure(3000, 1000);
  struct tri_mark_measure shrunk = measure(0, 1000);
  shrunk.heap_live = 50;
  tri_cons_mark_add(&e, &grown);
  for (int i = 0; i < 10; i++) tri_cons_mark_add(&e, &shrunk);
  cr_expect_float_eq(e.estimate, 1.0, 1e-12, "Go drops the sample");
  shrunk.frees_honoured = true;
  for (int i = 0; i < 5; i++) tri_cons_mark_add(&e, &shrunk);
  cr_expect_eq(e.estimate, 0, "with frees it is one");
}

Test(trigger, figures_that_are_none) {
  struct tri_cons_mark e = {0};
  struct tri_mark_measure m = measure(300, 0);
  tri_cons_mark_add(&e, &m);
  cr_expect_eq(e.estimate, 0);
  m = measure(300, 1000);
  m.assist_ns = 4000;
  tri_cons_mark_add(&e, &m);
  cr_expect(isfinite(e.estimate) && e.estimate > 0);
  m.duration_ns = 0;
  m.procs = 0;
  tri_cons_mark_add(&e, &m);
  cr_expect(isfinite(e.estimate));
}

Test(trigger, runway) {
  cr_expect_eq(tri_runway(0.1, 1000), 300);
  cr_expect_eq(tri_runway(0, 1000), 0);
  cr_expect_eq(tri_runway(1e300, UINT64_MAX), UINT64_MAX);
  cr_expect_eq(tri_runway(NAN, 1), 0);
}

static const struct {
  const char *what;
  uint64_t marked, goal, min_trigger, runway, trigger;
} cases[] = {
    {"goal less runway", 640, 1280, 0, 100, 1180},
    {"lower bound", 640, 1280, 0, 1000, 640 + 450},
    {"runway above the goal", 640, 1280, 0, UINT64_MAX, 640 + 450},
    {"upper bound", 640, 1280, 0, 0, 640 + 610},
    {"upper bound of a large heap: 4 MiB short", 640 * MIB, 1280 * MIB, 0, 0, 1276 * MIB},
    {"just where both bounds are one", 0, 4 * MIB * 64 / 3, 0, 0, 4 * MIB * 64 / 3 - 4 * MIB},
    {"sweeping wants more", 640, 1280, 1270, 1000, 1270},
    {"never above the goal", 640, 1280, 5000, 1000, 1280},
    {"goal is what is marked", 640, 640, 0, 10, 640},
    {"goal below what is marked", 640, 600, 0, 10, 600},
    {"no goal", 640, UINT64_MAX, 0, 10, UINT64_MAX},
    {"no room to divide", 640, 641, 0, 0, 640},
};

Test(trigger, earlier_with_the_page_barrier) {
  struct tri_trigger_input in = {.heap_marked = 640, .goal = 1280, .runway = 1000, .min_num = TRI_TRIGGER_MIN_NUM_PAGE};
  cr_expect_eq(tri_trigger(&in), 640 + 320);
  in.max_num = TRI_TRIGGER_MAX_NUM_LIMIT;
  in.runway = 0;
  cr_expect_eq(tri_trigger(&in), 640 + 480);
}

Test(trigger, bounds) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(cases); i++) {
    struct tri_trigger_input in = {.heap_marked = cases[i].marked,
                                   .goal = cases[i].goal,
                                   .runway = cases[i].runway,
                                   .min_trigger = cases[i].min_trigger,
                                   .min_num = TRI_TRIGGER_MIN_NUM};
    uint64_t t = tri_trigger(&in);
    cr_expect_eq(t, cases[i].trigger, "%s: %lu, not %lu", cases[i].what, t, cases[i].trigger);
  }
}
