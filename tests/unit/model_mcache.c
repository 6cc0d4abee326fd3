/* mcache, mcentral and the sweep against a naive model: several caches in one thread allocate, free their own and each
 * other's slots, end and begin, through cycles that mark a random part. No slot is handed out twice, none is lost,
 * contents stay, and at every comparison the bits of all spans count exactly the model's objects. */
#include <criterion/criterion.h>
#include <string.h>

#include "alloc/alloc_port.h"
#include "alloc/mcache.h"
#include "alloc/mcentral.h"
#include "internal/state.h"
#include "tests/support/random.h"

#define HEAP_BYTES ((size_t)64 << 20)
#define MAX_LIVE 8000
#define STEPS 40000
#define COMPARE_EVERY 50

enum { CACHES = 4, LARGE_PAGES = 40 };

struct object {
  uintptr_t p;
  struct tri_mspan *span;
  uint64_t stamp;
};

static struct tri_mcache caches[CACHES];
static const uint16_t sizes[] = {8, 16, 24, 64, 112, 512, 1024, 2048, 8192, 18432, 28672, 32768};

static struct {
  struct test_random random;
  struct object live[MAX_LIVE];
  uint32_t at[HEAP_BYTES / 8]; /* slot start -> index in live, plus 1 */
  size_t nlive;
  int64_t bytes;
  uint64_t next_stamp;
  unsigned focus; /* the span class of most allocations, for a while */
  uint64_t grew, refused, cycles;
} m;

void tri_port_heap_grew(uint64_t heap_live, int64_t grown) {
  m.grew++;
}

static size_t below(size_t n) {
  return test_random_below(&m.random, n);
}

static uint32_t *at(uintptr_t p) {
  return &m.at[(p - tri_heap_range.base) / 8];
}

/* Every word of small objects, a sample of big ones with both ends. */
static bool words(const struct object *o, bool write) {
  uint64_t *w = (uint64_t *)o->p;
  size_t n = o->span->elemsize / 8, step = n <= 32 ? 1 : n / 16;
  for (size_t i = 0; i < n; i += step) {
    if (write) w[i] = o->stamp ^ i;
    if (w[i] != (o->stamp ^ i)) return false;
  }
  if (write) w[n - 1] = o->stamp ^ (n - 1);
  return w[n - 1] == (o->stamp ^ (n - 1));
}

static struct tri_bitgroup *group_of(const struct object *o, uint64_t *ret_bit) {
  uint32_t i = tri_mspan_index(o->span, o->p);
  cr_assert_eq(tri_mspan_slot(o->span, i), o->p);
  *ret_bit = (uint64_t)1 << (i % 64);
  return &o->span->bits[i / 64];
}

static bool swept(const struct tri_mspan *s) {
  return s->sweepgen == tri_state.sweepgen;
}

/* The allocator agrees that o is in use. */
static void check_object(const struct object *o) {
  uint64_t bit;
  cr_assert_eq(tri_mheap_span_of(o->p), o->span);
  cr_assert_neq(o->span->state, TRI_SPAN_DEAD, "a live slot's span died");
  struct tri_bitgroup *g = group_of(o, &bit);
  cr_assert(g->alloc & bit, "a live slot was lost");
  cr_assert_not(g->rfree & bit, "a live slot is taken for freed");
  cr_assert_not(g->reclaimed & bit);
  cr_assert(swept(o->span) || (g->mark & bit), "a live slot is about to be swept");
  cr_assert(words(o, false), "a live slot was overwritten");
}

static void model_add(uintptr_t p, size_t size) {
  struct object *o = &m.live[m.nlive++];
  *o = (struct object){p, tri_mheap_span_of(p), ++m.next_stamp * 0x9E3779B97F4A7C15u};
  cr_assert_not_null(o->span);
  cr_assert_eq(o->span->elemsize, size);
  cr_assert_eq(*at(p), 0, "handed out twice");
  *at(p) = (uint32_t)m.nlive;
  m.bytes += (int64_t)size;
  words(o, true);
  check_object(o);
}

static struct object model_take(size_t i) {
  struct object o = m.live[i];
  *at(o.p) = 0;
  m.live[i] = m.live[--m.nlive];
  if (i < m.nlive) *at(m.live[i].p) = (uint32_t)i + 1;
  m.bytes -= (int64_t)o.span->elemsize;
  return o;
}

static void alloc_small(void) {
  unsigned spanclass = m.focus;
  if (below(4) == 0) {
    unsigned c = tri_size_class(sizes[below(TRI_ARRAY_LEN(sizes))]);
    spanclass = below(3) ? c * 2 + (unsigned)below(2) : tri_spanclass_typed(c);
  }
  void *p = tri_mcache_alloc(&caches[below(CACHES)], spanclass);
  if (p == NULL) {
    m.refused++;
    return;
  }
  model_add((uintptr_t)p, tri_class_size[tri_spanclass_size_class(spanclass)]);
  cr_assert_eq(m.live[m.nlive - 1].span->spanclass, spanclass);
}

static void alloc_large(void) {
  size_t pages = 5 + below(LARGE_PAGES), align = (size_t)1 << below(4);
  struct tri_mspan *s = tri_mcentral_alloc_large(pages, align, below(2));
  if (s == NULL) {
    m.refused++;
    return;
  }
  cr_assert_eq(s->base % (align * TRI_PAGE_SIZE), 0);
  caches[0].live_delta += (int64_t)s->elemsize;
  model_add(s->base, pages * TRI_PAGE_SIZE);
}

static void do_alloc(void) {
  if (m.nlive == MAX_LIVE) return;
  if (below(50) == 0) {
    alloc_large();
  } else {
    alloc_small();
  }
}

/* free as gc/heap.c does it, by cache c: of an own slot, or of another's. */
static void free_by(struct tri_mcache *c, size_t i) {
  uint64_t bit;
  cr_assert(tri_mcentral_ensure_swept(m.live[i].span), "a span with a live slot died in the sweep");
  check_object(&m.live[i]);
  struct object o = model_take(i);
  struct tri_bitgroup *g = group_of(&o, &bit);
  if (o.span->owner == c->token) {
    tri_mcache_free(c, o.span, g, bit, o.p);
    return;
  }
  bool large = o.span->state == TRI_SPAN_LARGE;
  cr_assert_not(tri_fetch_or_seq(&g->rfree, bit) & bit);
  c->live_delta -= (int64_t)o.span->elemsize;
  if (large) {
    tri_mcentral_free_large(o.span);
  } else {
    tri_mcentral_notify_rfree(o.span);
  }
}

/* A free in a signal handler that interrupted the runtime, or by a thread that is not registered: no lock, no sweep. */
static void free_nested(size_t i) {
  uint64_t bit;
  check_object(&m.live[i]);
  struct object o = model_take(i);
  struct tri_bitgroup *g = group_of(&o, &bit);
  cr_assert_not(tri_fetch_or_seq(&g->rfree, bit) & bit);
  tri_fetch_add_rlx(&tri_state.heap_live, (uint64_t) - (int64_t)o.span->elemsize);
  tri_mcentral_notify_rfree(o.span);
}

static struct tri_mcache *owner_of(const struct tri_mspan *s) {
  for (int i = 0; i < CACHES; i++)
    if (s->owner == caches[i].token) return &caches[i];
  return NULL;
}

static void do_free(void) {
  if (m.nlive == 0) return;
  size_t i = below(m.nlive);
  struct tri_mcache *c = owner_of(m.live[i].span);
  if (c == NULL || below(2)) c = &caches[below(CACHES)];
  if (below(20)) {
    free_by(c, i);
  } else {
    free_nested(i);
  }
}

/* Empties one span, by its owner mostly. */
static void do_free_span(void) {
  if (m.nlive == 0) return;
  const struct tri_mspan *s = m.live[below(m.nlive)].span;
  for (size_t i = m.nlive; i-- > 0;) {
    if (m.live[i].span != s) continue;
    struct tri_mcache *c = owner_of(s);
    free_by(c && below(50) ? c : &caches[below(CACHES)], i);
  }
}

static void sweep_all(void) {
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++)
    while (tri_mcentral_sweep_some(c, 1)) continue;
  cr_assert(tri_mcentral_all_swept());
}

/* Marks a part of the live objects; the others are gone from here on. */
static void mark(void) {
  size_t keep_percent = below(5) ? 20 + below(80) : below(2) * 100;
  for (size_t i = m.nlive; i-- > 0;) {
    uint64_t bit;
    struct tri_bitgroup *g = group_of(&m.live[i], &bit);
    if (below(100) < keep_percent) {
      tri_fetch_or_rlx(&g->mark, bit);
    } else {
      model_take(i);
    }
  }
}

/* The order of gc/cycle.c. A thread that is not registered runs in a stopped world too. */
static void do_cycle(void) {
  sweep_all();
  tri_int_store_rel(&tri_state.phase, TRI_PHASE_MARK);
  mark();
  tri_int_store_rel(&tri_state.phase, TRI_PHASE_MARK_TERMINATION);
  int64_t marked = m.bytes;
  for (int i = 0; i < CACHES; i++) {
    if (m.nlive > 0 && below(4) == 0) free_nested(below(m.nlive));
    tri_mcache_discard_stw(&caches[i]);
  }
  if (m.nlive > 0 && below(4) == 0) free_nested(below(m.nlive));
  tri_mcentral_flip_stw();
  tri_int_store_rel(&tri_state.sweepgen, tri_state.sweepgen + 2);
  tri_store_rel(&tri_state.heap_live, (uint64_t)m.bytes);
  cr_assert_leq(m.bytes, marked);
  tri_int_store_rel(&tri_state.phase, TRI_PHASE_OFF);
  m.cycles++;
}

static void do_exit(void) {
  struct tri_mcache *c = &caches[below(CACHES)];
  uint64_t token = c->token;
  tri_mcache_release(c);
  cr_assert_eq(c->live_delta, 0);
  cr_assert_eq(c->empty_bytes, 0);
  cr_assert_neq(c->token, token);
  tri_mcache_init(c);
}

static unsigned random_class(void) {
  return (unsigned)below(TRI_NUM_SPANCLASSES);
}

static void do_rare(void) {
  switch (below(8)) {
    case 0:
      do_cycle();
      break;
    case 1:
      do_exit();
      break;
    case 2:
      sweep_all();
      break;
    case 3:
      tri_mcentral_drain_pending(random_class());
      break;
    case 4:
      tri_mcache_flush(&caches[below(CACHES)]);
      break;
    case 5:
      tri_mcentral_sweep_some(m.focus, 1 + (unsigned)below(20));
      break;
    case 6:
      tri_mheap_release_free(TRI_PAGE_SIZE, 0);
      break;
    default:
      m.focus = tri_size_class(sizes[below(TRI_ARRAY_LEN(sizes))]) * 2 + (unsigned)below(2);
      break;
  }
}

static struct { size_t spans, slots; } seen;

static uint64_t in_use(const struct tri_mspan *s, uint32_t g) {
  const struct tri_bitgroup *b = &s->bits[g];
  return b->alloc & ~b->rfree & (swept(s) ? ~(uint64_t)0 : b->mark);
}

static void check_span(struct tri_mspan *s, void *arg) {
  uint64_t told = 0;
  tri_mspan_check(s);
  cr_assert_eq(s->spanclass, *(unsigned *)arg);
  cr_assert(swept(s) || s->sweepgen == tri_state.sweepgen - 2, "[CENTRAL-1]");
  for (uint32_t g = 0; g < s->ngroups; g++) {
    seen.slots += (size_t)__builtin_popcountll(in_use(s, g));
    told |= s->bits[g].rfree;
  }
  seen.spans++;
  if (!swept(s)) return;
  cr_assert(told == 0 || s->rpending || s->clist == TRI_CLIST_PARTIAL, "[CENTRAL-3] a remote free was forgotten");
  const struct tri_mcache *c = owner_of(s);
  cr_assert(c == NULL || s->clist == TRI_CLIST_BUSY, "[CENTRAL-2]");
  bool current = c != NULL && c->cls[s->spanclass].span == s;
  cr_assert(c == NULL || current || s->room || s->full, "[CACHE-3] a span with room is out of its owner's sight");
}

static size_t check_room(const struct tri_mcache *c, unsigned spanclass) {
  size_t empty = 0;
  const struct tri_mspan *prev = NULL;
  for (const struct tri_mspan *s = c->cls[spanclass].room; s; prev = s, s = s->tnext) {
    cr_assert(s->owner == c->token && s->spanclass == spanclass && s->tprev == prev, "[CACHE-3]");
    cr_assert(s->room != TRI_ROOM_NONE && !s->full && s != c->cls[spanclass].span, "[CACHE-2]");
    cr_assert_eq(s->room == TRI_ROOM_EMPTY, tri_mspan_empty(s));
    if (s->room == TRI_ROOM_EMPTY) empty += s->npages * TRI_PAGE_SIZE;
  }
  return empty;
}

static void check_cache(const struct tri_mcache *c) {
  size_t empty = 0;
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) {
    const struct tri_mspan *s = c->cls[i].span;
    const struct tri_mcache_hot *h = &c->hot[i];
    cr_assert(s ? h->group == &s->bits[c->cls[i].group_index] : h->valid == 0, "[CACHE-1]");
    cr_assert(!s || (s->owner == c->token && s->room == TRI_ROOM_NONE && !s->full), "[CACHE-2]");
    cr_assert(!s || h->valid == tri_mspan_valid(s, c->cls[i].group_index), "[CACHE-1]");
    empty += check_room(c, i);
  }
  cr_assert_eq(c->empty_bytes, empty);
}

static void check_linked(struct tri_mspan *s, void *arg) {
  bool linked = false;
  for (int i = 0; i < CACHES; i++)
    for (const struct tri_mspan *l = (const struct tri_mspan *)caches[i].inbox; l; l = l->rnext) linked |= l == s;
  cr_assert_eq(s->rpending, linked, "[CENTRAL-3] a span %s", linked ? "is linked unawares" : "is not linked");
}

/* With the centrals' stacks empty a span is linked in an inbox or nowhere. Twice: a span may be passed on. */
static void compare_links(void) {
  for (unsigned i = 0; i < 2 * TRI_NUM_SPANCLASSES; i++) tri_mcentral_drain_pending(i % TRI_NUM_SPANCLASSES);
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) tri_mcentral_each(i, check_linked, NULL);
}

static void compare(void) {
  struct tri_mheap_stats st;
  int64_t live = (int64_t)tri_state.heap_live;
  memset(&seen, 0, sizeof seen);
  for (unsigned i = 0; i < TRI_NUM_SPANCLASSES; i++) tri_mcentral_each(i, check_span, &i);
  cr_assert_eq(seen.slots, m.nlive, "%zu slots in use, %zu in the model", seen.slots, m.nlive);
  tri_mheap_read_stats(&st);
  cr_assert_eq(seen.spans, st.nspans, "a span is in no list");
  for (int i = 0; i < CACHES; i++) {
    check_cache(&caches[i]);
    live += caches[i].live_delta;
  }
  cr_assert_eq(live, m.bytes, "counted %lld bytes, %lld are live", (long long)live, (long long)m.bytes);
  for (size_t i = 0; i < m.nlive; i++) check_object(&m.live[i]);
  if (below(4) == 0) compare_links();
  tri_mheap_check();
}

static void run(void) {
  m.random = test_random_seeded("model_mcache");
  tri_state.clobberfree = true;
  m.focus = tri_size_class(64) * 2;
  cr_assert(tri_mheap_init(HEAP_BYTES));
  for (int i = 0; i < CACHES; i++) tri_mcache_init(&caches[i]);
  for (int step = 0; step < STEPS; step++) {
    size_t what = below(1000), fill = step / 1500 % 2 ? 440 : 700;
    if (what < fill) {
      do_alloc();
    } else if (what < 980) {
      do_free();
    } else if (what < 988) {
      do_free_span();
    } else {
      do_rare();
    }
    if (step % COMPARE_EVERY == 0) compare();
  }
}

/* More empty spans than a cache keeps: random frees come to that seldom. */
static void retire_some(void) {
  struct tri_mheap_stats before, after;
  unsigned spanclass = tri_size_class(32768) * 2;
  for (int i = 0; i < 64; i++) {
    void *p = tri_mcache_alloc(&caches[0], spanclass);
    cr_assert_not_null(p);
    model_add((uintptr_t)p, 32768);
  }
  tri_mheap_read_stats(&before);
  while (m.nlive > 0) free_by(&caches[0], m.nlive - 1);
  tri_mheap_read_stats(&after);
  cr_assert_lt(after.nspans, before.nspans, "no span of %zu empty ones was retired", before.nspans);
}

/* Everything is given back when all is freed and all caches end. */
static void wind_up(void) {
  struct tri_mheap_stats st;
  while (m.nlive > 0) free_by(&caches[below(CACHES)], m.nlive - 1);
  compare();
  retire_some();
  compare();
  do_cycle();
  for (int i = 0; i < CACHES; i++) tri_mcache_release(&caches[i]);
  sweep_all();
  tri_mheap_read_stats(&st);
  cr_assert_eq(st.nspans, 0);
  cr_assert_eq(tri_state.heap_live, 0);
  tri_mheap_check();
  cr_assert(m.cycles > 5 && m.grew > 0, "%lu cycles, %lu flushes", m.cycles, m.grew);
}

Test(model, mcache, .timeout = 120) {
  run();
  wind_up();
}
