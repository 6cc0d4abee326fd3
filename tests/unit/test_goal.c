/* The goals: Go's constants, the limit's headroom, the ballast, and what frees change. By percent: test_pacer.c too. */
#include <criterion/criterion.h>

#include "pacer/goal.h"

#define MIB ((uint64_t)1 << 20)

static struct tri_goal_input percent_input(uint64_t marked, int percent) {
  return (struct tri_goal_input){.heap_marked = marked, .heap_minimum = TRI_HEAP_MINIMUM, .gc_percent = percent};
}

Test(goal, constants_are_gos) {
  cr_expect_eq(TRI_HEAP_MINIMUM, 4194304);
  cr_expect_eq(TRI_LIMIT_HEADROOM_PERCENT, 3);
  cr_expect_eq(TRI_LIMIT_HEADROOM_MIN, 1048576);
}

Test(goal, minimum_is_a_setting_and_scales) {
  struct tri_goal_input in = percent_input(0, 100);
  in.heap_minimum = 512 << 10;
  cr_expect_eq(tri_goal_percent(&in), 512 << 10);
  in.gc_percent = 200;
  cr_expect_eq(tri_goal_percent(&in), 1 << 20);
}

static const struct {
  const char *what;
  struct tri_memory memory;
  uint64_t marked;
  uint64_t goal;
} limits[] = {
    {"none", {TRI_NO_LIMIT, MIB, 0, 0, 0}, MIB, TRI_NO_LIMIT},
    {"3% headroom", {1000 * MIB, 0, 0, 0, 0}, 0, 1000 * MIB - 1000 * MIB / 100 * 3},
    {"1 MiB headroom when that is more", {20 * MIB, 0, 0, 0, 0}, 0, 19 * MIB},
    {"never less than the headroom itself", {MIB + MIB / 2, 0, 0, 0, 0}, 0, MIB},
    {"what is not heap is taken off", {120 * MIB, 100 * MIB, 30 * MIB, 50 * MIB, 0}, 0, 97 * MIB},
    {"what is above the limit counts twice", {100 * MIB, 110 * MIB, 0, 110 * MIB, 0}, 0, 90 * MIB - 90 * MIB / 100 * 3},
    {"not heap alone exceeds it", {100 * MIB, 100 * MIB, 0, 0, 0}, 7 * MIB, 7 * MIB},
    {"never below what is marked", {100 * MIB, 0, 0, 0, 0}, 150 * MIB, 150 * MIB},
    {"parts read a moment later than the whole",
     {50 * MIB, 10 * MIB, 6 * MIB, 5 * MIB, 0},
     0,
     50 * MIB - 50 * MIB / 100 * 3},
    {"a ballast takes nothing", {20 * MIB, 0, 0, 0, 500 * MIB}, 501 * MIB, 519 * MIB},
    {"limit zero", {0, MIB, 0, 0, 0}, 3 * MIB, 3 * MIB},
};

Test(goal, by_limit) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(limits); i++) {
    uint64_t goal = tri_goal_limit(&limits[i].memory, limits[i].marked);
    cr_expect_eq(goal, limits[i].goal, "%s: %lu, not %lu", limits[i].what, goal, limits[i].goal);
  }
}

Test(goal, follows_frees_down_but_not_up) {
  struct tri_goal_input in = percent_input(1000 * MIB, 100);
  in.heap_reclaimed = 500 * MIB;
  cr_expect_eq(tri_goal_after_frees(&in, 1500 * MIB), 2000 * MIB);
  cr_expect_eq(tri_goal_after_frees(&in, 100 * MIB), 200 * MIB);
  cr_expect_eq(tri_goal_after_frees(&in, 0), 4 * MIB);
}

Test(goal, verdict_on_frees_stands_after_frees) {
  struct tri_goal_input in = percent_input(1000 * MIB, 100);
  in.frees_honoured = true;
  in.heap_reclaimed = 62 * MIB; /* under a sixteenth of what was marked, over one of what is left */
  cr_expect_eq(tri_goal_after_frees(&in, 20 * MIB), 80 * MIB);
  in.heap_reclaimed = 63 * MIB;
  cr_expect_eq(tri_goal_after_frees(&in, 20 * MIB), 40 * MIB);
}
