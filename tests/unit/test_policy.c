/* When marking beside the program is tried. */
#include <criterion/criterion.h>

#include "barrier/policy.h"

#define MS ((uint64_t)1000 * 1000)

static void beside(struct tri_page_policy *p, uint64_t mark_cpu_ns, unsigned markers, uint64_t stop_ns) {
  struct tri_page_outcome o = {.mark_cpu_ns = mark_cpu_ns, .markers = markers, .stop_ns = stop_ns};
  tri_page_policy_beside(p, &o);
}

Test(policy, short_stops_are_left_alone) {
  struct tri_page_policy p = {0};
  cr_assert_not(tri_page_policy_try(&p), "nothing measured yet");
  tri_page_policy_stopped(&p, MS / 2);
  cr_assert_not(tri_page_policy_try(&p));
  tri_page_policy_stopped(&p, 20 * MS);
  cr_assert(tri_page_policy_would_try(&p));
  cr_assert(tri_page_policy_try(&p));
}

Test(policy, a_short_last_stop_pays) {
  struct tri_page_policy p = {.stopped_mark_ns = 100 * MS};
  for (int i = 0; i < 100; i++) {
    cr_assert(tri_page_policy_try(&p));
    beside(&p, 200 * MS, 2, 49 * MS);
  }
}

static unsigned cycles_until_tried(struct tri_page_policy *p) {
  unsigned n = 0;
  while (!tri_page_policy_try(p)) {
    tri_page_policy_stopped(p, 100 * MS);
    n++;
  }
  return n;
}

Test(policy, failures_back_off) {
  struct tri_page_policy p = {.stopped_mark_ns = 100 * MS};
  unsigned expected = 1;
  cr_assert(tri_page_policy_try(&p));
  for (int i = 0; i < 10; i++) {
    beside(&p, 200 * MS, 2, 90 * MS);
    cr_assert_not(tri_page_policy_would_try(&p));
    cr_assert_eq(cycles_until_tried(&p), expected, "after %d failures", i + 1);
    if (expected < TRI_PAGE_MAX_BACKOFF) expected *= 2;
  }
  beside(&p, 200 * MS, 2, 10 * MS);
  cr_assert_eq(cycles_until_tried(&p), 0, "a success ends it");
  beside(&p, 200 * MS, 2, 90 * MS);
  cr_assert_eq(cycles_until_tried(&p), 1);
}

Test(policy, no_marker_is_no_division_by_zero) {
  struct tri_page_policy p = {0};
  beside(&p, 200 * MS, 0, MS);
  cr_assert_eq(p.stopped_mark_ns, 200 * MS);
}

Test(policy, faults_that_cost_more_than_marking_do_not_pay) {
  struct tri_page_policy p = {.stopped_mark_ns = 100 * MS};
  struct tri_page_outcome o = {.mark_cpu_ns = 200 * MS, .markers = 2, .stop_ns = MS};
  o.written_pages = o.mark_cpu_ns / TRI_PAGE_FAULT_NS;
  tri_page_policy_beside(&p, &o);
  cr_assert(tri_page_policy_would_try(&p));
  o.written_pages++;
  tri_page_policy_beside(&p, &o);
  cr_assert_not(tri_page_policy_would_try(&p));
}
