/* The barrier's choice, by table. */
#include <criterion/criterion.h>
#include <string.h>

#include "barrier/choose.h"

static const struct {
  struct tri_barrier_input in; /* malloc replaced, gcstoptheworld, request, page, hybrid */
  enum tri_barrier_kind kind;
  const char *reason_has;
} cases[] = {
    {{true, 0, TRI_BARRIER_AUTO, false, false}, TRI_BARRIER_KIND_STW, "no page barrier"},
    {{true, 0, TRI_BARRIER_AUTO, false, true}, TRI_BARRIER_KIND_STW, "no page barrier"},
    {{true, 0, TRI_BARRIER_AUTO, true, true}, TRI_BARRIER_KIND_PAGE, "malloc is replaced"},
    {{false, 0, TRI_BARRIER_AUTO, false, false}, TRI_BARRIER_KIND_STW, "no hybrid barrier"},
    {{false, 0, TRI_BARRIER_AUTO, true, false}, TRI_BARRIER_KIND_STW, "no hybrid barrier"},
    {{false, 0, TRI_BARRIER_AUTO, true, true}, TRI_BARRIER_KIND_HYBRID, "API"},
    {{true, 0, TRI_BARRIER_STW, true, true}, TRI_BARRIER_KIND_STW, "barrier=stw"},
    {{true, 0, TRI_BARRIER_PAGE, true, true}, TRI_BARRIER_KIND_PAGE, "malloc is replaced"},
    {{true, 0, TRI_BARRIER_PAGE, false, true}, TRI_BARRIER_KIND_STW, "no page barrier"},
    {{true, 1, TRI_BARRIER_PAGE, true, true}, TRI_BARRIER_KIND_STW, "gcstoptheworld"},
    {{false, 0, TRI_BARRIER_STW, true, true}, TRI_BARRIER_KIND_STW, "barrier=stw"},
    {{true, 0, TRI_BARRIER_HYBRID, true, true}, TRI_BARRIER_KIND_PAGE, "cannot be had"},
    {{false, 0, TRI_BARRIER_HYBRID, true, true}, TRI_BARRIER_KIND_HYBRID, "API"},
    {{false, 0, TRI_BARRIER_PAGE, true, true}, TRI_BARRIER_KIND_HYBRID, "barrier=page is for"},
    {{true, 1, TRI_BARRIER_AUTO, true, true}, TRI_BARRIER_KIND_STW, "gcstoptheworld"},
    {{false, 2, TRI_BARRIER_STW, true, true}, TRI_BARRIER_KIND_STW, "gcstoptheworld"},
};

Test(choose, by_table) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(cases); i++) {
    struct tri_barrier_choice c = tri_barrier_choose(&cases[i].in);
    cr_expect_eq(c.kind, cases[i].kind, "case %zu", i);
    cr_expect_not_null(strstr(c.reason, cases[i].reason_has), "case %zu: %s", i, c.reason);
  }
}

Test(choose, names) {
  cr_assert_str_eq(tri_barrier_name(TRI_BARRIER_KIND_STW), "stw");
  cr_assert_str_eq(tri_barrier_name(TRI_BARRIER_KIND_PAGE), "page");
  cr_assert_str_eq(tri_barrier_name(TRI_BARRIER_KIND_HYBRID), "hybrid");
}
