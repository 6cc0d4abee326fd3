/*
 * Candidates: words that scanning has found in the heap's range become marked slots and grey work. The second half of
 * marking's inner loop, between gc/scan.c and gc/work.c; gc/mark.c calls it for 16 words at a time and more.
 *
 * Two passes. The first goes from the word to its slot by the page's cut (alloc/pagecut.h) and constant tables, reads
 * no span, and prefetches the slot's bits; the second sets marks. Large objects, and spans that are just being born,
 * have no cut: they are looked up in the span table.
 *
 * Invariants: [MARK-1], [MARK-2], [MARK-5] and [MARK-6] of gc/mark.c. No span dies while markers may look ([FREE-2]),
 * so a cut holds from one pass to the other.
 *
 * No locks. Mark bits: relaxed fetch-or, or a plain store when nobody else sets any. A cut is released after the bits
 * and loaded relaxed: all that is read through it depends on its address. Forbidden: recursion, allocation from the
 * collected heap.
 */
#include "gc/candidates.h"

#include "alloc/pagecut.h"
#include "gc/slot.h"

/* A candidate whose slot is known. */
struct found {
  struct tri_bitgroup *group;
  uintptr_t grey; /* tri_grey's: address and tag */
  uint32_t index;
};

/* What alloc/sizeclass.h says of a size class, in one place. */
static struct {
  uint32_t divmul;
  uint16_t nelems, size;
} class_cut[TRI_NUM_CLASSES] TRI_CACHE_ALIGNED;

void tri_candidates_init(void) {
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
    class_cut[c].divmul = tri_class_divmul[c];
    class_cut[c].nelems = tri_class_nelems[c];
    class_cut[c].size = tri_class_size[c];
  }
}

TRI_NOINLINE static bool find_uncut(uintptr_t word, struct found *ret) {
  struct tri_slot s;
  if (!tri_slot_find(word, &s)) return false;
  *ret = (struct found){s.group, tri_grey(tri_slot_start(&s), s.span->tag), s.index};
  return true;
}

/* Where the type's number lies, of a slot of a typed span: see tri_mspan_type_at. */
TRI_INLINE const volatile uint16_t *type_at(const struct found *f) {
  return (const volatile uint16_t *)(const void *)(f->group - f->index / 64) - 1 - f->index;
}

TRI_INLINE bool find_slot(uint64_t cut, uintptr_t word, struct found *ret) {
  if (tri_unlikely(cut == 0)) return find_uncut(word, ret);
  unsigned class = tri_pagecut_class(cut);
  uintptr_t span = tri_pagecut_span(cut, word);
  uint32_t index = (uint32_t)(((word - span) * class_cut[class].divmul) >> 32);
  ret->group = tri_pagecut_bits(cut) + index / 64;
  __builtin_prefetch(ret->group, 1);
  ret->grey = tri_grey(span + (size_t)index * class_cut[class].size, tri_pagecut_tag(cut));
  ret->index = index;
  if (tri_unlikely(tri_pagecut_tag(cut) & TRI_TAG_TYPED)) __builtin_prefetch((const void *)(uintptr_t)type_at(ret));
  return index < class_cut[class].nelems;
}

static unsigned find_slots(const struct tri_candidates *c, struct found *ret) {
  const tri_aword *cuts = tri_heap_range.cuts;
  uintptr_t base = c->base;
  unsigned found = 0;
  for (unsigned i = 0, n = c->n; i < n; i++) {
    uintptr_t word = c->word[i];
    found += find_slot(tri_load_rlx(&cuts[(word - base) >> TRI_PAGE_SHIFT]), word, &ret[found]);
  }
  return found;
}

TRI_NOINLINE static size_t large_bytes(uintptr_t grey) {
  return tri_mheap_span_of(tri_grey_address(grey))->elemsize;
}

TRI_INLINE size_t bytes_of(uintptr_t grey) {
  unsigned class = tri_grey_class(grey) & (TRI_GREY_TYPED - 1);
  return tri_likely(class) ? tri_class_size[class] : large_bytes(grey);
}

/* The grey entry of an object that is not plain; 0 where there are no pointers. */
TRI_NOINLINE static uintptr_t special_grey(const struct found *f) {
  if (tri_grey_noscan(f->grey)) return 0;
  return tri_grey_typed(tri_grey_address(f->grey), (unsigned)(f->grey >> 48), *type_at(f));
}

/* What a pass over found slots has gathered. */
struct gathered {
  unsigned n;
  uint64_t bytes;
  uintptr_t grey[TRI_CANDIDATES_ROOM];
};

/* in_use, disowned: of the slots in its group. */
TRI_INLINE void gather(struct gathered *g, const struct found *f, uint64_t in_use, uint64_t disowned) {
  if (in_use >> (f->index % 64) & 1) g->bytes += bytes_of(f->grey);
  uintptr_t grey = tri_likely(tri_grey_is_plain(f->grey)) ? f->grey : special_grey(f);
  g->grey[g->n] = grey;
  g->n += grey != 0 && !(disowned >> (f->index % 64) & 1);
}

TRI_INLINE uint64_t slots_in_use(const struct tri_bitgroup *g) {
  return tri_bitgroup_alloc(g) & ~tri_load_rlx(&g->rfree);
}

static void mark_alone(const struct tri_candidates *c, struct gathered *ret, const struct found *f, unsigned n) {
  for (const struct found *end = f + n; f < end; f++) {
    struct tri_bitgroup *g = f->group;
    uint64_t bit = (uint64_t)1 << (f->index % 64), mark = tri_load_rlx(&g->mark), in_use = slots_in_use(g);
    if (!((in_use | c->free_too) & ~mark & bit)) continue;
    tri_store_rlx(&g->mark, mark | bit);
    gather(ret, f, in_use, tri_bitgroup_disowned(g, in_use) & c->disowned);
  }
}

/* Neighbours in the heap are often found together: their bits are set at one go. */
static void mark_beside_others(const struct tri_candidates *c, struct gathered *ret, const struct found *f,
                               unsigned n) {
  for (unsigned i = 0, end; i < n; i = end) {
    struct tri_bitgroup *g = f[i].group;
    uint64_t bits = (uint64_t)1 << (f[i].index % 64);
    for (end = i + 1; end < n && f[end].group == g; end++) bits |= (uint64_t)1 << (f[end].index % 64);
    uint64_t in_use = slots_in_use(g);
    bits &= (in_use | c->free_too) & ~tri_load_rlx(&g->mark);
    uint64_t disowned = tri_bitgroup_disowned(g, in_use) & c->disowned;
    if (bits) bits &= ~tri_fetch_or_rlx(&g->mark, bits);
    for (unsigned k = i; bits && k < end; k++) {
      uint64_t bit = (uint64_t)1 << (f[k].index % 64);
      if (bits & bit) gather(ret, &f[k], in_use, disowned);
      bits &= ~bit; /* the same slot may come again */
    }
  }
}

TRI_NOINLINE void tri_candidates_mark(struct tri_candidates *c) {
  struct found found[TRI_CANDIDATES_ROOM];
  struct gathered gathered;
  unsigned n = find_slots(c, found);
  gathered.n = 0;
  gathered.bytes = 0;
  c->n = 0;
  if (c->shared) {
    mark_beside_others(c, &gathered, found, n);
  } else {
    mark_alone(c, &gathered, found, n);
  }
  c->m->marked_bytes += gathered.bytes;
  tri_work_put_many(&c->m->work, gathered.grey, gathered.n);
}
