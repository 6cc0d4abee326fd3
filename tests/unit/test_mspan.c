/* mspan: slots, indices and bits of every size class; birth; what other threads freed; every broken invariant ends in
 * tri_mspan_check. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "alloc/mspan.h"
#include "tests/support/child.h"

enum { MAX_GROUPS = 16, GEN = 6 };
#define BASE ((uintptr_t)1 << 32) /* no memory is there: mspan does not touch objects */

static struct tri_bitgroup groups[MAX_GROUPS];
static struct tri_mspan span;

/* As mheap hands it out. */
static struct tri_mspan *fresh(size_t npages) {
  memset(groups, 0, sizeof groups);
  span = (struct tri_mspan){.base = BASE, .npages = npages, .bits = groups};
  return &span;
}

static struct tri_mspan *small(unsigned c) {
  tri_mspan_init(fresh(tri_class_pages[c]), c * 2, GEN);
  return &span;
}

/* A class of at least two groups whose last one is not full. */
static unsigned ragged_class(void) {
  unsigned c = 1;
  while (tri_class_nelems[c] % 64 == 0 || tri_class_nelems[c] < 65) c++;
  return c;
}

Test(mspan, init_gives_every_class_its_slots) {
  for (unsigned i = 2; i < TRI_NUM_SPANCLASSES; i++) {
    unsigned c = tri_spanclass_size_class(i);
    if (c == 0) continue;
    struct tri_mspan *s = fresh(tri_class_pages[c]);
    s->owner = 5, s->room = 1, s->full = 1, s->clist = 2;
    tri_mspan_init(s, i, GEN);
    cr_assert_eq(s->state, TRI_SPAN_SMALL);
    cr_assert_eq(s->elemsize, tri_class_size[c]);
    cr_assert_eq(s->nelems, tri_class_nelems[c]);
    cr_assert_eq(s->ngroups, (s->nelems + 63) / 64);
    cr_assert_eq(tri_mspan_typed(s), i >= 2 * TRI_NUM_CLASSES);
    cr_assert_eq(tri_mspan_noscan(s), !tri_mspan_typed(s) && i % 2);
    cr_assert_eq(s->sweepgen, GEN);
    cr_assert(s->owner == 0 && s->room == 0 && s->full == 0 && s->clist == 0);
    cr_assert(tri_mspan_empty(s) && tri_mspan_has_room(s));
    tri_mspan_check(s);
  }
}

Test(mspan, init_large) {
  for (unsigned noscan = 0; noscan < 2; noscan++) {
    struct tri_mspan *s = fresh(7);
    tri_mspan_init(s, noscan, GEN);
    cr_assert_eq(s->state, TRI_SPAN_LARGE);
    cr_assert_eq(s->elemsize, 7 * TRI_PAGE_SIZE);
    cr_assert_eq(s->nelems, 1);
    cr_assert_eq(tri_mspan_noscan(s), noscan);
    cr_assert_eq(tri_mspan_index(s, BASE), 0);
    cr_assert_eq(tri_mspan_index(s, BASE + 7 * TRI_PAGE_SIZE - 1), 0);
    cr_assert_eq(tri_mspan_valid(s, 0), 1);
    tri_mspan_check(s);
  }
}

/* [SPAN-1] An address in the tail has an index whose alloc bit exists and is clear even when all slots are in use. */
Test(mspan, index_of_every_byte) {
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    struct tri_mspan *s = small(c);
    for (uint32_t g = 0; g < s->ngroups; g++) s->bits[g].alloc = tri_mspan_valid(s, g);
    for (uintptr_t a = BASE; a < BASE + s->npages * TRI_PAGE_SIZE; a++) {
      uint32_t i = tri_mspan_index(s, a), expected = (uint32_t)((a - BASE) / s->elemsize);
      if (expected < s->nelems) {
        cr_assert_eq(i, expected, "class %u, byte %zu", c, a - BASE);
        cr_assert(a - tri_mspan_slot(s, i) < s->elemsize);
        continue;
      }
      cr_assert_geq(i, s->nelems, "class %u, byte %zu of the tail", c, a - BASE);
      cr_assert(i / 64 >= s->ngroups || !(s->bits[i / 64].alloc >> i % 64 & 1), "class %u, tail", c);
    }
  }
}

/* [SPAN-1] */
Test(mspan, valid_bits_count_the_slots) {
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    struct tri_mspan *s = small(c);
    uint32_t n = 0;
    for (uint32_t g = 0; g < s->ngroups; g++) n += (uint32_t)__builtin_popcountll(tri_mspan_valid(s, g));
    cr_assert_eq(n, s->nelems);
  }
}

Test(mspan, empty_and_room_see_the_last_slot) {
  struct tri_mspan *s = small(ragged_class());
  uint32_t last = s->nelems - 1;
  struct tri_bitgroup *b = &s->bits[last / 64];
  b->alloc = (uint64_t)1 << last % 64;
  cr_assert_not(tri_mspan_empty(s));
  cr_assert(tri_mspan_has_room(s));
  for (uint32_t g = 0; g < s->ngroups; g++) s->bits[g].alloc = tri_mspan_valid(s, g);
  cr_assert_not(tri_mspan_has_room(s));
  b->alloc &= ~((uint64_t)1 << last % 64);
  cr_assert(tri_mspan_has_room(s));
}

/* [SPAN-2], [FREE-1]: a slot that another thread freed is not room until it is collected, and then in the bitmap only.
 */
Test(mspan, remote_frees_are_collected_once) {
  struct tri_mspan *s = small(ragged_class());
  for (uint32_t g = 0; g < s->ngroups; g++) s->bits[g].alloc = tri_mspan_valid(s, g);
  uint32_t freed[] = {0, 63, 64, s->nelems - 1};
  for (unsigned i = 0; i < TRI_ARRAY_LEN(freed); i++) s->bits[freed[i] / 64].rfree |= (uint64_t)1 << freed[i] % 64;
  s->bits[0].reclaimed = 0;
  tri_mspan_check(s);
  cr_assert_not(tri_mspan_has_room(s));
  uint32_t distinct = s->nelems - 1 == 64 ? 3 : 4;
  cr_assert_eq(tri_mspan_collect_rfree(s), distinct);
  for (unsigned i = 0; i < TRI_ARRAY_LEN(freed); i++) {
    cr_assert_not(s->bits[freed[i] / 64].alloc >> freed[i] % 64 & 1);
    cr_assert_eq(s->bits[freed[i] / 64].rfree, 0);
  }
  cr_assert(s->bits[0].alloc >> 1 & 1);
  cr_assert_eq(s->bits[0].reclaimed, 0, "freed by the program, not by the collector");
  cr_assert_eq(tri_mspan_collect_rfree(s), 0);
  tri_mspan_check(s);
}

/* [SPAN-3] Who sees the state sees the fields of that birth. `births` tells a reader that it was overtaken. */
static tri_aword births, stop_reading;

static void *rebirths(void *arg) {
  for (uint64_t n = 1; !tri_load_acq(&stop_reading); n++) {
    unsigned c = 1 + (unsigned)(n % (TRI_NUM_CLASSES - 1));
    tri_int_store_rel(&span.state, TRI_SPAN_DEAD);
    tri_store_rel(&births, n);
    tri_fence_seq();
    span.elemsize = span.nelems = span.divmul = 0;
    span.npages = tri_class_pages[c];
    tri_mspan_init(&span, c * 2, GEN);
  }
  return NULL;
}

Test(mspan, state_is_stored_last, .timeout = 20) {
  pthread_t writer;
  uint64_t good = 0;
  fresh(1);
  tri_mspan_init(&span, 2, GEN);
  cr_assert_eq(pthread_create(&writer, NULL, rebirths, NULL), 0);
  /* On a busy machine the writer may not run beside for a while. */
  for (uint64_t tries = 0; good < 200000 && (tries < 20000000 || good == 0); tries++) {
    uint64_t before = tri_load_acq(&births);
    if (tri_int_load_acq(&span.state) != TRI_SPAN_SMALL) continue;
    size_t elemsize = *(volatile size_t *)&span.elemsize;
    uint32_t nelems = *(volatile uint32_t *)&span.nelems, divmul = *(volatile uint32_t *)&span.divmul;
    tri_fence_seq();
    if (tri_load_acq(&births) != before) continue;
    good++;
    cr_assert(elemsize && nelems && divmul, "born before it was complete");
  }
  tri_store_rel(&stop_reading, 1);
  pthread_join(writer, NULL);
  cr_assert_gt(good, 0);
}

static void (*break_it)(struct tri_mspan *);

static void break_and_check(void) {
  struct tri_mspan *s = small(ragged_class());
  s->bits[0].alloc = 6;
  break_it(s);
  tri_mspan_check(s);
}

#define BREAKER(name, ...)                \
  static void name(struct tri_mspan *s) { \
    __VA_ARGS__;                          \
  }
BREAKER(nothing, (void)s)
BREAKER(dead, s->state = TRI_SPAN_DEAD)
BREAKER(crooked_base, s->base += 16)
BREAKER(no_pages, s->npages = 0)
BREAKER(no_bits, s->bits = NULL)
BREAKER(lost_group, s->ngroups--)
BREAKER(slots_past_the_end, s->nelems++, s->elemsize = s->npages * TRI_PAGE_SIZE)
BREAKER(wrong_kind, s->state = TRI_SPAN_LARGE)
BREAKER(alloc_past_the_end, s->bits[s->ngroups - 1].alloc = (uint64_t)1 << 63) /* [SPAN-1] */
BREAKER(mark_past_the_end, s->bits[s->ngroups - 1].mark = (uint64_t)1 << 63)   /* [SPAN-1] */
BREAKER(rfree_of_a_free_slot, s->bits[0].rfree = 1)                            /* [SPAN-2] */
BREAKER(reclaimed_and_in_use, s->bits[0].reclaimed = 2)

Test(mspan, check_finds_every_broken_invariant) {
  static void (*const all[])(struct tri_mspan *) = {dead,
                                                    crooked_base,
                                                    no_pages,
                                                    no_bits,
                                                    lost_group,
                                                    slots_past_the_end,
                                                    wrong_kind,
                                                    alloc_past_the_end,
                                                    mark_past_the_end,
                                                    rfree_of_a_free_slot,
                                                    reclaimed_and_in_use};
  break_it = nothing;
  cr_assert_eq(child_run(break_and_check), 0);
  for (unsigned i = 0; i < TRI_ARRAY_LEN(all); i++) {
    break_it = all[i];
    cr_expect_eq(child_run(break_and_check), 128 + 6, "breaker %u went unseen", i);
  }
}
