/*
 * mcentral: all spans of one span class, in three lists. Between mcache (which owns spans while it allocates from
 * them) and mheap (which makes and takes pages).
 *
 *   UNSWEPT --sweep--> PARTIAL --acquire--> BUSY --release--> PARTIAL       flip: all of them -> UNSWEPT, O(1)
 *      |                                     |
 *      +--sweep, nothing alive--> mheap <----+--retire (the owner freed all)
 *
 * Go keeps two span sets for partial and two for full spans and swaps their roles; with one intrusive list per state a
 * flip is three splices, and spans that an mcache owns stay listed, so nothing has to be flushed out of sleeping
 * threads. Who owns a BUSY span is in s->owner: a token that is the mcache's current one, a stale one, or 0.
 *
 * Invariants:
 *   [CENTRAL-1] a span that is not in UNSWEPT has sweepgen == h; one in UNSWEPT has h - 2; NONE is held by one thread.
 *   [CENTRAL-2] owner changes from none or stale to a token only under the lock, on a swept span.
 *   [CENTRAL-3] rpending == 1 means linked in exactly one stack (this pending, or an mcache's inbox). Whoever takes a
 *               span from a stack reads rnext, then clears rpending, then looks at rfree: a free after that tells
 * again. A span may die and be reborn while linked; takers check state, class and owner.
 *
 * Locks: one per span class, rank CENTRAL; sweeping and mheap calls happen outside it. Pushes to pending take no lock.
 * Memory ordering: rfree is set and then rpending read by the freeing thread, rpending cleared and then rfree read by
 * the taker: sequentially consistent on both sides, so one of them sees the other. push releases what was freed, the
 * taker's exchange acquires it; s->owner is stored with release under the lock and loaded with acquire by freeing
 * threads. Forbidden here: touching object memory (but for clear_slots), waiting for another thread (except
 * ensure_swept, which waits for a sweep).
 */
#include "alloc/mcentral.h"

#include <string.h>

#include "alloc/mcache.h"
#include "alloc/mspan_sweep.h"
#include "internal/check.h"
#include "internal/lock.h"
#include "internal/state.h"

struct span_list {
  struct tri_mspan *head, *tail;
};

/* Changed under the lock; list_is_empty looks at it without. */
static void set_head(struct span_list *l, struct tri_mspan *s) {
  tri_store_rlx((tri_aword *)(void *)&l->head, (uint64_t)(uintptr_t)s);
}

struct mcentral {
  struct tri_lock lock; /* guards the lists and, in their spans, clist, cnext, cprev */
  struct span_list lists[TRI_CLIST_COUNT];
  tri_aword pending; /* stack of spans with remote frees, linked by rnext */
} TRI_CACHE_ALIGNED;

/* After so many sweeps without a free slot an allocating thread grows the heap instead, as in Go. */
enum { MAX_SWEEPS_PER_ACQUIRE = 100 };
/* And a thread that makes a new span sweeps no more than so many for its pages. */
enum { RECLAIM_SPANS = 64 };
/* Spans that change hands under one hold of a central's lock. */
enum { BATCH = 16 };
/* Spans looked at under one hold of a central's lock, each touching a few cache lines. */
enum { LOOK_SPANS = 64 };
/* How long to sleep while another thread sweeps: nobody wakes the sleeper. */
enum { SWEEP_WAIT_NS = 50000 };

__extension__ static struct mcentral centrals[TRI_NUM_SPANCLASSES] = {
    [0 ... TRI_NUM_SPANCLASSES - 1] = {.lock = TRI_LOCK_INIT(TRI_RANK_CENTRAL)}};

static tri_aint being_swept;        /* spans in the hands of sweepers */
static tri_aword born_marked_bytes; /* of the slots of spans that were born marked since the last flip */
static tri_aword swept_live_bytes, swept_dead_bytes; /* of the spans swept since the last flip */
static tri_aword reclaim_credit; /* pages of spans that died, less those of new ones, since the last flip */
static tri_aint reclaim_next;    /* where unswept spans may be left: all before it are swept */
static tri_aword deferred_bytes; /* of large objects freed since marking began */

static uint32_t sweepgen(void) {
  return tri_int_load_acq(&tri_state.sweepgen);
}

static void list_push(struct mcentral *m, struct tri_mspan *s, enum tri_central_list to) {
  struct span_list *l = &m->lists[to];
  s->clist = (uint8_t)to;
  s->cprev = NULL;
  s->cnext = l->head;
  if (l->head) {
    l->head->cprev = s;
  } else {
    l->tail = s;
  }
  set_head(l, s);
}

/* A flip splices whole lists and leaves clist as it was: an unswept span is known by its sweepgen. */
static enum tri_central_list list_of(const struct tri_mspan *s) {
  if (s->clist == TRI_CLIST_NONE || tri_int_load_acq(&s->sweepgen) == sweepgen()) return s->clist;
  return TRI_CLIST_UNSWEPT;
}

static void list_unlink(struct mcentral *m, struct tri_mspan *s) {
  struct span_list *l = &m->lists[list_of(s)];
  if (s->cprev) {
    s->cprev->cnext = s->cnext;
  } else {
    set_head(l, s->cnext);
  }
  if (s->cnext) {
    s->cnext->cprev = s->cprev;
  } else {
    l->tail = s->cprev;
  }
  s->clist = TRI_CLIST_NONE;
}

static bool list_is_empty(const struct mcentral *m, enum tri_central_list list) {
  return tri_load_rlx((const tri_aword *)(const void *)&m->lists[list].head) == 0;
}

static void list_splice(struct mcentral *m, enum tri_central_list from, enum tri_central_list to) {
  struct span_list *f = &m->lists[from], *t = &m->lists[to];
  if (!f->head) return;
  f->tail->cnext = t->head;
  if (t->head) {
    t->head->cprev = f->tail;
  } else {
    t->tail = f->tail;
  }
  set_head(t, f->head);
  set_head(f, NULL);
  f->tail = NULL;
}

/* Of the span that will be asked for next: after a marking nothing of it is in a cache. */
static void prefetch_span(const struct tri_mspan *s) {
  __builtin_prefetch(s, 1);
  __builtin_prefetch((const char *)s + TRI_CACHE_LINE, 1);
}

static struct mcentral *central_of(const struct tri_mspan *s) {
  return &centrals[s->spanclass];
}

static struct tri_mcache *mcache_of(uint64_t token) {
  return (struct tri_mcache *)(uintptr_t)(token & (((uint64_t)1 << 48) - 1));
}

/* True if token is the present name of an mcache. mcaches are type-stable, so a stale one can be asked. */
static bool token_is_current(uint64_t token) {
  return token != 0 && tri_load_acq(&mcache_of(token)->token) == token;
}

static void stack_push(tri_aword *stack, struct tri_mspan *s) {
  uint64_t head;
  do {
    head = tri_load_acq(stack);
    s->rnext = (struct tri_mspan *)(uintptr_t)head;
  } while (!tri_cas_acq_rel(stack, head, (uintptr_t)s));
}

void tri_mcentral_notify_rfree(struct tri_mspan *s) {
  if (tri_int_load_seq(&s->rpending) == 1 || tri_int_exchange_seq(&s->rpending, 1) == 1) return;
  uint64_t owner = tri_load_acq(&s->owner);
  if (!token_is_current(owner)) {
    stack_push(&central_of(s)->pending, s);
    return;
  }
  struct tri_mcache *c = mcache_of(owner);
  stack_push(&c->inbox, s);
  /* The owner changes its token and then empties its inbox; we push and then look at the token: one of us sees it. */
  tri_fence_seq();
  if (tri_load_acq(&c->token) == owner) return;
  struct tri_mspan *list = (struct tri_mspan *)(uintptr_t)tri_exchange_acq_rel(&c->inbox, 0);
  while (list) {
    struct tri_mspan *next = list->rnext;
    stack_push(&central_of(list)->pending, list);
    list = next;
  }
}

/* A span that the pending stack named: available if nobody owns it. Reborn elsewhere, or owned: told on. */
static void offer(unsigned spanclass, struct tri_mspan *s) {
  struct mcentral *m = &centrals[spanclass];
  bool forward = false;
  tri_lock_acquire(&m->lock);
  bool alive = tri_int_load_acq(&s->state) != TRI_SPAN_DEAD, here = s->spanclass == spanclass;
  bool ours = alive && here && list_of(s) == TRI_CLIST_BUSY;
  if (alive && (!here || (ours && token_is_current(tri_load_acq(&s->owner))))) {
    forward = true;
  } else if (ours) {
    tri_store_rel(&s->owner, 0);
    list_unlink(m, s);
    list_push(m, s, TRI_CLIST_PARTIAL);
  }
  tri_lock_release(&m->lock);
  if (forward) tri_mcentral_notify_rfree(s);
}

void tri_mcentral_drain_pending(unsigned spanclass) {
  struct mcentral *m = &centrals[spanclass];
  if (tri_load_rlx(&m->pending) == 0) return;
  struct tri_mspan *s = (struct tri_mspan *)(uintptr_t)tri_exchange_acq_rel(&m->pending, 0);
  while (s) {
    struct tri_mspan *next = s->rnext;
    tri_int_exchange_seq(&s->rpending, 0);
    if (spanclass >= 2) {
      offer(spanclass, s);
    } else if (tri_int_load_acq(&s->state) == TRI_SPAN_LARGE && tri_load_acq(&s->bits[0].rfree)) {
      tri_mcentral_free_large(s);
    } else if (tri_int_load_acq(&s->state) == TRI_SPAN_SMALL) {
      tri_mcentral_notify_rfree(s);
    }
    s = next;
  }
}

static void bury(struct tri_mspan *s, bool reclaimed) {
  tri_fetch_add_rlx(&reclaim_credit, s->npages);
  tri_int_store_rel(&s->state, TRI_SPAN_DEAD);
  tri_mheap_free_span(s, reclaimed);
}

/* Other threads freed slots of s. */
static bool freed_by_others(const struct tri_mspan *s) {
  uint64_t any = 0;
  for (uint32_t g = 0; g < s->ngroups; g++) any |= tri_load_acq(&s->bits[g].rfree);
  return any != 0;
}

/*
 * Sweeps spans that take_unswept gave (clist NONE, sweepgen h - 1) and lists them again, or buries them. With a token
 * the caller wants those with room: they move to the front of s, owned by it, and their number is returned.
 */
static unsigned sweep_taken(struct mcentral *m, struct tri_mspan **s, unsigned n, uint64_t token) {
  bool room[BATCH];
  unsigned kept = 0, mine = 0, large = 0; /* large spans are never taken */
  uint64_t live_bytes = 0, dead_bytes = 0;
  for (unsigned i = 0; i < n; i++) {
    bool whole_span = tri_int_load_acq(&s[i]->state) == TRI_SPAN_LARGE;
    struct tri_sweep_result r = tri_mspan_sweep(s[i]);
    live_bytes += r.live * s[i]->elemsize;
    dead_bytes += r.freed * s[i]->elemsize;
    if (r.live == 0 && (token == 0 || whole_span)) {
      bury(s[i], r.freed > 0);
    } else {
      room[kept] = r.live < s[i]->nelems;
      s[kept++] = s[i];
    }
  }
  tri_fetch_add_rlx(&swept_live_bytes, live_bytes);
  tri_fetch_add_rlx(&swept_dead_bytes, dead_bytes);
  tri_int_fetch_add_acq_rel(&being_swept, -n);
  if (kept == 0) return 0;
  tri_lock_acquire(&m->lock);
  for (unsigned i = 0; i < kept; i++) {
    /* A free may have come after the sweep had passed, and its word not been heeded, since the span was in no list. */
    bool take = room[i] && token != 0, freed = freed_by_others(s[i]), small = s[i]->spanclass >= 2;
    if (take) tri_store_rel(&s[i]->owner, token);
    list_push(m, s[i], !take && (room[i] || (freed && small)) ? TRI_CLIST_PARTIAL : TRI_CLIST_BUSY);
    tri_int_store_rel(&s[i]->sweepgen, sweepgen());
    if (take) s[mine++] = s[i];
    if (freed && !small) s[large++] = s[i];
  }
  tri_lock_release(&m->lock);
  while (large > 0) tri_mcentral_free_large(s[--large]);
  return mine;
}

static unsigned take_unswept(struct mcentral *m, unsigned max, struct tri_mspan **ret) {
  unsigned n = 0;
  if (list_is_empty(m, TRI_CLIST_UNSWEPT)) return 0;
  tri_lock_acquire(&m->lock);
  struct tri_mspan *s;
  while (n < max && (s = m->lists[TRI_CLIST_UNSWEPT].tail)) {
    prefetch_span(s->cprev);
    list_unlink(m, s);
    tri_int_store_rel(&s->sweepgen, sweepgen() - 1);
    ret[n++] = s;
  }
  tri_int_fetch_add_acq_rel(&being_swept, n);
  tri_lock_release(&m->lock);
  return n;
}

unsigned tri_mcentral_sweep_some(unsigned spanclass, unsigned max) {
  struct mcentral *m = &centrals[spanclass];
  struct tri_mspan *s[BATCH];
  unsigned n = take_unswept(m, tri_min(max, BATCH), s);
  sweep_taken(m, s, n, 0);
  return n;
}

bool tri_mcentral_ensure_swept(struct tri_mspan *s) {
  struct mcentral *m = central_of(s);
  uint32_t h = sweepgen();
  if (tri_int_load_acq(&s->sweepgen) == h) return true;
  tri_lock_acquire(&m->lock);
  bool mine = list_of(s) == TRI_CLIST_UNSWEPT;
  if (mine) {
    list_unlink(m, s);
    tri_int_store_rel(&s->sweepgen, h - 1);
    tri_int_fetch_add_acq_rel(&being_swept, 1);
  }
  tri_lock_release(&m->lock);
  if (mine) sweep_taken(m, &s, 1, 0);
  while (tri_int_load_acq(&s->state) != TRI_SPAN_DEAD && tri_int_load_acq(&s->sweepgen) == h - 1)
    tri_futex_wait(&s->sweepgen, h - 1, SWEEP_WAIT_NS);
  return tri_int_load_acq(&s->state) != TRI_SPAN_DEAD;
}

static unsigned take_partial(struct mcentral *m, uint64_t token, unsigned max, struct tri_mspan **ret) {
  unsigned n = 0;
  if (list_is_empty(m, TRI_CLIST_PARTIAL)) return 0;
  tri_lock_acquire(&m->lock);
  struct tri_mspan *s;
  while (n < max && (s = m->lists[TRI_CLIST_PARTIAL].head)) {
    prefetch_span(s->cnext);
    list_unlink(m, s);
    list_push(m, s, TRI_CLIST_BUSY);
    tri_store_rel(&s->owner, token);
    ret[n++] = s;
  }
  tri_lock_release(&m->lock);
  return n;
}

/* A span born while marking runs beside the program, from memory that may have been looked at as a free page: words
 * that point there have been passed over, so its slots are marked before anybody sees it. */
static void mark_all_slots(struct tri_mspan *s, uint32_t nelems) {
  for (uint32_t g = 0; g * 64 < nelems; g++)
    tri_store_rlx(&s->bits[g].mark, nelems - g * 64 >= 64 ? UINT64_MAX : ((uint64_t)1 << (nelems - g * 64)) - 1);
}

/* And what they hold from a former life is no pointer of the program's, but would be taken for one. Large spans may
 * have pages that nobody ever touched: they are looked for in the last stop. */
static void clear_slots(struct tri_mspan *s) {
  if (s->needzero && s->spanclass > 1 && !tri_mspan_noscan(s)) memset((void *)s->base, 0, s->npages << TRI_PAGE_SHIFT);
}

/* Large spans first, then from large slots to small: the larger the slots, the more spans die whole. */
static unsigned reclaim_class(unsigned i) {
  return i < 2 ? i : TRI_NUM_SPANCLASSES + 1 - i;
}

/* While there are unswept spans a new one takes pages that dead ones had: as many are swept as that needs, as in Go, so
 * that the heap does not grow beside its garbage. Where a memory limit leaves little room, all that is left is swept.
 */
static void reclaim(size_t npages) {
  bool is_short = tri_mheap_is_short();
  unsigned left = is_short ? UINT_MAX : RECLAIM_SPANS, i = tri_int_load_rlx(&reclaim_next);
  tri_fetch_add_rlx(&reclaim_credit, -(uint64_t)npages);
  while ((is_short || (int64_t)tri_load_rlx(&reclaim_credit) < 0) && i < TRI_NUM_SPANCLASSES && left > 0) {
    unsigned n = tri_mcentral_sweep_some(reclaim_class(i), tri_min(left, BATCH));
    left -= n;
    if (n == 0) tri_int_cas_acq_rel(&reclaim_next, i, i + 1);
    i = tri_int_load_rlx(&reclaim_next);
  }
}

static struct tri_mspan *new_span(unsigned spanclass, size_t npages, size_t align_pages, uint32_t nelems,
                                  uint64_t token, unsigned type) {
  reclaim(npages);
  bool typed = tri_spanclass_is_typed(spanclass);
  struct tri_mspan *s =
      typed ? tri_mheap_alloc_typed_span(npages, nelems) : tri_mheap_alloc_span(npages, align_pages, nelems);
  if (!s) return NULL;
  s->type = (uint16_t)type;
  struct mcentral *m = &centrals[spanclass];
  /* Before init stores the state: a large object exists from the first moment that a lookup can see it. */
  if (spanclass < 2) s->bits[0].alloc = 1;
  bool marked = s->base < tri_load_acq(&tri_state.born_marked_below);
  if (tri_unlikely(marked)) {
    mark_all_slots(s, nelems);
    tri_fetch_add_rlx(&born_marked_bytes, s->npages << TRI_PAGE_SHIFT);
  }
  if (spanclass < 2 && tri_int_load_rlx(&tri_state.barrier)) tri_store_rlx(&s->bits[0].mark, 1);
  s->born_marked = marked;
  tri_mspan_init(s, spanclass, sweepgen());
  if (spanclass > 1) tri_mheap_show_span(s);
  if (tri_unlikely(marked)) clear_slots(s);
  tri_lock_acquire(&m->lock);
  tri_store_rel(&s->owner, token);
  list_push(m, s, TRI_CLIST_BUSY);
  tri_lock_release(&m->lock);
  return s;
}

static unsigned take_by_sweeping(struct mcentral *m, uint64_t token, unsigned max, struct tri_mspan **ret) {
  for (unsigned swept = 0, n; swept < MAX_SWEEPS_PER_ACQUIRE; swept += n) {
    n = take_unswept(m, max, ret);
    if (n == 0) return 0;
    unsigned mine = sweep_taken(m, ret, n, token);
    if (mine) return mine;
  }
  return 0;
}

static unsigned take_existing(unsigned spanclass, uint64_t token, unsigned max, struct tri_mspan **ret) {
  struct mcentral *m = &centrals[spanclass];
  unsigned n = take_partial(m, token, max, ret);
  if (!n && tri_load_rlx(&m->pending)) {
    tri_mcentral_drain_pending(spanclass);
    n = take_partial(m, token, max, ret);
  }
  return n ? n : take_by_sweeping(m, token, max, ret);
}

/* Links those with room. The others were offered for a remote free that an earlier owner had collected already. */
static struct tri_mspan *chain_with_room(struct tri_mspan **s, unsigned n) {
  struct tri_mspan *chain = NULL;
  while (n-- > 0) {
    tri_mspan_collect_rfree(s[n]);
    if (tri_mspan_has_room(s[n])) {
      s[n]->tnext = chain;
      chain = s[n];
    } else {
      tri_mcentral_release(s[n]);
    }
  }
  return chain;
}

struct tri_mspan *tri_mcentral_acquire(unsigned spanclass, uint64_t token, unsigned max) {
  struct tri_mspan *s[BATCH];
  unsigned n;
  tri_assert(spanclass >= 2 && max > 0);
  while ((n = take_existing(spanclass, token, tri_min(max, BATCH), s))) {
    struct tri_mspan *chain = chain_with_room(s, n);
    if (chain) return chain;
  }
  unsigned c = tri_spanclass_size_class(spanclass);
  struct tri_mspan *fresh = new_span(spanclass, tri_class_pages[c], 1, tri_class_nelems[c], token, 0);
  if (fresh) fresh->tnext = NULL;
  return fresh;
}

void tri_mcentral_release(struct tri_mspan *s) {
  struct mcentral *m = central_of(s);
  bool room = tri_mspan_has_room(s);
  tri_lock_acquire(&m->lock);
  tri_store_rel(&s->owner, 0);
  if (room) {
    list_unlink(m, s);
    list_push(m, s, TRI_CLIST_PARTIAL);
  }
  tri_lock_release(&m->lock);
}

/* [FREE-2] A thread inside the runtime sees no phase begin. */
static bool markers_may_look(void) {
  return tri_int_load_acq(&tri_state.phase) == TRI_PHASE_MARK;
}

void tri_mcentral_retire(struct tri_mspan *s) {
  struct mcentral *m = central_of(s);
  tri_assert(tri_mspan_empty(s));
  if (markers_may_look()) {
    tri_mcentral_release(s);
    return;
  }
  tri_lock_acquire(&m->lock);
  list_unlink(m, s);
  tri_lock_release(&m->lock);
  tri_store_rel(&s->owner, 0);
  bury(s, false);
}

/* Takes up to LOOK_SPANS from the end of the list; those that are not empty go to its head, so that the order stays
 * when all have been looked at. Links the empty ones. Returns how many were looked at; *first is where a round began.
 */
static unsigned take_empty(struct mcentral *m, struct tri_mspan **first, struct tri_mspan **ret_empty) {
  unsigned n = 0;
  struct tri_mspan *s;
  tri_lock_acquire(&m->lock);
  while (n < LOOK_SPANS && (s = m->lists[TRI_CLIST_PARTIAL].tail) && s != *first) {
    tri_mspan_collect_rfree(s);
    list_unlink(m, s);
    n++;
    if (tri_mspan_empty(s)) {
      s->cnext = *ret_empty;
      *ret_empty = s;
    } else {
      list_push(m, s, TRI_CLIST_PARTIAL);
      if (*first == NULL) *first = s;
    }
  }
  tri_lock_release(&m->lock);
  return n;
}

bool tri_mcentral_bury_some(unsigned spanclass, struct tri_mspan **first) {
  struct tri_mspan *empty = NULL, *next;
  if (*first == NULL) tri_mcentral_drain_pending(spanclass);
  if (spanclass < 2 || markers_may_look()) return false;
  unsigned looked = take_empty(&centrals[spanclass], first, &empty);
  for (; empty; empty = next) {
    next = empty->cnext;
    bury(empty, false);
  }
  return looked == LOOK_SPANS;
}

struct tri_mspan *tri_mcentral_alloc_large(size_t npages, size_t align_pages, bool noscan) {
  tri_mcentral_drain_pending(noscan);
  return new_span(noscan, npages, align_pages, 1, 0, 0);
}

struct tri_mspan *tri_mcentral_alloc_large_typed(size_t npages, unsigned type) {
  tri_mcentral_drain_pending(0);
  return new_span(0, npages, 1, 1, 0, type);
}

uint64_t tri_mcentral_swept_dead_bytes(void) {
  return tri_load_rlx(&swept_dead_bytes);
}

uint64_t tri_mcentral_swept_live_bytes(void) {
  return tri_load_rlx(&swept_live_bytes);
}

uint64_t tri_mcentral_born_marked_bytes(void) {
  return tri_load_rlx(&born_marked_bytes);
}

uint64_t tri_mcentral_deferred_bytes(void) {
  return tri_load_rlx(&deferred_bytes);
}

void tri_mcentral_free_large(struct tri_mspan *s) {
  if (!tri_mcentral_ensure_swept(s)) return;
  if (markers_may_look()) { /* the sweep finds its rfree bit */
    tri_fetch_add_rlx(&deferred_bytes, s->npages << TRI_PAGE_SHIFT);
    return;
  }
  struct mcentral *m = central_of(s);
  tri_lock_acquire(&m->lock);
  /* Freed by its program, named by a pending stack and perhaps reborn: whoever unlinks it buries it. */
  bool mine = tri_int_load_acq(&s->state) == TRI_SPAN_LARGE && central_of(s) == m && list_of(s) == TRI_CLIST_BUSY &&
              tri_load_acq(&s->bits[0].rfree) != 0;
  if (mine) list_unlink(m, s);
  tri_lock_release(&m->lock);
  if (mine) bury(s, false);
}

void tri_mcentral_flip_stw(void) {
  /* All of them first: a pending stack may name a span reborn in another class, whose lists must not be half flipped.
   */
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) tri_mcentral_drain_pending(i);
  tri_store_rlx(&deferred_bytes, 0);
  tri_store_rlx(&swept_live_bytes, 0);
  tri_store_rlx(&swept_dead_bytes, 0);
  tri_store_rlx(&born_marked_bytes, 0);
  tri_store_rlx(&reclaim_credit, 0);
  tri_int_store_rlx(&reclaim_next, 0);
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) {
    struct mcentral *m = &centrals[i];
    tri_lock_acquire(&m->lock); /* against threads past their registration's end */
    tri_check(m->lists[TRI_CLIST_UNSWEPT].head == NULL);
    list_splice(m, TRI_CLIST_PARTIAL, TRI_CLIST_UNSWEPT);
    list_splice(m, TRI_CLIST_BUSY, TRI_CLIST_UNSWEPT);
    tri_lock_release(&m->lock);
  }
}

void tri_mcentral_each(unsigned spanclass, void (*fn)(struct tri_mspan *, void *), void *arg) {
  struct mcentral *m = &centrals[spanclass];
  tri_lock_acquire(&m->lock);
  for (int l = TRI_CLIST_UNSWEPT; l < TRI_CLIST_COUNT; l++)
    for (struct tri_mspan *s = m->lists[l].head; s; s = s->cnext) fn(s, arg);
  tri_lock_release(&m->lock);
}

bool tri_mcentral_all_swept(void) {
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++)
    if (!list_is_empty(&centrals[i], TRI_CLIST_UNSWEPT)) return false;
  return tri_int_load_acq(&being_swept) == 0;
}

static void untell(struct tri_mspan *s, void *arg) {
  if (tri_int_load_rlx(&s->rpending)) tri_int_store_rel(&s->rpending, 0);
}

static void tell(struct tri_mspan *s, void *arg) {
  if (freed_by_others(s)) tri_mcentral_notify_rfree(s);
}

/* Also of spans that are in no list of a central, being dead: they may be born again. */
void tri_mcentral_drop_told(tri_aword *stack) {
  struct tri_mspan *s = (struct tri_mspan *)(uintptr_t)tri_exchange_acq_rel(stack, 0);
  for (struct tri_mspan *next; s; s = next) {
    next = s->rnext;
    tri_int_store_rel(&s->rpending, 0);
  }
}

void tri_mcentral_retell(void) {
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) {
    tri_mcentral_drop_told(&centrals[i].pending);
    tri_mcentral_each(i, untell, NULL);
  }
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) tri_mcentral_each(i, tell, NULL);
}

void tri_mcentral_lock_all(void) {
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) tri_lock_acquire_unranked(&centrals[i].lock);
}

void tri_mcentral_unlock_all(void) {
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) tri_lock_release_unranked(&centrals[i].lock);
}
