/* mcentral: who gets a span, where it is listed, lazy and full sweeping, flips, large objects, and the way of a remote
 * free to the one who can use it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "alloc/alloc_port.h"
#include "alloc/mcache.h"
#include "alloc/mcentral.h"
#include "internal/state.h"
#include "tests/support/child.h"

#define HEAP_BYTES ((size_t)64 << 20)

enum { CLASS = 30 * 2, OTHER = 20 * 2 };

/* Only for their tokens and inboxes; their allocator is not called. */
static struct tri_mcache a, b;

void tri_port_heap_grew(uint64_t heap_live, int64_t grown) {}

static void init(void) {
  cr_assert(tri_mheap_init(HEAP_BYTES));
  tri_mcache_init(&a);
  tri_mcache_init(&b);
}

TestSuite(mcentral, .init = init, .timeout = 20);

static size_t nspans(void) {
  struct tri_mheap_stats st;
  tri_mheap_read_stats(&st);
  return st.nspans;
}

static void fill(struct tri_mspan *s) {
  for (uint32_t g = 0; g < s->ngroups; g++) s->bits[g].alloc = tri_mspan_valid(s, g);
}

static void mark_all(struct tri_mspan *s) {
  for (uint32_t g = 0; g < s->ngroups; g++) s->bits[g].mark = s->bits[g].alloc;
}

static struct tri_mspan *full_span(unsigned spanclass, uint64_t token) {
  struct tri_mspan *s = tri_mcentral_acquire(spanclass, token, 1);
  fill(s);
  return s;
}

/* Another thread frees slot 0. */
static void remote_free(struct tri_mspan *s) {
  cr_assert_eq(tri_fetch_or_seq(&s->bits[0].rfree, 1) & 1, 0);
  tri_mcentral_notify_rfree(s);
}

static void flip(void) {
  tri_mcache_discard_stw(&a);
  tri_mcache_discard_stw(&b);
  tri_mcentral_flip_stw();
  tri_int_store_rel(&tri_state.sweepgen, tri_state.sweepgen + 2);
}

static bool linked(const struct tri_mcache *c, const struct tri_mspan *s) {
  int n = 0;
  for (const struct tri_mspan *l = (const struct tri_mspan *)c->inbox; l; l = l->rnext) n += l == s;
  cr_assert_leq(n, 1);
  return n == 1;
}

/* [CENTRAL-2] */
Test(mcentral, a_new_span_is_swept_and_owned) {
  struct tri_mspan *s = tri_mcentral_acquire(CLASS, a.token, 1);
  cr_assert_eq(s->spanclass, CLASS);
  cr_assert_eq(s->owner, a.token);
  cr_assert_eq(s->sweepgen, tri_state.sweepgen);
  cr_assert_eq(s->clist, TRI_CLIST_BUSY);
  cr_assert(tri_mspan_empty(s));
  cr_assert_eq(tri_mheap_span_of(s->base), s);
  tri_mspan_check(s);
  cr_assert_neq(tri_mcentral_acquire(CLASS, b.token, 1), s, "an owned span has no second owner");
}

Test(mcentral, a_released_span_with_room_goes_to_the_next) {
  struct tri_mspan *s = tri_mcentral_acquire(CLASS, a.token, 1);
  s->bits[0].alloc = 1;
  tri_mcentral_release(s);
  cr_assert(s->owner == 0 && s->clist == TRI_CLIST_PARTIAL);
  cr_assert_neq(tri_mcentral_acquire(OTHER, b.token, 1), s);
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), s);
  cr_assert(s->owner == b.token && s->clist == TRI_CLIST_BUSY && s->bits[0].alloc == 1);
}

Test(mcentral, a_released_full_span_waits_for_a_remote_free) {
  struct tri_mspan *s = full_span(CLASS, a.token);
  tri_mcentral_release(s);
  cr_assert(s->owner == 0 && s->clist == TRI_CLIST_BUSY);
  cr_assert_neq(tri_mcentral_acquire(CLASS, b.token, 1), s);
  remote_free(s);
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), s);
  cr_assert_eq(s->owner, b.token);
  cr_assert_eq(s->bits[0].alloc & 3, 2, "[FREE-1] the freed slot is in the bitmap");
  cr_assert_eq(s->bits[0].rfree, 0);
  cr_assert_eq(s->rpending, 0);
}

/* [SPAN-3] */
Test(mcentral, a_retired_span_dies) {
  struct tri_mspan *s = tri_mcentral_acquire(CLASS, a.token, 1);
  uintptr_t base = s->base;
  tri_mcentral_retire(s);
  cr_assert_eq(s->state, TRI_SPAN_DEAD);
  cr_assert_eq(nspans(), 0);
  cr_assert(tri_mheap_page_was_freed(base) && !tri_mheap_page_was_reclaimed(base));
}

static void count_spans(struct tri_mspan *s, void *arg) {
  cr_assert_neq(s->state, TRI_SPAN_DEAD);
  ++*(size_t *)arg;
}

Test(mcentral, each_visits_every_list) {
  size_t n = 0;
  tri_mcentral_release(tri_mcentral_acquire(CLASS, a.token, 1));
  tri_mcentral_acquire(CLASS, a.token, 1);
  tri_mcentral_release(full_span(CLASS, a.token));
  full_span(CLASS, a.token);
  full_span(OTHER, a.token);
  tri_mcentral_each(CLASS, count_spans, &n);
  cr_assert_eq(n, nspans() - 1);
  mark_all(tri_mcentral_acquire(CLASS, a.token, 1));
  n = 0;
  size_t before = nspans();
  flip();
  tri_mcentral_each(CLASS, count_spans, &n);
  cr_assert_eq(n, before - 1);
}

/* [CENTRAL-1] */
Test(mcentral, flip_unsweeps_and_the_sweep_sorts) {
  struct tri_mspan *full = full_span(CLASS, a.token), *part = full_span(CLASS, a.token),
                   *dead = full_span(CLASS, b.token);
  mark_all(full);
  part->bits[0].mark = 2;
  uintptr_t gone = dead->base;
  cr_assert(tri_mcentral_all_swept());
  flip();
  cr_assert_not(tri_mcentral_all_swept());
  cr_assert_eq(full->sweepgen, tri_state.sweepgen - 2);
  cr_assert_neq(full->owner, a.token, "[CACHE-3] the token changed");
  cr_assert_not(tri_mcentral_sweep_some(OTHER, 1));
  for (int i = 0; i < 3; i++) cr_assert(tri_mcentral_sweep_some(CLASS, 1));
  cr_assert_not(tri_mcentral_sweep_some(CLASS, 1));
  cr_assert(tri_mcentral_all_swept());
  cr_assert(full->clist == TRI_CLIST_BUSY && full->owner == 0 && full->sweepgen == tri_state.sweepgen);
  cr_assert(part->clist == TRI_CLIST_PARTIAL && part->bits[0].alloc == 2 && part->bits[0].mark == 0);
  cr_assert_eq(part->sweepgen, tri_state.sweepgen);
  cr_assert_eq(dead->state, TRI_SPAN_DEAD);
  cr_assert(tri_mheap_page_was_reclaimed(gone));
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), part);
}

static void flip_with_unswept_spans(void) {
  full_span(CLASS, a.token);
  flip();
  flip();
}

Test(mcentral, flip_checks_that_all_is_swept) {
  cr_assert_eq(child_run(flip_with_unswept_spans), 128 + 6);
}

/* What a fork's child finds: words taken off a stack by a thread that it does not have, and words still in stacks. */
Test(mcentral, retell_finds_every_remote_free_again) {
  struct tri_mspan *owned = full_span(CLASS, a.token), *unowned = full_span(CLASS, a.token),
                   *still = full_span(CLASS, a.token);
  struct tri_mspan *large = tri_mcentral_alloc_large(3, 1, false), *quiet = full_span(CLASS, a.token);
  tri_mcentral_release(unowned);
  remote_free(still);
  struct tri_mspan *lost[] = {owned, unowned, large};
  for (int i = 0; i < 3; i++) {
    tri_fetch_or_seq(&lost[i]->bits[0].rfree, 1);
    tri_int_store_rel(&lost[i]->rpending, 1);
  }
  tri_store_rlx(&a.inbox, 0);
  tri_mcentral_retell();
  cr_assert(linked(&a, owned) && linked(&a, still) && !linked(&a, quiet));
  cr_assert_eq(quiet->rpending, 0);
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), unowned);
  tri_mcentral_drain_pending(0);
  cr_assert_eq(large->state, TRI_SPAN_DEAD);
}

/* The struct of a large span that died while a pending stack named it is born again in the other class of large spans,
 * and freed there: the flip must not take it from a half-flipped list. */
Test(mcentral, flip_drains_every_class_before_it_flips_any) {
  struct tri_mspan *s = tri_mcentral_alloc_large(10, 1, true);
  s->bits[0].mark = 1;
  flip();
  remote_free(s);
  cr_assert(tri_mcentral_sweep_some(1, 1));
  cr_assert_eq(s->state, TRI_SPAN_DEAD);
  struct tri_mspan *again = tri_mcentral_alloc_large(10, 1, false), *other = tri_mcentral_alloc_large(10, 1, false);
  cr_assert_eq(again, s);
  cr_assert_eq(s->rpending, 1);
  remote_free(again);
  other->bits[0].mark = 1;
  flip();
  size_t n = 0;
  tri_mcentral_each(0, count_spans, &n);
  cr_assert_eq(n, 1);
  cr_assert(tri_mcentral_sweep_some(0, 1));
  cr_assert_eq(nspans(), 1);
  tri_mheap_check();
}

Test(mcentral, acquire_sweeps_before_it_grows_the_heap) {
  struct tri_mspan *s = full_span(CLASS, a.token), *dead;
  s->bits[0].mark = 4;
  flip();
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), s);
  cr_assert(s->owner == b.token && s->clist == TRI_CLIST_BUSY && s->sweepgen == tri_state.sweepgen);
  cr_assert_eq(s->bits[0].alloc, 4);
  mark_all(s);
  dead = full_span(OTHER, a.token);
  flip();
  cr_assert_eq(tri_mcentral_acquire(OTHER, b.token, 1), dead, "an empty span is kept by who needs one");
  cr_assert_eq(nspans(), 2);
}

/* The chain's length; every span in it is swept, owned by the token and has room. */
static unsigned chain_length(const struct tri_mspan *s, uint64_t token) {
  unsigned n = 0;
  for (; s; s = s->tnext, n++) {
    cr_assert(s->owner == token && s->clist == TRI_CLIST_BUSY && s->sweepgen == tri_state.sweepgen);
    cr_assert(tri_mspan_has_room(s));
  }
  return n;
}

Test(mcentral, acquire_brings_as_many_partial_spans_as_asked_for) {
  struct tri_mspan *s[20];
  for (int i = 0; i < 20; i++) s[i] = tri_mcentral_acquire(CLASS, a.token, 1);
  for (int i = 0; i < 20; i++) tri_mcentral_release(s[i]);
  cr_assert_eq(chain_length(tri_mcentral_acquire(CLASS, b.token, 3), b.token), 3);
  cr_assert_eq(chain_length(tri_mcentral_acquire(CLASS, b.token, 1000), b.token), 16, "more than a batch");
  cr_assert_eq(chain_length(tri_mcentral_acquire(CLASS, b.token, 16), b.token), 1, "what is left");
  cr_assert_eq(chain_length(tri_mcentral_acquire(CLASS, b.token, 16), b.token), 1, "a new one, alone");
  cr_assert_eq(nspans(), 21);
}

Test(mcentral, acquire_sweeps_a_batch_and_leaves_out_the_full_ones) {
  struct tri_mspan *s[12];
  for (int i = 0; i < 12; i++) {
    s[i] = full_span(CLASS, a.token);
    if (i % 3 == 0) mark_all(s[i]);
    if (i % 3 == 1) s[i]->bits[0].mark = 1;
  }
  flip();
  cr_assert_eq(chain_length(tri_mcentral_acquire(CLASS, b.token, 12), b.token), 8);
  for (int i = 0; i < 12; i += 3) cr_assert(s[i]->owner == 0 && s[i]->clist == TRI_CLIST_BUSY);
  cr_assert(tri_mcentral_all_swept());
  cr_assert_eq(nspans(), 12, "the empty ones are kept by who needs them");
}

Test(mcentral, sweep_some_sweeps_a_batch_at_most) {
  for (int i = 0; i < 20; i++) full_span(CLASS, a.token);
  flip();
  cr_assert_eq(tri_mcentral_sweep_some(CLASS, 3), 3);
  cr_assert_eq(tri_mcentral_sweep_some(CLASS, 1000), 16);
  cr_assert_eq(tri_mcentral_sweep_some(CLASS, 1000), 1);
  cr_assert_eq(tri_mcentral_sweep_some(CLASS, 1000), 0);
  cr_assert_eq(nspans(), 0);
}

static void count_unswept(struct tri_mspan *s, void *arg) {
  *(size_t *)arg += s->sweepgen != tri_state.sweepgen;
}

/* 100 in search of room, 64 more in search of pages. */
Test(mcentral, acquire_gives_up_sweeping_after_164_full_spans) {
  for (int i = 0; i < 200; i++) mark_all(full_span(CLASS, a.token));
  flip();
  size_t unswept = 0, before = nspans();
  cr_assert_not_null(tri_mcentral_acquire(CLASS, a.token, 1));
  tri_mcentral_each(CLASS, count_unswept, &unswept);
  cr_assert_eq(unswept, 36);
  cr_assert_eq(nspans(), before + 1);
}

/* The heap does not grow beside its garbage. */
Test(mcentral, a_new_span_takes_pages_of_dead_ones) {
  struct tri_mheap_stats before, after;
  for (int i = 0; i < 200; i++) full_span(CLASS, a.token);
  flip();
  tri_mheap_read_stats(&before);
  for (int i = 0; i < 20; i++) cr_assert_not_null(tri_mcentral_alloc_large(2, 1, false));
  tri_mheap_read_stats(&after);
  cr_assert_leq(after.inuse_bytes, before.inuse_bytes, "%zu bytes in use, %zu before", after.inuse_bytes,
                before.inuse_bytes);
  size_t unswept = 0;
  tri_mcentral_each(CLASS, count_unswept, &unswept);
  cr_assert_gt(unswept, 100, "no more is swept than is needed");
}

Test(mcentral, ensure_swept) {
  struct tri_mspan *live = full_span(CLASS, a.token), *dead = full_span(CLASS, a.token),
                   *other = full_span(CLASS, a.token);
  cr_assert(tri_mcentral_ensure_swept(live));
  mark_all(live);
  mark_all(other);
  flip();
  cr_assert(tri_mcentral_ensure_swept(live));
  cr_assert_eq(live->sweepgen, tri_state.sweepgen);
  cr_assert_not(tri_mcentral_ensure_swept(dead));
  cr_assert_eq(other->sweepgen, tri_state.sweepgen - 2, "the others are left to their time");
}

static void *finish_sweep(void *s) {
  usleep(30000);
  tri_int_store_rel(&((struct tri_mspan *)s)->sweepgen, tri_state.sweepgen);
  return NULL;
}

Test(mcentral, ensure_swept_waits_for_another_sweeper) {
  pthread_t sweeper;
  struct tri_mspan *s = full_span(CLASS, a.token);
  s->clist = TRI_CLIST_NONE; /* as between take_unswept and the end of its sweep */
  tri_int_store_rel(&s->sweepgen, tri_state.sweepgen - 1);
  cr_assert_eq(pthread_create(&sweeper, NULL, finish_sweep, s), 0);
  cr_assert(tri_mcentral_ensure_swept(s));
  cr_assert_eq(s->sweepgen, tri_state.sweepgen);
  pthread_join(sweeper, NULL);
}

/* [CENTRAL-3] */
Test(mcentral, the_owner_is_told_once) {
  struct tri_mspan *s = full_span(CLASS, a.token), *t = full_span(CLASS, a.token);
  remote_free(s);
  tri_mcentral_notify_rfree(s);
  remote_free(t);
  tri_mcentral_notify_rfree(s);
  cr_assert(linked(&a, s) && linked(&a, t) && !linked(&b, s));
  cr_assert(s->rpending == 1 && t->rpending == 1);
  cr_assert_neq(tri_mcentral_acquire(CLASS, b.token, 1), s, "what an owner was told of is not the central's");
}

/* [CENTRAL-2], [CENTRAL-3]: of a stale owner's span the central is told, and may give it to another. */
Test(mcentral, a_stale_owner_is_not_told) {
  struct tri_mspan *s = full_span(CLASS, a.token);
  tri_mcache_init(&a); /* a new token */
  remote_free(s);
  cr_assert_not(linked(&a, s));
  tri_mcentral_drain_pending(CLASS);
  cr_assert(s->owner == 0 && s->clist == TRI_CLIST_PARTIAL && s->rpending == 0);
  cr_assert_eq(s->bits[0].rfree, 1, "the next owner collects it");
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), s);
  cr_assert_eq(s->bits[0].rfree, 0);
}

/* [CENTRAL-3] The free came while the span had no owner; it has one when the central looks. */
Test(mcentral, pending_frees_are_passed_on_to_a_later_owner) {
  struct tri_mspan *s = full_span(CLASS, a.token);
  s->bits[0].alloc &= ~(uint64_t)2;
  tri_mcentral_release(s);
  remote_free(s);
  cr_assert_eq(s->clist, TRI_CLIST_PARTIAL);
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), s);
  cr_assert_eq(s->bits[0].alloc & 3, 0);
  tri_mcentral_drain_pending(CLASS);
  cr_assert(linked(&b, s) && s->owner == b.token && s->clist == TRI_CLIST_BUSY);
}

/* [CENTRAL-3] A span dies in the sweep while linked, and is born again in another class. */
Test(mcentral, a_reborn_span_is_told_on_to_its_new_class) {
  struct tri_mspan *s = full_span(CLASS, a.token);
  flip();
  remote_free(s);
  cr_assert(tri_mcentral_sweep_some(CLASS, 1));
  cr_assert(s->state == TRI_SPAN_DEAD && s->rpending == 1);
  cr_assert_eq(full_span(OTHER, b.token), s, "mheap uses the struct again");
  remote_free(s);
  cr_assert_eq(b.inbox, 0, "still linked in the old class");
  tri_mcentral_drain_pending(CLASS);
  cr_assert(linked(&b, s));
  cr_assert_eq(s->bits[0].rfree, 1);
}

/* Both the remote free that a former owner collected and the full span: acquire does not hand it out. */
Test(mcentral, acquire_skips_a_span_offered_in_vain) {
  struct tri_mspan *s = full_span(CLASS, a.token);
  tri_mcentral_release(s);
  tri_mcentral_notify_rfree(s); /* told, but the slot is in use again */
  struct tri_mspan *t = tri_mcentral_acquire(CLASS, b.token, 1);
  cr_assert(t != NULL && t != s && tri_mspan_has_room(t));
  cr_assert(s->owner == 0 && s->clist == TRI_CLIST_BUSY);
}

Test(mcentral, large_objects_live_and_die) {
  struct tri_mspan *s = tri_mcentral_alloc_large(5, 4, true), *t = tri_mcentral_alloc_large(3, 1, false);
  cr_assert(s->state == TRI_SPAN_LARGE && s->spanclass == 1 && s->bits[0].alloc == 1 && s->owner == 0);
  cr_assert_eq(s->base % (4 * TRI_PAGE_SIZE), 0);
  cr_assert_eq(t->spanclass, 0);
  tri_mspan_check(s);
  tri_mcentral_free_large(s);
  cr_assert_eq(s->state, TRI_SPAN_LARGE, "nobody won its rfree bit");
  s->bits[0].rfree = 1;
  tri_mcentral_free_large(s);
  cr_assert(s->state == TRI_SPAN_DEAD && t->state == TRI_SPAN_LARGE);
  t->bits[0].mark = 1;
  flip();
  cr_assert(tri_mcentral_sweep_some(0, 1));
  cr_assert(t->state == TRI_SPAN_LARGE && t->clist == TRI_CLIST_BUSY);
  flip();
  cr_assert(tri_mcentral_sweep_some(0, 1));
  cr_assert_eq(t->state, TRI_SPAN_DEAD);
  cr_assert_eq(nspans(), 0);
}

Test(mcentral, a_large_object_freed_in_a_handler_dies_later) {
  struct tri_mspan *s = tri_mcentral_alloc_large(5, 1, false), *t = tri_mcentral_alloc_large(5, 1, false);
  remote_free(s);
  remote_free(t);
  cr_assert_eq(nspans(), 2);
  cr_assert_not_null(tri_mcentral_alloc_large(1, 1, true));
  cr_assert_eq(nspans(), 3, "told to the other class");
  cr_assert_not_null(tri_mcentral_alloc_large(1, 1, false));
  cr_assert_eq(nspans(), 2);
}

/* [FREE-2]: a marker may be inside. */
Test(mcentral, no_span_dies_while_marking) {
  struct tri_mspan *small = tri_mcentral_acquire(CLASS, a.token, 1);
  struct tri_mspan *large = tri_mcentral_alloc_large(20, 1, false);
  tri_int_store_rel(&tri_state.phase, TRI_PHASE_MARK);
  tri_mcentral_retire(small);
  tri_fetch_or_seq(&large->bits[0].rfree, 1);
  tri_mcentral_free_large(large);
  cr_assert_eq(small->state, TRI_SPAN_SMALL);
  cr_assert_eq(large->state, TRI_SPAN_LARGE);
  cr_assert_eq(tri_mcentral_deferred_bytes(), 20 * TRI_PAGE_SIZE);
  cr_assert_eq(tri_mcentral_acquire(CLASS, b.token, 1), small, "it can be had again");
  tri_fetch_or_rlx(&large->bits[0].mark, 1);
  tri_int_store_rel(&tri_state.phase, TRI_PHASE_OFF);
  flip();
  cr_assert_eq(tri_mcentral_deferred_bytes(), 0);
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) tri_mcentral_sweep_some(c, 100);
  cr_assert_eq(large->state, TRI_SPAN_DEAD, "the sweep finds that it was freed");
}

Test(mcentral, spans_born_beside_the_marking_are_marked) {
  struct tri_mspan *before = tri_mcentral_acquire(CLASS, a.token, 1);
  tri_store_rel(&tri_state.born_marked_below, UINTPTR_MAX);
  struct tri_mspan *s = tri_mcentral_acquire(OTHER, a.token, 1);
  struct tri_mspan *large = tri_mcentral_alloc_large(20, 1, false);
  tri_store_rel(&tri_state.born_marked_below, large->base + 1);
  struct tri_mspan *beyond = tri_mcentral_alloc_large(20, 1, false);
  for (uint32_t g = 0; g < s->ngroups; g++) cr_assert_eq(s->bits[g].mark, tri_mspan_valid(s, g));
  cr_assert(s->born_marked && large->born_marked && (large->bits[0].mark & 1));
  cr_assert(!before->born_marked && before->bits[0].mark == 0);
  cr_assert(!beyond->born_marked && beyond->bits[0].mark == 0, "no word can point there yet");
  tri_store_rel(&tri_state.born_marked_below, 0);
  cr_assert_eq(tri_mcentral_born_marked_bytes(), (s->npages + 20) * TRI_PAGE_SIZE);
  flip();
  cr_assert_eq(tri_mcentral_born_marked_bytes(), 0);
  cr_assert_not(tri_mcentral_all_swept());
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) tri_mcentral_sweep_some(c, 100);
  cr_assert(tri_mcentral_all_swept());
  cr_assert_eq(tri_mcentral_swept_live_bytes(), 20 * TRI_PAGE_SIZE, "of what is allocated and marked");
  cr_assert_eq(tri_mcentral_swept_dead_bytes(), 20 * TRI_PAGE_SIZE, "of what is allocated and not");
  cr_assert(!large->born_marked);
}

Test(mcentral, free_large_of_an_unswept_object) {
  struct tri_mspan *s = tri_mcentral_alloc_large(5, 1, false), *t = tri_mcentral_alloc_large(5, 1, false);
  s->bits[0].mark = t->bits[0].mark = 1;
  flip();
  s->bits[0].rfree = 1;
  tri_mcentral_free_large(s);
  cr_assert(s->state == TRI_SPAN_DEAD && t->state == TRI_SPAN_LARGE);
  cr_assert_eq(t->sweepgen, tri_state.sweepgen - 2);
}

Test(mcentral, no_memory_is_null) {
  cr_assert_null(tri_mcentral_alloc_large(HEAP_BYTES / TRI_PAGE_SIZE + 1, 1, true));
  while (tri_mcentral_alloc_large(100, 1, false)) continue;
  while (tri_mcentral_alloc_large(1, 1, false)) continue;
  cr_assert_null(tri_mcentral_acquire(CLASS, a.token, 1));
}

static tri_aint got;

static void *acquire_one(void *arg) {
  tri_mcentral_acquire(CLASS, b.token, 1);
  tri_int_store_rel(&got, 1);
  return NULL;
}

Test(mcentral, lock_all_holds_every_class) {
  pthread_t other;
  tri_mcentral_lock_all();
  cr_assert_eq(pthread_create(&other, NULL, acquire_one, NULL), 0);
  usleep(30000);
  cr_assert_eq(tri_int_load_acq(&got), 0);
  tri_mcentral_unlock_all();
  pthread_join(other, NULL);
  cr_assert_eq(got, 1);
}

Test(mcentral, a_large_span_reborn_small_is_told_on) {
  struct tri_mspan *s = tri_mcentral_alloc_large(1, 1, false);
  flip();
  remote_free(s);
  cr_assert(tri_mcentral_sweep_some(0, 1));
  cr_assert_eq(full_span(OTHER, b.token), s);
  remote_free(s);
  cr_assert_not_null(tri_mcentral_alloc_large(1, 1, false));
  cr_assert(s->rpending == 1 || linked(&b, s), "the remote free is forgotten");
}
