/* Size classes: the tables against their definition. That they are what the generator prints is a test of its own. */
#include <criterion/criterion.h>

#include "alloc/sizeclass.h"

Test(sizeclass, known_values) {
  cr_assert_eq(tri_class_size[1], 8);
  cr_assert_eq(tri_class_size[5], 48);
  cr_assert_eq(tri_class_size[35], 1408);
  cr_assert_eq(tri_class_pages[26], 2 * 1, "two of Go's");
  cr_assert_eq(tri_class_pages[35], 2, "one of Go's");
  cr_assert_eq(tri_class_size[65], 27264);
  cr_assert_eq(tri_class_pages[65], 10);
  cr_assert_eq(tri_class_size[67], TRI_MAX_SMALL);
}

Test(sizeclass, sizes_grow_and_fill_their_spans) {
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    size_t span = tri_class_pages[c] * TRI_PAGE_SIZE;
    cr_assert_gt(tri_class_size[c], tri_class_size[c - 1]);
    cr_assert_eq(tri_class_nelems[c], span / tri_class_size[c]);
    cr_assert_leq(tri_class_nelems[c], 1024);
    cr_assert_leq(span % tri_class_size[c], span / 8, "class %u wastes more than an eighth", c);
  }
}

/* Up to 1 KiB Go's spans are single pages. */
Test(sizeclass, spans_of_few_small_slots_are_two_pages) {
  for (unsigned c = 1; tri_class_size[c] <= 1024; c++) {
    bool few = 2 * TRI_PAGE_SIZE / tri_class_size[c] <= 64;
    cr_assert_eq(tri_class_pages[c], few ? 2 : 1, "class %u", c);
  }
  cr_assert_eq(tri_class_pages[44], 1, "4096 bytes");
  cr_assert_eq(tri_class_pages[67], 4, "32768 bytes");
}

Test(sizeclass, lookup_gives_the_smallest_class_that_fits) {
  for (size_t size = 1; size <= TRI_MAX_SMALL; size++) {
    unsigned c = tri_size_class(size);
    cr_assert(c >= 1 && tri_class_size[c] >= size && tri_class_size[c - 1] < size, "size %zu class %u", size, c);
  }
  cr_assert_eq(tri_size_class(0), 1);
}

Test(sizeclass, malloc_lookup_keeps_sixteen_byte_alignment_and_a_byte_to_spare) {
  for (size_t size = 8; size <= TRI_MAX_SMALL_MALLOC; size++) {
    unsigned c = tri_size_class_malloc(size), plain = tri_size_class(size + 1);
    cr_assert_eq(tri_class_size[c] % 16, 0, "size %zu class %u", size, c);
    cr_assert_gt(tri_class_size[c], size);
    cr_assert(c == plain || (plain == 3 && c == 4), "size %zu class %u", size, c);
  }
  for (size_t size = 0; size < 8; size++) cr_assert_eq(tri_size_class_malloc(size), 1);
}

Test(sizeclass, reciprocal_is_exact_for_every_offset) {
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    size_t span = tri_class_pages[c] * TRI_PAGE_SIZE, size = tri_class_size[c];
    for (size_t offset = 0; offset < span; offset++) {
      cr_assert_eq(((uint64_t)offset * tri_class_divmul[c]) >> 32, offset / size, "class %u offset %zu", c, offset);
      bool starts = (uint32_t)(offset * tri_class_divmul[c]) < tri_class_divmul[c];
      cr_assert_eq(starts, offset % size == 0, "class %u offset %zu", c, offset);
    }
  }
}
