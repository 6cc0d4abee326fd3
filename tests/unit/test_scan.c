/* Every version of the conservative scan that this CPU can run finds the same words, and exactly those in range. */
#include <criterion/criterion.h>

#include "alloc/sizeclass.h"
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
          compare(tri_scan_version(v)->words, n, bases[b], sizes[s]);
        }
}

enum { OBJECTS = 16 };

/* Objects of every class that the small scan takes, in any mixture; what lies around them is not read as theirs. */
static void compare_small(tri_scan_small_fn *scan, uintptr_t base, uintptr_t used) {
  uintptr_t grey[OBJECTS], expected[OBJECTS * TRI_SCAN_SMALL], out[OBJECTS * TRI_SCAN_SMALL + TRI_SCAN_SLACK + 1];
  unsigned n = (unsigned)(next_random() % (OBJECTS + 1)), nexpected = 0;
  for (unsigned i = 0; i < n; i++) {
    unsigned c = 1 + (unsigned)(next_random() % 6), words = tri_scan_small_words[c];
    cr_assert(words >= 1 && words <= TRI_SCAN_SMALL);
    const uintptr_t *object = &block[next_random() % (WORDS - TRI_SCAN_SMALL)];
    grey[i] = tri_grey((uintptr_t)object, c << 8);
    for (unsigned w = 0; w < words; w++)
      if (object[w] - base < used) expected[nexpected++] = object[w];
  }
  out[nexpected + TRI_SCAN_SLACK] = 12345;
  size_t found = scan(grey, n, base, used, out);
  cr_assert_eq(found, nexpected, "%zu words found in %u objects, %u expected", found, n, nexpected);
  for (unsigned i = 0; i < nexpected; i++) cr_assert_eq(out[i], expected[i], "word %u", i);
  cr_assert_eq(out[nexpected + TRI_SCAN_SLACK], 12345, "written past the slack");
}

Test(scan, versions_agree_on_small_objects) {
  uintptr_t base = (uintptr_t)0x7f << 40, used = (uintptr_t)1 << 40;
  tri_scan_init();
  for (unsigned v = 0; tri_scan_version(v); v++)
    for (unsigned i = 0; i < 2000; i++) {
      fill(base, used, i % 9);
      compare_small(tri_scan_version(v)->small, base, used);
    }
}

Test(scan, small_objects_are_those_of_up_to_eight_words) {
  tri_scan_init();
  for (unsigned c = 0; c < TRI_GREY_CLASSES; c++) {
    bool small = c >= 1 && c < TRI_NUM_CLASSES && tri_class_size[c] <= TRI_SCAN_SMALL * sizeof(void *);
    cr_assert_eq(tri_scan_small_words[c], small ? tri_class_size[c] / sizeof(void *) : 0, "class %u", c);
  }
}

Test(scan, init_chooses_the_widest) {
  tri_scan_init();
  unsigned last = 0;
  while (tri_scan_version(last + 1)) last++;
  cr_assert_eq(tri_scan_words, tri_scan_version(last)->words);
  cr_assert_eq(tri_scan_small, tri_scan_version(last)->small);
}
