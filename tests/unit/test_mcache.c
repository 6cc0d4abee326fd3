/* mcache: the fast paths, hints, where room is looked for and in which order, what is kept and what is given back, the
 * counters, the end of a thread and of a cycle. */
#include <criterion/criterion.h>
#include <string.h>

#include "alloc/alloc_port.h"
#include "alloc/mcache.h"
#include "alloc/mcentral.h"
#include "internal/state.h"

#define HEAP_BYTES ((size_t)64 << 20)

enum { KEEP_BYTES = 1 << 20, FLUSH_BYTES = 64 << 10 };

static struct tri_mcache a, b;
static unsigned grew;
static uint64_t grew_live;

void tri_port_heap_grew(uint64_t heap_live, int64_t grown) {
  grew++;
  grew_live = heap_live;
}

static void init(void) {
  cr_assert(tri_mheap_init(HEAP_BYTES));
  tri_mcache_init(&a);
  tri_mcache_init(&b);
}

TestSuite(mcache, .init = init, .timeout = 20);

static unsigned scan_class(size_t size) {
  return tri_size_class(size) * 2;
}

static uintptr_t alloc(struct tri_mcache *c, unsigned spanclass) {
  uintptr_t p = (uintptr_t)tri_mcache_alloc(c, spanclass);
  cr_assert_neq(p, 0);
  return p;
}

static struct tri_bitgroup *group_of(uintptr_t p, uint64_t *bit) {
  struct tri_mspan *s = tri_mheap_span_of(p);
  uint32_t i = tri_mspan_index(s, p);
  *bit = (uint64_t)1 << i % 64;
  return &s->bits[i / 64];
}

static void own_free(struct tri_mcache *c, uintptr_t p) {
  uint64_t bit;
  struct tri_bitgroup *g = group_of(p, &bit);
  cr_assert(g->alloc & bit);
  tri_mcache_free(c, tri_mheap_span_of(p), g, bit, p);
}

static void remote_free(uintptr_t p) {
  uint64_t bit;
  struct tri_bitgroup *g = group_of(p, &bit);
  cr_assert_not(tri_fetch_or_seq(&g->rfree, bit) & bit);
  tri_mcentral_notify_rfree(tri_mheap_span_of(p));
}

static size_t nspans(void) {
  struct tri_mheap_stats st;
  tri_mheap_read_stats(&st);
  return st.nspans;
}

/* Takes all slots of one span; slots[0] is its first. */
static struct tri_mspan *fill_span(struct tri_mcache *c, unsigned spanclass, uintptr_t *slots) {
  for (uint32_t i = 0; i < tri_class_nelems[tri_spanclass_size_class(spanclass)]; i++) slots[i] = alloc(c, spanclass);
  return tri_mheap_span_of(slots[0]);
}

static unsigned room_length(const struct tri_mcache *c, unsigned spanclass) {
  unsigned n = 0;
  for (const struct tri_mspan *s = c->cls[spanclass].room; s; s = s->tnext) n++;
  return n;
}

/* A class of few slots to a span that asks the central again and again takes more each time; what it did not use goes
 * back when its thread ends, pages and all. */
Test(mcache, a_busy_class_takes_several_spans_at_once) {
  enum { SPANS = 40 };
  unsigned c = scan_class(1024), slots = tri_class_nelems[c / 2];
  struct tri_mspan *listed[SPANS];
  for (int i = 0; i < SPANS; i++) listed[i] = tri_mcentral_acquire(c, b.token, 1);
  for (int i = 0; i < SPANS; i++) tri_mcentral_release(listed[i]);
  unsigned expected[] = {1, 2, 4, 8, 8, 8}; /* 128 KiB */
  for (unsigned i = 0; i < TRI_ARRAY_LEN(expected); i++) {
    alloc(&a, c);
    cr_assert_eq(room_length(&a, c), expected[i] - 1, "visit %u", i);
    for (unsigned n = 1; n < expected[i] * slots; n++) alloc(&a, c);
    cr_assert_eq(room_length(&a, c), 0);
  }
  cr_assert_eq(nspans(), SPANS);
  alloc(&a, c);
  cr_assert_eq(room_length(&a, c), 7);
  tri_mcache_release(&a);
  cr_assert_eq(nspans(), SPANS - 7, "untouched spans are not kept");
}

Test(mcache, large_slots_come_in_small_batches) {
  unsigned c = scan_class(32768);
  struct tri_mspan *listed[8];
  for (int i = 0; i < 8; i++) listed[i] = tri_mcentral_acquire(c, b.token, 1);
  for (int i = 0; i < 8; i++) tri_mcentral_release(listed[i]);
  for (int i = 0; i < 8; i++) {
    alloc(&a, c);
    cr_assert_leq((room_length(&a, c) + 1) * tri_class_pages[c / 2], tri_max(16, tri_class_pages[c / 2]));
  }
}

/* [CACHE-1] */
Test(mcache, init_has_no_room_anywhere) {
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) {
    cr_assert_eq(~a.hot[i].group->alloc & a.hot[i].valid, 0);
    cr_assert(a.cls[i].span == NULL && a.cls[i].room == NULL && a.hot[i].top->bit == 0);
  }
  uint64_t token = a.token;
  cr_assert_eq(token & (((uint64_t)1 << 48) - 1), (uintptr_t)&a);
  cr_assert_neq(token, b.token);
  tri_mcache_init(&a);
  cr_assert_neq(a.token, token);
}

/* [CACHE-1] */
Test(mcache, every_slot_of_every_class_once) {
  static uintptr_t slots[2048];
  for (unsigned i = 2; i < TRI_NUM_SPANCLASSES; i++) {
    if (tri_spanclass_size_class(i) == 0) continue;
    struct tri_mspan *s = fill_span(&a, i, slots);
    for (uint32_t k = 0; k < s->nelems; k++) cr_assert_eq(slots[k], tri_mspan_slot(s, k), "class %u, slot %u", i, k);
    cr_assert(s->spanclass == i && s->owner == a.token && !tri_mspan_has_room(s));
    cr_assert_neq(tri_mheap_span_of(alloc(&a, i)), s);
    tri_mspan_check(s);
  }
}

/* [FREE-1] */
Test(mcache, a_freed_slot_is_free_in_the_bitmap_and_first_to_go) {
  unsigned c = scan_class(64);
  uintptr_t p[4];
  uint64_t bit;
  for (int i = 0; i < 4; i++) p[i] = alloc(&a, c);
  own_free(&a, p[2]);
  own_free(&a, p[1]);
  struct tri_bitgroup *g = group_of(p[1], &bit);
  cr_assert_not(g->alloc & bit);
  g->reclaimed |= bit;
  cr_assert_eq(alloc(&a, c), p[1]);
  cr_assert((g->alloc & bit) && !(g->reclaimed & bit), "in use again, so not reclaimed");
  cr_assert_eq(alloc(&a, c), p[2]);
  cr_assert_eq(alloc(&a, c), p[3] + 64);
}

/* The hint on top is stale, so the bitmap serves. */
Test(mcache, a_hint_is_only_a_hint) {
  unsigned c = scan_class(64);
  uintptr_t x = alloc(&a, c), y = alloc(&a, c), z = alloc(&a, c);
  own_free(&a, x);
  own_free(&a, y);
  *++a.hot[c].top = (struct tri_mcache_hint){a.hints[c][1].group, (uint64_t)1 << (z - x) / 64, z}; /* z is in use */
  cr_assert_eq(alloc(&a, c), x, "the lowest");
  cr_assert_eq(a.hot[c].top, a.hints[c]);
  cr_assert_eq(alloc(&a, c), y);
  cr_assert_neq(alloc(&a, c), z, "handed out twice");
}

/* [CACHE-5] */
Test(mcache, who_gives_a_span_up_forgets_the_hints) {
  static uintptr_t p[64];
  unsigned c = scan_class(32768), pages = tri_class_pages[c / 2];
  unsigned kept = KEEP_BYTES / (unsigned)(pages * TRI_PAGE_SIZE);
  for (unsigned i = 0; i < kept + 2; i++) p[i] = alloc(&a, c);
  for (unsigned i = 0; i < kept; i++) own_free(&a, p[i]);
  cr_assert_gt(a.hot[c].top, a.hints[c]);
  own_free(&a, p[kept]);
  cr_assert_eq(a.hot[c].top, a.hints[c], "the last one's span died");
}

Test(mcache, frees_beyond_the_room_for_hints_are_found_in_the_bitmap) {
  unsigned c = scan_class(16);
  enum { N = TRI_MCACHE_HINTS + 24 };
  uintptr_t p[N];
  for (int i = 0; i < N; i++) p[i] = alloc(&a, c);
  for (int i = 0; i < N; i++) own_free(&a, p[i]);
  for (int i = TRI_MCACHE_HINTS - 1; i >= 0; i--) cr_assert_eq(alloc(&a, c), p[i]);
  for (int i = TRI_MCACHE_HINTS; i < N; i++) cr_assert_eq(alloc(&a, c), p[i], "each once, the lowest first");
  cr_assert_eq(alloc(&a, c), p[N - 1] + 16);
}

/* [CACHE-2] */
Test(mcache, a_full_span_comes_back_when_its_owner_frees) {
  static uintptr_t p[2048];
  unsigned c = scan_class(1024);
  struct tri_mspan *s = fill_span(&a, c, p);
  alloc(&a, c);
  cr_assert(s->full && s->room == TRI_ROOM_NONE && a.cls[c].span != s);
  own_free(&a, p[3]);
  cr_assert(!s->full && s->room == TRI_ROOM_LISTED && a.cls[c].room == s);
  cr_assert_eq(alloc(&a, c), p[3], "by its hint");
  own_free(&a, p[3]);
  a.hot[c].top = a.hints[c];
  while (a.cls[c].span != s) alloc(&a, c);
  cr_assert(s->room == TRI_ROOM_NONE && a.cls[c].room == NULL);
  cr_assert_eq(nspans(), 2);
}

/* [CENTRAL-3]: the inbox is asked before the central. */
Test(mcache, remote_frees_come_back_through_the_inbox) {
  static uintptr_t p[2048];
  unsigned c = scan_class(1024);
  struct tri_mspan *s = fill_span(&a, c, p);
  struct tri_mspan *t = fill_span(&a, c, p + 1024);
  cr_assert_neq(s, t);
  remote_free(p[5]);
  cr_assert_neq(a.inbox, 0);
  cr_assert_eq(alloc(&a, c), p[5]);
  cr_assert(a.inbox == 0 && s->rpending == 0 && s->bits[0].rfree == 0 && s->owner == a.token);
  cr_assert_eq(nspans(), 2);
}

Test(mcache, remote_frees_in_the_current_span_are_found_without_being_told) {
  static uintptr_t p[2048];
  unsigned c = scan_class(1024);
  struct tri_mspan *s = fill_span(&a, c, p);
  s->bits[0].rfree = 1;
  cr_assert_eq(alloc(&a, c), p[0]);
  cr_assert_eq(nspans(), 1);
}

/* Frees whole spans; returns how many died. */
static size_t empty_spans(unsigned c, unsigned n) {
  static uintptr_t p[4096];
  unsigned per_span = tri_class_nelems[c / 2];
  for (unsigned i = 0; i < (n + 1) * per_span; i++) p[i] = alloc(&a, c);
  size_t before = nspans();
  for (unsigned i = 0; i < n * per_span; i++) own_free(&a, p[i]);
  return before - nspans();
}

Test(mcache, keeps_a_mebibyte_of_empty_spans) {
  unsigned c = scan_class(32768), pages = tri_class_pages[c / 2];
  unsigned kept = KEEP_BYTES / (unsigned)(pages * TRI_PAGE_SIZE);
  cr_assert_eq(empty_spans(c, kept + 10), 10);
  cr_assert_eq(a.empty_bytes, kept * pages * TRI_PAGE_SIZE);
  for (unsigned i = 0; i < kept; i++) alloc(&a, c);
  cr_assert_lt(a.empty_bytes, kept * pages * TRI_PAGE_SIZE);
}

/* [FREE-2] */
Test(mcache, no_span_dies_while_marking) {
  tri_state.phase = TRI_PHASE_MARK;
  cr_assert_eq(empty_spans(scan_class(32768), 50), 0);
}

Test(mcache, a_hint_into_an_empty_span_takes_it_from_the_empty_ones) {
  static uintptr_t p[64];
  unsigned c = scan_class(8192);
  struct tri_mspan *s = fill_span(&a, c, p);
  alloc(&a, c);
  for (uint32_t i = 0; i < s->nelems; i++) own_free(&a, p[i]);
  cr_assert(s->room == TRI_ROOM_EMPTY && a.empty_bytes == s->npages * TRI_PAGE_SIZE);
  cr_assert_eq(tri_mheap_span_of(alloc(&a, c)), s);
  cr_assert(s->room == TRI_ROOM_LISTED && a.empty_bytes == 0);
}

Test(mcache, counters_are_flushed_in_steps) {
  unsigned c = scan_class(1024);
  uintptr_t p = alloc(&a, c);
  cr_assert_eq(a.live_delta, 1024);
  cr_assert_eq(a.gross_bytes, tri_min(64, tri_class_nelems[c / 2]) * 1024, "whole groups");
  own_free(&a, p);
  cr_assert_eq(a.live_delta, 0);
  a.gross_bytes = FLUSH_BYTES;
  a.live_delta = FLUSH_BYTES;
  tri_mcache_flush_if_due(&a);
  cr_assert_eq(grew, 0);
  a.live_delta = FLUSH_BYTES + 1;
  tri_mcache_flush_if_due(&a);
  cr_assert(grew == 1 && grew_live == FLUSH_BYTES + 1);
  cr_assert(tri_state.heap_live == FLUSH_BYTES + 1 && tri_state.total_alloc == FLUSH_BYTES);
  cr_assert(a.live_delta == 0 && a.gross_bytes == 0);
  a.live_delta = -FLUSH_BYTES - 1;
  tri_mcache_flush_if_due(&a);
  cr_assert(grew == 2 && tri_state.heap_live == 0);
  a.gross_bytes = FLUSH_BYTES + 1;
  tri_mcache_flush_if_due(&a);
  cr_assert_eq(grew, 3);
}

Test(mcache, allocation_tells_the_port) {
  for (int i = 0; i < 4096; i++) alloc(&a, scan_class(1024));
  cr_assert(grew >= 10 && grew <= 64, "%u flushes for 4 MiB", grew);
  cr_assert_eq((int64_t)tri_state.heap_live + a.live_delta, 4 << 20);
}

/* The end of a thread: room goes to the next, empty spans die, full ones stay; late remote frees reach the central. */
Test(mcache, release_gives_all_up) {
  static uintptr_t p[2048], q[64];
  unsigned c = scan_class(1024), e = scan_class(8192);
  struct tri_mspan *full = fill_span(&a, c, p), *current = tri_mheap_span_of(alloc(&a, c));
  struct tri_mspan *empty = fill_span(&a, e, q);
  alloc(&a, e);
  for (uint32_t i = 0; i < empty->nelems; i++) own_free(&a, q[i]);
  uint64_t token = a.token;
  tri_mcache_release(&a);
  cr_assert_neq(a.token, token);
  cr_assert(a.live_delta == 0 && a.empty_bytes == 0 && grew > 0);
  cr_assert_eq(empty->state, TRI_SPAN_DEAD);
  cr_assert(current->owner == 0 && current->clist == TRI_CLIST_PARTIAL);
  cr_assert_eq(full->clist, TRI_CLIST_BUSY);
  cr_assert_eq(tri_mheap_span_of(alloc(&b, c)), current);
  remote_free(p[7]);
  cr_assert_eq(a.inbox, 0);
  while (tri_mcentral_acquire(c, b.token, 1) != full) cr_assert_leq(nspans(), 8, "the remote free was lost");
  cr_assert_eq(full->owner, b.token);
}

/* Spans of the inbox are not lost with it. */
Test(mcache, release_empties_the_inbox) {
  static uintptr_t p[2048];
  unsigned c = scan_class(1024);
  struct tri_mspan *s = fill_span(&a, c, p);
  alloc(&a, c);
  remote_free(p[0]);
  tri_mcache_release(&a);
  cr_assert(a.inbox == 0 && s->rpending == 0 && s->clist == TRI_CLIST_PARTIAL);
}

/* [CACHE-3] */
Test(mcache, discard_forgets_every_span_at_once) {
  static uintptr_t p[2048];
  unsigned c = scan_class(1024);
  struct tri_mspan *s = fill_span(&a, c, p);
  alloc(&a, c);
  own_free(&a, p[1]);
  remote_free(p[0]);
  uint64_t token = a.token;
  tri_mcache_discard_stw(&a);
  cr_assert(a.token != token && s->owner == token);
  cr_assert(a.inbox == 0 && a.live_delta == 0 && a.gross_bytes == 0 && a.empty_bytes == 0);
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++)
    cr_assert(a.cls[i].span == NULL && a.cls[i].room == NULL && a.hot[i].top->bit == 0 && a.hot[i].valid == 0);
  tri_mcentral_flip_stw();
  tri_state.sweepgen += 2;
  cr_assert_eq(tri_mheap_span_of(alloc(&a, c)), tri_mheap_span_of(alloc(&a, c)), "from a swept span");
}

Test(mcache, no_memory_is_null) {
  unsigned c = scan_class(32768);
  unsigned n = 0;
  while (tri_mcache_alloc(&a, c)) n++;
  cr_assert_gt(n, HEAP_BYTES / 32768 / 2);
  cr_assert_null(tri_mcache_alloc(&a, c));
  tri_mcache_discard_stw(&a);
  tri_mcentral_flip_stw();
  tri_state.sweepgen += 2;
  for (unsigned i = 0; i < n; i++) cr_assert_not_null(tri_mcache_alloc(&a, c), "after a cycle all is free");
}
