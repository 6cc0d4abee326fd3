/* Every version of the conservative scan that this CPU can run finds the same words, and exactly those in range. */
#include <criterion/criterion.h>

#include "gc/scan.h"

enum { WORDS = 70 };

static uintptr_t block[WORDS + 1];
static uint64_t seed = 1;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

/* Words around both ends of the range, in it, far off, and null. */
static void fill(uintptr_t base, uintptr_t used, unsigned density) {
  for (unsigned i = 0; i < WORDS; i++) {
    uint64_t r = next_random();
    uintptr_t near[] = {base - 1, base, base + used - 1, base + used, base + used / 2, 0, UINTPTR_MAX, ~base};
    block[i] = r % 8 < density ? near[(r >> 8) % 8] : 0;
  }
}

static void compare(tri_scan_fn *scan, size_t n, uintptr_t base, uintptr_t used) {
  uintptr_t out[WORDS + TRI_SCAN_SLACK + 1];
  out[n + TRI_SCAN_SLACK] = 12345;
  size_t found = scan(block, n, base, used, out), expected = 0;
  for (size_t i = 0; i < n; i++) {
    if (block[i] - base >= used) continue;
    cr_assert(expected < found, "word %zu of %zu was not found", i, n);
    cr_assert_eq(out[expected++], block[i], "word %zu of %zu", i, n);
  }
  cr_assert_eq(found, expected, "%zu words found of %zu, %zu expected", found, n, expected);
  cr_assert_eq(out[n + TRI_SCAN_SLACK], 12345, "written past the slack");
}

Test(scan, versions_agree) {
  static const uintptr_t bases[] = {(uintptr_t)0xc0 << 32, (uintptr_t)0x7f << 40, (uintptr_t)1 << 63, 4 << 20};
  static const uintptr_t sizes[] = {4 << 20, (uintptr_t)1 << 40, ((uintptr_t)1 << 40) + 1};
  for (unsigned v = 0; tri_scan_version(v); v++)
    for (unsigned b = 0; b < TRI_ARRAY_LEN(bases); b++)
      for (unsigned s = 0; s < TRI_ARRAY_LEN(sizes); s++)
        for (unsigned n = 0; n <= WORDS; n++) {
          fill(bases[b], sizes[s], 1 + n % 8);
          compare(tri_scan_version(v), n, bases[b], sizes[s]);
        }
}

Test(scan, init_chooses_the_widest) {
  tri_scan_init();
  unsigned last = 0;
  while (tri_scan_version(last + 1)) last++;
  cr_assert_eq(tri_scan_words, tri_scan_version(last));
}
