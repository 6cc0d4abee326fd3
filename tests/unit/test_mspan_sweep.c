/* The sweep of one span: every combination of a slot's bits, the counts, clobberfree, and the fields of a former
 * owner. */
#include <criterion/criterion.h>
#include <string.h>

#include "alloc/mspan_sweep.h"
#include "internal/state.h"

enum { MAX_GROUPS = 16, OLD = 0x55 };

static struct tri_bitgroup groups[MAX_GROUPS];
static struct tri_mspan span;
static unsigned char memory[10 * 8192] __attribute__((aligned(8192)));

static struct tri_mspan *make(unsigned spanclass, size_t npages) {
  memset(groups, 0, sizeof groups);
  memset(memory, OLD, sizeof memory);
  span = (struct tri_mspan){.base = (uintptr_t)memory, .npages = npages, .bits = groups};
  tri_mspan_init(&span, spanclass, 2);
  return &span;
}

static struct tri_mspan *small(unsigned c) {
  return make(c * 2, tri_class_pages[c]);
}

/* What slot i was before: the seven states that the invariants allow, and marks of free slots. */
enum { FREE, FREE_RECLAIMED, FREE_MARKED, DEAD, LIVE, RFREED, RFREED_MARKED, KINDS };

static unsigned kind(uint32_t i) {
  return (i + i / KINDS) % KINDS;
}

static void set(struct tri_mspan *s, uint32_t i, unsigned what) {
  struct tri_bitgroup *b = &s->bits[i / 64];
  uint64_t bit = (uint64_t)1 << i % 64;
  if (what >= DEAD) b->alloc |= bit;
  if (what == FREE_RECLAIMED) b->reclaimed |= bit;
  if (what == FREE_MARKED || what == LIVE || what == RFREED_MARKED) b->mark |= bit;
  if (what == RFREED || what == RFREED_MARKED) b->rfree |= bit;
}

static struct tri_mspan *every_kind(unsigned c) {
  struct tri_mspan *s = small(c);
  for (uint32_t i = 0; i < s->nelems; i++) set(s, i, kind(i));
  tri_mspan_check(s);
  return s;
}

static uint32_t count(const struct tri_mspan *s, unsigned what) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < s->nelems; i++) n += kind(i) == what;
  return n;
}

/* [SPAN-1], [SPAN-2], [FREE-1]: what was marked and not freed stays; all else is free in the bitmap alone. */
Test(mspan_sweep, every_combination_in_every_class) {
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    struct tri_mspan *s = every_kind(c);
    struct tri_sweep_result r = tri_mspan_sweep(s);
    cr_assert_eq(r.live, count(s, LIVE));
    cr_assert_eq(r.freed, count(s, DEAD), "only what the collector freed is counted");
    for (uint32_t i = 0; i < s->nelems; i++) {
      const struct tri_bitgroup *b = &s->bits[i / 64];
      cr_assert_eq(b->alloc >> i % 64 & 1, kind(i) == LIVE, "class %u, slot %u", c, i);
      cr_assert_eq(b->reclaimed >> i % 64 & 1, kind(i) == DEAD || kind(i) == FREE_RECLAIMED, "class %u, slot %u", c, i);
      cr_assert(b->mark == 0 && b->rfree == 0);
    }
    tri_mspan_check(s);
  }
}

Test(mspan_sweep, a_second_sweep_without_marks_frees_the_rest) {
  struct tri_mspan *s = every_kind(1);
  uint32_t live = tri_mspan_sweep(s).live;
  struct tri_sweep_result r = tri_mspan_sweep(s);
  cr_assert_eq(r.live, 0);
  cr_assert_eq(r.freed, live);
  cr_assert(tri_mspan_empty(s));
}

Test(mspan_sweep, large_span) {
  for (unsigned marked = 0; marked < 2; marked++) {
    struct tri_mspan *s = make(0, 5);
    s->bits[0].alloc = 1;
    s->bits[0].mark = marked;
    struct tri_sweep_result r = tri_mspan_sweep(s);
    cr_assert_eq(r.live, marked);
    cr_assert_eq(r.freed, !marked);
    cr_assert_eq(s->bits[0].alloc, marked);
  }
}

Test(mspan_sweep, the_former_owner_leaves_no_trace) {
  struct tri_mspan *s = small(5);
  s->owner = 77, s->room = 2, s->full = 1, s->needzero = 0;
  tri_mspan_sweep(s);
  cr_assert(s->owner == 0 && s->room == 0 && s->full == 0);
  cr_assert_eq(s->needzero, 1);
}

static void check_memory(const struct tri_mspan *s, bool clobbered) {
  for (uint32_t i = 0; i < s->nelems; i++) {
    const uint32_t *w = (const uint32_t *)tri_mspan_slot(s, i);
    uint32_t expected = clobbered && kind(i) == DEAD ? 0xdeadbeef : 0x01010101u * OLD;
    for (size_t k = 0; k < s->elemsize / 4; k++) cr_assert_eq(w[k], expected, "slot %u, word %zu", i, k);
  }
  for (size_t i = s->nelems * s->elemsize; i < sizeof memory; i++) cr_assert_eq(memory[i], OLD, "past the last slot");
}

Test(mspan_sweep, touches_no_memory_without_clobberfree) {
  struct tri_mspan *s = every_kind(7);
  tri_mspan_sweep(s);
  check_memory(s, false);
}

Test(mspan_sweep, clobberfree_fills_what_was_reclaimed_and_nothing_else) {
  tri_state.clobberfree = true;
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    struct tri_mspan *s = every_kind(c);
    tri_mspan_sweep(s);
    check_memory(s, true);
  }
}
