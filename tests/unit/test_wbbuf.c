/* The barrier's buffer, and looks at it while it changes. */
#include <criterion/criterion.h>

#include "barrier/wbbuf.h"

static struct tri_wbbuf buf;

static void put(uintptr_t from, unsigned n) {
  for (unsigned i = 0; i < n; i++) cr_assert(tri_wbbuf_put(&buf, from + i));
}

/* A look that finds n entries, the first of which is `from`. */
static void expect_look(uintptr_t from, size_t n) {
  const tri_aword *first;
  cr_assert_eq(tri_wbbuf_look(&buf, &first), n);
  for (size_t i = 0; i < n; i++) cr_assert_eq(tri_load_rlx(&first[i]), from + i);
}

Test(wbbuf, each_entry_is_looked_at_once) {
  put(100, 3);
  expect_look(100, 3);
  expect_look(0, 0);
  put(103, 2);
  expect_look(103, 2);
}

Test(wbbuf, full_takes_no_more) {
  put(1, TRI_WBBUF_ENTRIES);
  cr_assert_not(tri_wbbuf_put(&buf, 9));
  expect_look(1, TRI_WBBUF_ENTRIES);
}

Test(wbbuf, emptied_between_two_looks_and_filled_further) {
  put(1, 4);
  expect_look(1, 4);
  tri_wbbuf_empty(&buf);
  put(500, 9);
  expect_look(500, 9);
}

/* Fuller than it was when it was looked at, and refilled more than once. */
Test(wbbuf, emptied_twice_between_two_looks) {
  put(1, 4);
  expect_look(1, 4);
  tri_wbbuf_empty(&buf);
  put(500, 5);
  tri_wbbuf_empty(&buf);
  put(600, 5);
  expect_look(600, 5);
  put(605, 1);
  expect_look(605, 1);
}
