/* Go's heap goal, by table. */
#include <criterion/criterion.h>

#include "pacer/pacer.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static const struct {
  const char *what;
  struct tri_pacer_input in;
  uint64_t goal;
} cases[] = {
    {"heap minimum", {0, 0, 0, 100, 0, false}, 4 * MIB},
    {"minimum scales down with GOGC", {0, 0, 0, 50, 0, false}, 2 * MIB},
    {"minimum scales up with GOGC", {MIB, 0, 0, 800, 0, false}, 32 * MIB},
    {"just below the minimum", {2 * MIB - 1, 0, 0, 100, 0, false}, 4 * MIB},
    {"just above the minimum", {2 * MIB + 1, 0, 0, 100, 0, false}, 4 * MIB + 2},
    {"percent of the heap", {100 * MIB, 0, 0, 100, 0, false}, 200 * MIB},
    {"roots count once", {100 * MIB, 6 * MIB, 4 * MIB, 100, 0, false}, 210 * MIB},
    {"roots are scaled too", {100 * MIB, 6 * MIB, 4 * MIB, 50, 0, false}, 155 * MIB},
    {"integer division truncates", {4 * MIB + 1, 0, 0, 150, 0, false}, 4 * MIB + 1 + 6 * MIB + 1},
    {"zero collects all the time", {100 * MIB, 6 * MIB, 4 * MIB, 0, 0, false}, 100 * MIB},
    {"zero with nothing marked", {0, 0, 0, 0, 0, false}, 0},
    {"ballast moves the goal", {4 * GIB + 10 * MIB, 0, 0, 100, 0, false}, 8 * GIB + 20 * MIB},
    {"off", {100 * MIB, 0, 0, -1, 0, false}, UINT64_MAX},
    {"any negative is off", {100 * MIB, 0, 0, -200, 0, false}, UINT64_MAX},
    {"sum overflows", {UINT64_MAX / 2 + 1, 0, 0, 100, 0, false}, UINT64_MAX},
    {"product overflows", {UINT64_MAX / 4, 0, 0, INT32_MAX, 0, false}, UINT64_MAX},
    {"intermediate product alone does not",
     {UINT64_MAX / 100, 0, 0, 500, 0, false},
     UINT64_MAX / 100 + UINT64_MAX / 100 * 5},
    {"frees honoured, nothing dead: four times", {32 * MIB, 0, 0, 100, 0, true}, 128 * MIB},
    {"at most 64 MiB more", {33 * MIB, 0, 0, 100, 0, true}, 130 * MIB},
    {"frees honoured, a sixteenth dead", {64 * MIB, 0, 0, 100, 4 * MIB, true}, 192 * MIB},
    {"frees honoured, more than that dead", {64 * MIB, 0, 0, 100, 4 * MIB + 1, true}, 128 * MIB},
    {"frees ignored, nothing dead", {100 * MIB, 0, 0, 100, 0, false}, 200 * MIB},
    {"trust scales down with GOGC", {20 * MIB, 0, 0, 50, 0, true}, 50 * MIB},
    {"trust does not scale up", {20 * MIB, 0, 0, 400, 0, true}, 140 * MIB},
    {"frees honoured and off", {100 * MIB, 0, 0, -1, 0, true}, UINT64_MAX},
    {"roots overflow", {1, UINT64_MAX, UINT64_MAX, 100, 0, false}, UINT64_MAX},
};

Test(pacer, goal_by_table) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(cases); i++) {
    struct tri_pacer_plan p = tri_pacer_plan(&cases[i].in);
    cr_expect_eq(p.heap_goal, cases[i].goal, "%s: %lu, not %lu", cases[i].what, p.heap_goal, cases[i].goal);
  }
}

Test(pacer, stop_the_world_triggers_at_the_goal) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(cases); i++) {
    struct tri_pacer_plan p = tri_pacer_plan(&cases[i].in);
    cr_expect_eq(p.trigger, p.heap_goal, "%s", cases[i].what);
  }
}

Test(pacer, goal_never_below_marked_and_rises_with_gogc) {
  for (uint64_t marked = 1; marked; marked <<= 1) {
    uint64_t last = 0;
    for (int gogc = 0; gogc <= 1600; gogc = gogc * 2 + 1) {
      struct tri_pacer_input in = {marked, marked / 3, marked / 5, gogc, 0, false};
      uint64_t goal = tri_pacer_plan(&in).heap_goal;
      cr_assert_geq(goal, marked);
      cr_assert_geq(goal, last);
      last = goal;
    }
  }
}
