/*
 * mcache: a thread's own spans. Above it malloc and free (gc/heap.h), below it mcentral.
 *
 * Allocation, fast to slow:
 *   0. a slot of the class that this thread freed a moment ago (inline, a hint);
 *   1. a free slot of the current group (inline, mcache.h);
 *   2. the next group with room in the current span; after the last one, again from the first, with what other threads
 *      freed collected;
 *   3. the span on the room list that a free went into most recently;
 *   4. spans in the inbox: ours, where other threads freed;
 *   5. mcentral: partial spans or swept ones, several at a time when asked often, or a new one from mheap.
 * A span found full is left alone (full = 1): a free by the owner puts it on the room list, one by another thread
 * comes through the inbox. A span whose last slot is freed stays on the room list as long as all such spans together
 * stay under EMPTY_KEEP_BYTES, then its pages go back to mheap.
 *
 * Invariants:
 *   [CACHE-1] hot[c].group is the group cls[c].group_index of cls[c].span, or the constant group without valid slots.
 *   [CACHE-2] room == NONE for the current span; a listed span has full == 0.
 *   [CACHE-3] every span with owner == token belongs to this cache; a discard changes the token, so that all of them
 *             are lost at once without being visited (the sweep resets their fields).
 *   [CACHE-4] while the write barrier is on, new objects are marked: free slots of a group when it becomes the current
 *             one, those of the current ones when the barrier goes on (and hints are forgotten), and a slot that is
 *             freed meanwhile by whoever clears its alloc bit.
 *   [CACHE-5] the hints of a class up to `top` name groups of spans that this cache owns, and free slots: who gives a
 *             span up forgets the hints of its class, and the bitmap is asked when none is left.
 *
 * Owner thread only, inside the runtime (it cannot be stopped in between); discard_stw by the cycle's runner with the
 * world stopped. Takes no lock itself. Token and inbox: see mcentral.c [CENTRAL-3].
 */
#include "alloc/mcache.h"

#include <string.h>

#include "alloc/alloc_port.h"
#include "alloc/mcentral.h"
#include "alloc/mheap.h"
#include "internal/check.h"
#include "internal/state.h"

/* Measured: a larger value gains nothing on the benchmarks, 0 doubles the time of large-class churn. */
enum { EMPTY_KEEP_BYTES = 1 << 20 };
/* Counters go to the shared words in steps of this many bytes, so that a cycle starts at most so much late. While
 * threads may have to assist the steps are smaller (tri_state.flush_bytes). */
enum { FLUSH_BYTES = 64 << 10 };
/* The most that one visit to the central brings. */
enum { BATCH_SLOTS = 256, BATCH_PAGES = 16 };

static struct tri_bitgroup no_group;

static void forget_hints(struct tri_mcache *c, unsigned spanclass) {
  c->hot[spanclass].top = c->hints[spanclass];
}

static void reset_class(struct tri_mcache *c, unsigned spanclass) {
  struct tri_mcache_hot *h = &c->hot[spanclass];
  h->group = &no_group;
  h->valid = 0;
  h->first = 0;
  h->size = 0;
  h->last = &c->hints[spanclass][TRI_MCACHE_HINTS];
  forget_hints(c, spanclass);
  c->cls[spanclass] = (struct tri_mcache_class){0};
}

static void new_token(struct tri_mcache *c) {
  uint64_t epoch = (tri_load_rlx(&c->token) >> 48) + 1;
  tri_store_rel(&c->token, epoch << 48 | (uint64_t)(uintptr_t)c);
  tri_fence_seq(); /* before the inbox is emptied: see tri_mcentral_notify_rfree */
}

void tri_mcache_init(struct tri_mcache *c) {
  new_token(c);
  c->live_delta = 0;
  c->gross_bytes = 0;
  c->empty_bytes = 0;
  memset(c->used, 0, sizeof c->used);
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) reset_class(c, i);
}

/* [CACHE-4] */
static void blacken(const struct tri_mcache_hot *h) {
  uint64_t free_slots = ~h->group->alloc & h->valid;
  if (free_slots) tri_fetch_or_rlx(&h->group->mark, free_slots);
}

void tri_mcache_blacken_stw(struct tri_mcache *c) {
  for (unsigned w = 0; w < TRI_ARRAY_LEN(c->used); w++)
    for (uint64_t used = c->used[w]; used; used &= used - 1) {
      unsigned spanclass = w * 64 + (unsigned)__builtin_ctzll(used);
      forget_hints(c, spanclass);
      blacken(&c->hot[spanclass]);
    }
}

static void use_group(struct tri_mcache *c, unsigned spanclass, uint32_t g) {
  struct tri_mspan *s = c->cls[spanclass].span;
  struct tri_mcache_hot *h = &c->hot[spanclass];
  c->cls[spanclass].group_index = g;
  h->group = &s->bits[g];
  h->valid = tri_mspan_valid(s, g);
  h->first = tri_mspan_slot(s, g * 64);
  h->size = (uint32_t)s->elemsize;
  if (tri_unlikely(tri_int_load_rlx(&tri_state.barrier))) blacken(h);
  c->gross_bytes += (uint64_t)__builtin_popcountll(~h->group->alloc & h->valid) * s->elemsize;
}

/* The first group with room at or after `from`. */
static bool use_group_from(struct tri_mcache *c, unsigned spanclass, uint32_t from) {
  struct tri_mspan *s = c->cls[spanclass].span;
  for (uint32_t g = from; g < s->ngroups; g++) {
    if (s->bits[g].alloc == tri_mspan_valid(s, g)) continue;
    use_group(c, spanclass, g);
    return true;
  }
  return false;
}

static void room_push(struct tri_mcache *c, struct tri_mspan *s) {
  struct tri_mcache_class *k = &c->cls[s->spanclass];
  s->full = 0;
  s->room = TRI_ROOM_LISTED;
  s->tprev = NULL;
  s->tnext = k->room;
  if (k->room) k->room->tprev = s;
  k->room = s;
}

static void room_unlink(struct tri_mcache *c, struct tri_mspan *s) {
  if (s->room == TRI_ROOM_EMPTY) c->empty_bytes -= s->npages << TRI_PAGE_SHIFT;
  s->room = TRI_ROOM_NONE;
  if (s->tprev) {
    s->tprev->tnext = s->tnext;
  } else {
    c->cls[s->spanclass].room = s->tnext;
  }
  if (s->tnext) s->tnext->tprev = s->tprev;
}

static void count_empty(struct tri_mcache *c, struct tri_mspan *s) {
  s->room = TRI_ROOM_EMPTY;
  c->empty_bytes += s->npages << TRI_PAGE_SHIFT;
}

static void drain_inbox(struct tri_mcache *c) {
  if (tri_load_rlx(&c->inbox) == 0) return;
  uint64_t token = tri_load_rlx(&c->token);
  struct tri_mspan *s = (struct tri_mspan *)(uintptr_t)tri_exchange_acq_rel(&c->inbox, 0);
  while (s) {
    struct tri_mspan *next = s->rnext;
    tri_int_exchange_seq(&s->rpending, 0);
    if (tri_load_acq(&s->owner) != token) {
      if (tri_int_load_acq(&s->state) != TRI_SPAN_DEAD) tri_mcentral_notify_rfree(s);
    } else if (tri_mspan_collect_rfree(s) > 0) {
      tri_mcache_freed_slow(c, s);
    }
    s = next;
  }
}

static void set_current(struct tri_mcache *c, unsigned spanclass, struct tri_mspan *s) {
  c->cls[spanclass].span = s;
  c->used[spanclass / 64] |= (uint64_t)1 << (spanclass % 64);
  s->full = 0;
  s->room = TRI_ROOM_NONE; /* stale where a fork's child forgot the former owner without a flip */
}

/* Step 2. False: the current span is full and no longer current. */
static bool refill_from_current(struct tri_mcache *c, unsigned spanclass) {
  struct tri_mcache_class *k = &c->cls[spanclass];
  struct tri_mspan *s = k->span;
  if (!s) return false;
  if (use_group_from(c, spanclass, k->group_index + 1)) return true;
  tri_mspan_collect_rfree(s);
  if (use_group_from(c, spanclass, 0)) return true;
  s->full = 1;
  k->span = NULL;
  c->hot[spanclass].group = &no_group;
  c->hot[spanclass].valid = 0;
  return false;
}

/* Step 3. Hints may have filled a listed span. */
static bool refill_from_room(struct tri_mcache *c, unsigned spanclass) {
  struct tri_mspan *s;
  while ((s = c->cls[spanclass].room)) {
    room_unlink(c, s);
    set_current(c, spanclass, s);
    if (use_group_from(c, spanclass, 0)) return true;
    s->full = 1;
    c->cls[spanclass].span = NULL;
  }
  return false;
}

static void unempty(struct tri_mcache *c, struct tri_mspan *s) {
  c->empty_bytes -= s->npages << TRI_PAGE_SHIFT;
  s->room = TRI_ROOM_LISTED;
}

/* The latest hint, where it leads to a group without a slot in use. By [CACHE-5] none is stale; one that is would be
 * handed out twice, so all are forgotten. */
static void *take_hint_slow(struct tri_mcache *c, unsigned spanclass) {
  struct tri_mcache_hot *h = &c->hot[spanclass];
  struct tri_mcache_hint hint = *h->top;
  if (hint.bit == 0) return NULL;
  if (hint.group->alloc & hint.bit) {
    forget_hints(c, spanclass);
    return NULL;
  }
  struct tri_mspan *s = tri_mheap_span_of(hint.slot);
  tri_assert(s->owner == c->token && s->spanclass == spanclass); /* [CACHE-5] */
  if (s->room == TRI_ROOM_EMPTY) unempty(c, s);
  h->top--;
  tri_mcache_hand_out(c, h, hint.group, hint.bit);
  return (void *)hint.slot;
}

/* How many spans to ask the central for: a class that asks again and again takes more each time, so that threads do not
 * queue at the central's lock for a few large slots. */
static uint32_t next_batch(struct tri_mcache_class *k, unsigned spanclass) {
  unsigned c = tri_spanclass_size_class(spanclass);
  uint32_t by_slots = BATCH_SLOTS / tri_class_nelems[c], by_pages = BATCH_PAGES / tri_class_pages[c];
  k->batch = tri_max(tri_min(k->batch * 2, tri_min(by_slots, by_pages)), 1);
  return k->batch;
}

/* Step 5. */
static bool refill_from_central(struct tri_mcache *c, unsigned spanclass) {
  struct tri_mspan *s =
      tri_mcentral_acquire(spanclass, tri_load_rlx(&c->token), next_batch(&c->cls[spanclass], spanclass));
  if (!s) return false;
  for (struct tri_mspan *more = s->tnext, *next; more; more = next) {
    next = more->tnext;
    room_push(c, more);
    if (tri_mspan_empty(more)) count_empty(c, more);
  }
  set_current(c, spanclass, s);
  return use_group_from(c, spanclass, 0);
}

static bool refill(struct tri_mcache *c, unsigned spanclass) {
  if (refill_from_current(c, spanclass)) return true;
  if (refill_from_room(c, spanclass)) return true;
  drain_inbox(c);
  if (refill_from_room(c, spanclass)) return true;
  return refill_from_central(c, spanclass);
}

void tri_mcache_flush(struct tri_mcache *c) {
  int64_t grown = c->live_delta;
  uint64_t live = tri_fetch_add_rlx(&tri_state.heap_live, (uint64_t)grown) + (uint64_t)grown;
  tri_fetch_add_rlx(&tri_state.total_alloc, c->gross_bytes);
  c->live_delta = 0;
  c->gross_bytes = 0;
  tri_port_heap_grew(live, grown);
}

void tri_mcache_flush_if_due(struct tri_mcache *c) {
  unsigned smaller = tri_int_load_rlx(&tri_state.flush_bytes);
  int64_t step = smaller ? smaller : FLUSH_BYTES;
  if (c->live_delta > step || c->live_delta < -step || c->gross_bytes > (uint64_t)step) tri_mcache_flush(c);
}

void *tri_mcache_alloc_slow(struct tri_mcache *c, unsigned spanclass) {
  void *p = take_hint_slow(c, spanclass);
  if (!p) p = tri_mcache_take(c, spanclass);
  if (p) return p;
  tri_mcache_flush_if_due(c);
  return refill(c, spanclass) ? tri_mcache_take(c, spanclass) : NULL;
}

void tri_mcache_freed_slow(struct tri_mcache *c, struct tri_mspan *s) {
  tri_mcache_flush_if_due(c);
  if (c->cls[s->spanclass].span == s) return;
  if (s->full) room_push(c, s);
  if (s->room != TRI_ROOM_LISTED || !tri_mspan_empty(s)) return;
  size_t bytes = s->npages << TRI_PAGE_SHIFT;
  bool phase_off = tri_int_load_acq(&tri_state.phase) == TRI_PHASE_OFF; /* [FREE-2] */
  if (phase_off && c->empty_bytes + bytes > EMPTY_KEEP_BYTES) {
    room_unlink(c, s);
    forget_hints(c, s->spanclass); /* [CACHE-5] */
    tri_mcentral_retire(s);
    return;
  }
  count_empty(c, s);
}

static void release_class(struct tri_mcache *c, unsigned spanclass) {
  struct tri_mcache_class *k = &c->cls[spanclass];
  while (k->room) {
    struct tri_mspan *s = k->room;
    bool empty = s->room == TRI_ROOM_EMPTY;
    room_unlink(c, s);
    if (empty) {
      tri_mcentral_retire(s);
    } else {
      tri_mcentral_release(s);
    }
  }
  if (k->span) tri_mcentral_release(k->span);
  reset_class(c, spanclass);
}

void tri_mcache_release(struct tri_mcache *c) {
  tri_mcache_flush(c);
  drain_inbox(c);
  for (unsigned w = 0; w < TRI_ARRAY_LEN(c->used); w++) {
    for (; c->used[w]; c->used[w] &= c->used[w] - 1) release_class(c, w * 64 + (unsigned)__builtin_ctzll(c->used[w]));
  }
  new_token(c);
  drain_inbox(c);
}

void tri_mcache_discard_stw(struct tri_mcache *c) {
  tri_fetch_add_rlx(&tri_state.total_alloc, c->gross_bytes);
  c->live_delta = 0;
  c->gross_bytes = 0;
  c->empty_bytes = 0;
  for (unsigned w = 0; w < TRI_ARRAY_LEN(c->used); w++) {
    for (; c->used[w]; c->used[w] &= c->used[w] - 1) reset_class(c, w * 64 + (unsigned)__builtin_ctzll(c->used[w]));
  }
  new_token(c);
  drain_inbox(c);
}
