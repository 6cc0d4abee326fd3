/* The table of own mappings: sorted, merged, cut. */
#include <criterion/criterion.h>

#include "alloc/ownmap.h"

#define AT(n) ((void *)(uintptr_t)(n))

static void expect(uintptr_t from, uintptr_t lo, uintptr_t hi) {
  uintptr_t got_lo = 0, got_hi = 0;
  cr_assert(tri_ownmap_next(from, &got_lo, &got_hi), "nothing above %#zx", (size_t)from);
  cr_assert(got_lo == lo && got_hi == hi, "above %#zx: [%#zx, %#zx)", (size_t)from, (size_t)got_lo, (size_t)got_hi);
}

static void expect_end(uintptr_t from) {
  uintptr_t lo, hi;
  cr_assert_not(tri_ownmap_next(from, &lo, &hi));
}

Test(ownmap, ranges_come_in_ascending_order) {
  expect_end(0);
  cr_assert(tri_ownmap_add(AT(0x9000), 0x1000));
  cr_assert(tri_ownmap_add(AT(0x1000), 0x1000));
  cr_assert(tri_ownmap_add(AT(0x5000), 0x1000));
  expect(0, 0x1000, 0x2000);
  expect(0x1fff, 0x1000, 0x2000);
  expect(0x2000, 0x5000, 0x6000);
  expect(0x6000, 0x9000, 0xa000);
  expect_end(0xa000);
  expect_end(UINTPTR_MAX);
}

Test(ownmap, neighbours_and_overlaps_merge) {
  cr_assert(tri_ownmap_add(AT(0x1000), 0x1000));
  cr_assert(tri_ownmap_add(AT(0x3000), 0x1000));
  cr_assert(tri_ownmap_add(AT(0x2000), 0x1000));
  expect(0, 0x1000, 0x4000);
  cr_assert(tri_ownmap_add(AT(0x2000), 0x8000));
  expect(0, 0x1000, 0xa000);
  expect_end(0xa000);
}

Test(ownmap, remove_cuts_and_splits) {
  cr_assert(tri_ownmap_add(AT(0x1000), 0x9000));
  tri_ownmap_remove(AT(0x3000), 0x1000);
  expect(0, 0x1000, 0x3000);
  expect(0x3000, 0x4000, 0xa000);
  tri_ownmap_remove(AT(0x2000), 0x3000);
  expect(0, 0x1000, 0x2000);
  expect(0x2000, 0x5000, 0xa000);
  tri_ownmap_remove(AT(0), 0x100000);
  expect_end(0);
}

Test(ownmap, full_table_refuses_and_still_merges) {
  for (uintptr_t i = 1; i <= 1024; i++) cr_assert(tri_ownmap_add(AT(i << 16), 0x1000));
  cr_assert_not(tri_ownmap_add(AT((uintptr_t)1025 << 16), 0x1000));
  cr_assert(tri_ownmap_add(AT(0x11000), 0xf000), "touches two ranges: needs no new one");
  expect(0, 0x10000, 0x21000);
  cr_assert(tri_ownmap_add(AT((uintptr_t)1025 << 16), 0x1000));
  expect((uintptr_t)1024 << 16 | 0x1000, (uintptr_t)1025 << 16, ((uintptr_t)1025 << 16) + 0x1000);
}

Test(ownmap, split_of_a_full_table_keeps_the_lower_part) {
  for (uintptr_t i = 1; i <= 1024; i++) cr_assert(tri_ownmap_add(AT(i << 16), 0x3000));
  tri_ownmap_remove(AT(0x21000), 0x1000);
  expect(0x20000, 0x20000, 0x21000);
  expect(0x21000, 0x30000, 0x33000);
}
