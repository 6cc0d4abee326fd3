/* From an address to its slot: every byte of small and large spans, tails, dead spans, what is in use. */
#include <criterion/criterion.h>

#include "gc/slot.h"

#define HEAP_BYTES ((size_t)64 << 20)

static void init(void) {
  cr_assert(tri_mheap_init(HEAP_BYTES));
}

TestSuite(slot, .init = init);

static struct tri_mspan *span(unsigned spanclass, size_t npages) {
  unsigned c = spanclass / 2;
  struct tri_mspan *s = tri_mheap_alloc_span(c ? tri_class_pages[c] : npages, 1, c ? tri_class_nelems[c] : 1);
  tri_mspan_init(s, spanclass, 2);
  return s;
}

Test(slot, every_address_of_every_class) {
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    struct tri_mspan *s = span(c * 2, 0);
    for (uintptr_t a = s->base; a < s->base + s->npages * TRI_PAGE_SIZE; a++) {
      struct tri_slot slot = {0};
      size_t i = (a - s->base) / s->elemsize;
      cr_assert_eq(tri_slot_find(a, &slot), i < s->nelems, "class %u, byte %zu", c, a - s->base);
      if (i >= s->nelems) continue;
      cr_assert(slot.span == s && slot.index == i && slot.group == &s->bits[i / 64]);
      cr_assert_eq(slot.bit, (uint64_t)1 << i % 64);
      cr_assert_eq(tri_slot_start(&slot), s->base + i * s->elemsize);
    }
  }
}

Test(slot, large_object) {
  struct tri_slot slot;
  struct tri_mspan *s = span(1, 50);
  uintptr_t inside[] = {0, 1, 8192, 50 * TRI_PAGE_SIZE - 1};
  for (unsigned i = 0; i < TRI_ARRAY_LEN(inside); i++) {
    cr_assert(tri_slot_find(s->base + inside[i], &slot));
    cr_assert(slot.span == s && slot.index == 0 && slot.bit == 1 && tri_slot_start(&slot) == s->base);
  }
}

Test(slot, no_span_no_slot) {
  struct tri_slot slot;
  struct tri_mspan *s = span(2, 0);
  uintptr_t wrong[] = {0, s->base - 1, s->base + TRI_PAGE_SIZE, tri_heap_range.base + HEAP_BYTES, UINTPTR_MAX};
  for (unsigned i = 0; i < TRI_ARRAY_LEN(wrong); i++) cr_assert_not(tri_slot_find(wrong[i], &slot), "%u", i);
}

/* [SPAN-3] */
Test(slot, a_dead_span_has_no_slots) {
  struct tri_slot slot;
  struct tri_mspan *s = span(2, 0);
  uintptr_t base = s->base;
  cr_assert(tri_slot_find(base, &slot));
  tri_int_store_rel(&s->state, TRI_SPAN_DEAD);
  cr_assert_not(tri_slot_find(base, &slot));
  cr_assert_not(tri_slot_in_span(s, base, &slot));
  tri_mheap_free_span(s, true);
  cr_assert_not(tri_slot_find(base, &slot));
}

/* [FREE-1], [SPAN-2]: freed by another thread is not in use, though its alloc bit stands. */
Test(slot, in_use) {
  struct tri_slot slot;
  struct tri_mspan *s = span(2, 0);
  uintptr_t a = s->base + 70 * s->elemsize;
  cr_assert(tri_slot_find(a, &slot));
  cr_assert_not(tri_slot_in_use(&slot));
  s->bits[1].alloc = (uint64_t)1 << 6;
  cr_assert(tri_slot_in_use(&slot));
  s->bits[1].rfree = (uint64_t)1 << 7;
  cr_assert(tri_slot_in_use(&slot));
  s->bits[1].rfree |= (uint64_t)1 << 6;
  cr_assert_not(tri_slot_in_use(&slot));
}
