/* The lead of allocation over marking. */
#include <criterion/criterion.h>

#include "pacer/lead.h"

#define MIB ((uint64_t)1 << 20)

static struct tri_lead_input input(void) {
  return (struct tri_lead_input){.triggered = 1000 * MIB,
                                 .heap_live = 1000 * MIB,
                                 .heap_goal = 1064 * MIB,
                                 .work_done = 0,
                                 .work_expected = 1000 * MIB,
                                 .ends_early = true};
}

static unsigned lead_at(struct tri_lead_input in, uint64_t live, uint64_t done) {
  in.heap_live = live;
  in.work_done = done;
  return tri_lead(&in);
}

Test(lead, follows_the_share_of_marking_that_is_done) {
  struct tri_lead_input in = input();
  cr_expect_eq(lead_at(in, 1001 * MIB, 0), 0, "within the slack");
  cr_expect_eq(lead_at(in, 1001 * MIB + 1, 0), 1);
  cr_expect_eq(lead_at(in, 1028 * MIB, 500 * MIB), 0, "half of the way, half of the work");
  cr_expect_eq(lead_at(in, 1030 * MIB, 500 * MIB), 2);
  cr_expect_eq(lead_at(in, 1056 * MIB, 1000 * MIB), 0);
  cr_expect_eq(lead_at(in, 1057 * MIB, 1000 * MIB), 2);
  cr_expect_eq(lead_at(in, 1060 * MIB, 5000 * MIB), 5, "no more way than there is");
}

Test(lead, of_who_waits_follows_the_whole_way) {
  struct tri_lead_input in = input();
  in.ends_early = false;
  cr_expect_eq(lead_at(in, 1032 * MIB, 500 * MIB), 0, "half of the way, half of the work");
  cr_expect_eq(lead_at(in, 1034 * MIB, 500 * MIB), 2);
  cr_expect_eq(lead_at(in, 1064 * MIB, 1000 * MIB), 0);
  cr_expect_eq(lead_at(in, 1064 * MIB, 999 * MIB), 0);
  cr_expect_eq(lead_at(in, 1068 * MIB, 5000 * MIB), 4, "no more room than to the goal");
}

/* Who assists is ahead by as much as makes it assist enough: the heap ends at the goal all the same. */
Test(lead, is_an_eighth_of_the_room_at_the_goal) {
  struct tri_lead_input in = input();
  cr_expect_eq(lead_at(in, in.heap_goal, in.work_expected), 9);
}

Test(lead, is_far_by_the_whole_way) {
  struct tri_lead_input in = input();
  cr_expect_leq(lead_at(in, 1064 * MIB, 0), TRI_LEAD_FAR);
  cr_expect_eq(lead_at(in, 1065 * MIB, 0), TRI_LEAD_FAR + 1);
  cr_expect_eq(lead_at(in, UINT64_MAX, 0), TRI_LEAD_FAR + 1);
}

Test(lead, a_cycle_that_begins_beyond_its_goal_has_some_room) {
  struct tri_lead_input in = input();
  in.heap_goal = 900 * MIB;
  cr_expect_eq(lead_at(in, 1000 * MIB, 0), 0);
  cr_expect_eq(lead_at(in, 1001 * MIB, 0), 0);
  cr_expect_eq(lead_at(in, 1001 * MIB + 512 * 1024, 1000 * MIB), 0, "half of the slack is way");
  cr_expect_eq(lead_at(in, 1010 * MIB, 0), TRI_LEAD_FAR + 1);
}

Test(lead, near_a_limit_there_is_less_slack) {
  struct tri_lead_input in = input();
  in.by_limit = true;
  cr_expect_eq(lead_at(in, 1000 * MIB + TRI_LEAD_SLACK_BY_LIMIT, 0), 0);
  cr_expect_eq(lead_at(in, 1000 * MIB + TRI_LEAD_SLACK_BY_LIMIT + 1, 0), 1);
}

Test(lead, unknown_work_is_all_that_is_live) {
  struct tri_lead_input in = input();
  in.work_expected = 0;
  cr_expect_eq(lead_at(in, 1028 * MIB, 500 * MIB), 0);
  cr_expect_gt(lead_at(in, 1028 * MIB, 100 * MIB), 0);
  in.triggered = in.heap_live = 0;
  cr_expect_eq(lead_at(in, 0, 0), 0);
}

Test(lead, small_heaps_have_small_steps) {
  struct tri_lead_input in = {.triggered = 3 * MIB, .heap_goal = 4 * MIB, .work_expected = 2 * MIB, .ends_early = true};
  cr_expect_eq(lead_at(in, 4 * MIB + TRI_LEAD_STEP_MIN, 0), 2);
  cr_expect_eq(lead_at(in, 4 * MIB + 512 * 1024, 2 * MIB), 0);
  cr_expect_gt(lead_at(in, 5 * MIB, 2 * MIB), 0);
}

Test(lead, no_goal_is_no_hurry) {
  struct tri_lead_input in = input();
  in.heap_goal = UINT64_MAX;
  cr_expect_leq(lead_at(in, 2000 * MIB, 0), 1);
  cr_expect_eq(lead_at(in, 2000 * MIB, MIB), 0);
}
