/*
 * mheap: the bottom of the allocator. Spans are born here for mcentral (small) and for large objects, and die here
 * after a sweep or a free; below are the page allocator and os_linux.c.
 *
 * Three reservations, all in ownmap: the heap, its tables [page allocator | page -> span], and the table of cuts, which
 * marking reads alone. The heap grows at its end by mprotect, so it stays one mapping with one PROT_NONE tail.
 *
 * Invariants: pages in use = pages of live spans + pages on their way back to the system (heap.releasing). Each page of
 * a live span has the span in the table, a free page a tombstone or, never used, NULL. Only pages of live spans of
 * small slots have a cut. Span structs and bit groups are type-stable; rnext and rpending of a struct are never written
 * here (a remote-free stack may still hold it).
 *
 * Locks: heap.lock (rank HEAP) guards all but tri_heap_range's readers; below it only fixalloc locks and ownmap's.
 * Memory order: the tables behind used_bytes are committed before it is stored (release); tri_mheap_span_of loads it
 * (acquire). Table entries are plain words: a stale reader sees the old or the new pointer and checks the span's state,
 * which mspan.c stores with release.
 *
 * Giving memory back happens outside the lock, piece by piece, since the kernel needs up to a millisecond for 8 MiB:
 * the piece is taken out of the free set meanwhile. Whoever finds the heap full, and fork, waits for the piece.
 * An allocation that passes what may stay resident (set by gc/plan.c and gc/scavenger.c) gives back on the spot, after
 * it has let go of the lock: first runs of 64 KiB, then whatever is free.
 * Forbidden here: touching the memory of pages; logging under the lock.
 */
#include "alloc/mheap.h"

#include <sched.h>
#include <string.h>

#include "alloc/fixalloc.h"
#include "alloc/os.h"
#include "alloc/ownmap.h"
#include "alloc/pagealloc_types.h"
#include "alloc/pagecut.h"
#include "internal/check.h"

#define RESERVE_DEFAULT ((size_t)1 << 40)
#define RESERVE_MIN ((size_t)64 << 20)
#define GROW_MIN_PAGES ((size_t)TRI_CHUNK_PAGES)
#define GROW_MAX_PAGES ((size_t)TRI_CHUNK_PAGES * 16)
#define RELEASE_PIECE ((size_t)1024)   /* pages */
#define EAGER_RUN ((size_t)64 << 10)   /* what an allocation gives back is in runs of this, if there are such */
#define EAGER_STEP ((size_t)256 << 10) /* and so much more than it must, so that it does so seldom */
#define SHORT_OF ((size_t)4 << 20)
#define DENSE_FREE_PAGES ((size_t)TRI_CHUNK_PAGES / 32)
#define TABLE_STEP ((size_t)65536) /* the largest kernel page */
#define MAX_GROUPS 16
#define NPOOLS 5 /* of 1 (typed only), 2, 4, 8 and 16 bit groups */
#define TYPES_BYTES(groups) ((groups)*64 * sizeof(uint16_t))
#define TYPED_BYTES(groups) (TYPES_BYTES(groups) + (groups) * sizeof(struct tri_bitgroup))

struct tri_heap_range tri_heap_range;

static struct {
  struct tri_lock lock; /* guards all below */
  struct tri_pagealloc pages;
  size_t max_pages;
  size_t grow_pages; /* the next growth step */
  size_t inuse_pages, nspans;
  char *meta;
  size_t meta_size;
  size_t table_done;  /* bytes of the page -> span table committed, and of the cuts */
  size_t in_flight;   /* pages of heap.releasing */
  tri_aint releasing; /* 1 while a piece is on its way back to the system; futex word */
  size_t nwaiting;    /* threads that wait for it */
  bool lazily;        /* MADV_FREE: released pages may hold old data; set once */
  bool grown;         /* since the lock was taken */
  /* Without the lock. */
  tri_aword most_retained, retained_on_growth, eager_bytes;
  tri_aint is_short, gives_back;
  struct tri_fixalloc span_pool;
  struct tri_fixalloc group_pool[NPOOLS];
  struct tri_fixalloc typed_pool[NPOOLS]; /* the types of 64 slots for each group, then the groups */
} heap = {
    .lock = TRI_LOCK_INIT(TRI_RANK_HEAP),
    .most_retained = SIZE_MAX,
    .retained_on_growth = SIZE_MAX,
    .span_pool = TRI_FIXALLOC_INIT(sizeof(struct tri_mspan)),
    .group_pool = {TRI_FIXALLOC_INIT(sizeof(struct tri_bitgroup)), TRI_FIXALLOC_INIT(2 * sizeof(struct tri_bitgroup)),
                   TRI_FIXALLOC_INIT(4 * sizeof(struct tri_bitgroup)),
                   TRI_FIXALLOC_INIT(8 * sizeof(struct tri_bitgroup)),
                   TRI_FIXALLOC_INIT(16 * sizeof(struct tri_bitgroup))},
    .typed_pool = {TRI_FIXALLOC_INIT(TYPED_BYTES(1)), TRI_FIXALLOC_INIT(TYPED_BYTES(2)),
                   TRI_FIXALLOC_INIT(TYPED_BYTES(4)), TRI_FIXALLOC_INIT(TYPED_BYTES(8)),
                   TRI_FIXALLOC_INIT(TYPED_BYTES(16))},
};

/* Setting up. */

static size_t table_bytes(size_t pages) {
  return tri_align_up(pages * sizeof(struct tri_mspan *), TABLE_STEP);
}

static size_t meta_bytes(size_t pages) {
  return tri_pagealloc_meta_size(pages) + table_bytes(pages);
}

static void unreserve(void *p, size_t size) {
  if (p == NULL) return;
  tri_ownmap_remove(p, size);
  tri_os_unreserve(p, size);
}

static void *reserve_own(size_t size, size_t align) {
  void *p = tri_os_reserve(size, align);
  if (p == NULL || tri_ownmap_add(p, size)) return p;
  tri_os_unreserve(p, size);
  return NULL;
}

/* Reserves a heap of `size` bytes and its tables. */
static bool reserve(size_t size) {
  size_t pages = size >> TRI_PAGE_SHIFT, meta_size = meta_bytes(pages);
  void *base = reserve_own(size, TRI_CHUNK_SIZE);
  void *meta = base != NULL ? reserve_own(meta_size, TABLE_STEP) : NULL;
  void *cuts = meta != NULL ? reserve_own(table_bytes(pages), TABLE_STEP) : NULL;
  if (cuts == NULL) {
    unreserve(base, size);
    unreserve(meta, meta_size);
    return false;
  }
  heap.meta = meta;
  tri_heap_range.cuts = cuts;
  heap.meta_size = meta_size;
  heap.max_pages = pages;
  tri_heap_range.base = (uintptr_t)base;
  tri_heap_range.reserved_bytes = size;
  return true;
}

bool tri_mheap_init(size_t max_bytes) {
  size_t least = max_bytes == 0 ? RESERVE_MIN : tri_min(tri_align_up(max_bytes, TRI_CHUNK_SIZE), RESERVE_MIN);
  size_t want = max_bytes == 0 ? RESERVE_DEFAULT : tri_align_up(max_bytes, TRI_CHUNK_SIZE);
  size_t left = tri_os_address_space_left();
  want = tri_max(tri_min(want, tri_align_down(left / 2, TRI_CHUNK_SIZE)), least);
  while (!reserve(want)) {
    if (want == least) return false;
    want = tri_max(tri_align_down(want / 2, TRI_CHUNK_SIZE), least);
  }
  tri_pagealloc_init(&heap.pages, heap.meta, heap.max_pages);
  heap.pages.base_page = tri_heap_range.base >> TRI_PAGE_SHIFT;
  heap.grow_pages = GROW_MIN_PAGES;
  tri_heap_range.spans = (struct tri_mspan **)(void *)(heap.meta + tri_pagealloc_meta_size(heap.max_pages));
  return true;
}

static char *page_addr(size_t page) {
  return (char *)tri_heap_range.base + (page << TRI_PAGE_SHIFT);
}

static size_t page_of(uintptr_t addr) {
  return (addr - tri_heap_range.base) >> TRI_PAGE_SHIFT;
}

/* Growth. */

static bool commit_table(size_t pages) {
  size_t need = table_bytes(pages);
  if (need <= heap.table_done) return true;
  size_t add = need - heap.table_done;
  if (!tri_os_commit((char *)tri_heap_range.spans + heap.table_done, add)) return false;
  if (!tri_os_commit((char *)(uintptr_t)tri_heap_range.cuts + heap.table_done, add)) return false;
  heap.table_done = need;
  return true;
}

/* Adds `add` pages, a multiple of a chunk. What a failure leaves committed is committed again by the next try. */
static bool grow_by(size_t add) {
  size_t used = heap.pages.pages;
  if (add > heap.max_pages - used) return false;
  if (!tri_os_commit(page_addr(used), add << TRI_PAGE_SHIFT)) return false;
  if (!commit_table(used + add) || !tri_pagealloc_grow(&heap.pages, used, add)) return false;
  tri_store_rel(&tri_heap_range.used_bytes, (used + add) << TRI_PAGE_SHIFT);
  heap.grown = true;
  return true;
}

/* Makes pages up to `end` usable: in doubling steps, or as little as will do when the system refuses more. */
static bool grow_to(size_t end) {
  size_t used = heap.pages.pages;
  if (end > heap.max_pages) return false;
  size_t least = tri_align_up(end - used, TRI_CHUNK_PAGES);
  size_t want = tri_min(tri_max(least, heap.grow_pages), heap.max_pages - used);
  if (!grow_by(want)) {
    heap.grow_pages = GROW_MIN_PAGES;
    return want != least && grow_by(least);
  }
  heap.grow_pages = tri_min(heap.grow_pages * 2, GROW_MAX_PAGES);
  return true;
}

/* First page of the free run at the end of the heap; the end when the last page is in use. */
static size_t tail_start(void) {
  size_t chunk = heap.pages.pages / TRI_CHUNK_PAGES, tail = 0;
  while (chunk-- > 0) {
    tail += heap.pages.sum[0][chunk].end;
    if (heap.pages.sum[0][chunk].end != TRI_CHUNK_PAGES) break;
  }
  return heap.pages.pages - tail;
}

static bool grow_for(size_t npages, size_t align) {
  size_t base = heap.pages.base_page;
  size_t start = tri_align_up(base + tail_start(), align) - base;
  return start < heap.max_pages && npages <= heap.max_pages - start && grow_to(start + npages);
}

/* Waits until the piece in flight, if any, is back in the free set. Called and returns with the lock held. */
static bool wait_for_release(void) {
  if (tri_int_load_rlx(&heap.releasing) == 0) return false;
  while (tri_int_load_rlx(&heap.releasing) != 0) {
    heap.nwaiting++;
    tri_lock_release(&heap.lock);
    tri_futex_wait(&heap.releasing, 1, 0);
    tri_lock_acquire(&heap.lock);
    heap.nwaiting--;
  }
  return true;
}

static size_t take_pages(size_t npages, size_t align, size_t *ret_scavenged) {
  if (npages == 0 || npages > heap.max_pages || align > SIZE_MAX / 4) return TRI_NO_PAGE;
  do {
    size_t page = tri_pagealloc_alloc(&heap.pages, npages, align, ret_scavenged);
    if (page == TRI_NO_PAGE && grow_for(npages, align)) {
      page = tri_pagealloc_alloc(&heap.pages, npages, align, ret_scavenged);
    }
    if (page != TRI_NO_PAGE) return page;
  } while (wait_for_release());
  return TRI_NO_PAGE;
}

/* Spans. */

static void set_table(size_t page, size_t npages, struct tri_mspan *s) {
  for (size_t i = 0; i < npages; i++) tri_heap_range.spans[page + i] = s;
}

static unsigned pool_of(unsigned ngroups) {
  unsigned i = 0;
  while ((1u << i) < ngroups) i++;
  return i;
}

/* The groups for a span, cleared. For typed slots the first byte of the pool's object is TYPES_BYTES before them. */
static struct tri_bitgroup *new_groups(struct tri_mspan *s, unsigned ngroups, bool typed) {
  unsigned pool = pool_of(ngroups);
  size_t before = typed ? TYPES_BYTES((size_t)1 << pool) : 0;
  char *p = typed          ? tri_fixalloc_alloc(&heap.typed_pool[pool])
            : ngroups == 1 ? (char *)&s->bits0
                           : tri_fixalloc_alloc(&heap.group_pool[pool]);
  if (p != NULL) memset(p, 0, before + ngroups * sizeof(struct tri_bitgroup));
  return p != NULL ? (struct tri_bitgroup *)(void *)(p + before) : NULL;
}

static void drop_groups(struct tri_mspan *s) {
  unsigned pool = pool_of(s->ngroups);
  if (tri_mspan_typed(s)) {
    tri_fixalloc_free(&heap.typed_pool[pool], (char *)s->bits - TYPES_BYTES((size_t)1 << pool));
  } else if (s->bits != &s->bits0) {
    tri_fixalloc_free(&heap.group_pool[pool], s->bits);
  }
}

/* A span struct with cleared bits for nelems slots. State stays DEAD: the pool's new structs are zero, and a reused one
 * was DEAD when it came back. */
static struct tri_mspan *new_span(uint32_t nelems, bool typed) {
  uint32_t ngroups = nelems <= 64 ? 1 : (nelems + 63) / 64;
  struct tri_mspan *s = tri_fixalloc_alloc(&heap.span_pool);
  if (s == NULL) return NULL;
  tri_assert(tri_int_load_rlx(&s->state) == TRI_SPAN_DEAD);
  struct tri_bitgroup *bits = new_groups(s, ngroups, typed);
  if (bits == NULL) {
    tri_fixalloc_free(&heap.span_pool, s);
    return NULL;
  }
  s->bits = bits;
  s->nelems = nelems;
  s->ngroups = (uint8_t)ngroups;
  s->tag = typed ? TRI_TAG_TYPED : 0;
  s->type = 0;
  return s;
}

static void drop_span(struct tri_mspan *s) {
  drop_groups(s);
  tri_fixalloc_free(&heap.span_pool, s);
}

/* So much stays when an allocation has to give memory back, and how much it gives back at least. */
struct excess {
  size_t retain;
  bool any;
};

static size_t retained_bytes(void) {
  size_t dirty = tri_pagealloc_free_pages(&heap.pages) - tri_pagealloc_scavenged_pages(&heap.pages);
  return (heap.inuse_pages + dirty + heap.in_flight) << TRI_PAGE_SHIFT;
}

/* Called with the lock held, at the end of an allocation. */
static struct excess find_excess(void) {
  size_t most = tri_load_rlx(&heap.most_retained), retained = retained_bytes();
  size_t after_growth = heap.grown ? tri_load_rlx(&heap.retained_on_growth) : SIZE_MAX;
  heap.grown = false;
  tri_int_store_rlx(&heap.is_short, most != SIZE_MAX && retained + SHORT_OF > most);
  size_t retain = tri_min(tri_int_load_rlx(&heap.gives_back) ? most : SIZE_MAX, after_growth);
  bool any = retained > retain && retained > heap.inuse_pages << TRI_PAGE_SHIFT;
  return (struct excess){.retain = retain - tri_min(retain, EAGER_STEP), .any = any};
}

static void give_back_excess(struct excess e) {
  if (!e.any) return;
  size_t released = tri_mheap_release_free(EAGER_RUN, e.retain);
  if (released == 0) released = tri_mheap_release_free(TRI_PAGE_SIZE, e.retain);
  tri_fetch_add_rlx(&heap.eager_bytes, released);
}

static struct tri_mspan *alloc_span(size_t npages, size_t align_pages, uint32_t nelems, bool typed) {
  tri_check(tri_is_pow2(align_pages) && nelems <= MAX_GROUPS * 64);
  tri_lock_acquire(&heap.lock);
  size_t scavenged, page = take_pages(npages, align_pages, &scavenged);
  struct tri_mspan *s = page != TRI_NO_PAGE ? new_span(nelems, typed) : NULL;
  if (s != NULL) {
    s->base = (uintptr_t)page_addr(page);
    s->npages = npages;
    s->needzero = heap.lazily || scavenged != npages;
    set_table(page, npages, s);
    heap.inuse_pages += npages;
    heap.nspans++;
  } else if (page != TRI_NO_PAGE) {
    tri_pagealloc_free(&heap.pages, page, npages);
  }
  struct excess e = find_excess();
  tri_lock_release(&heap.lock);
  if (tri_unlikely(e.any)) give_back_excess(e);
  return s;
}

struct tri_mspan *tri_mheap_alloc_span(size_t npages, size_t align_pages, uint32_t nelems) {
  return alloc_span(npages, align_pages, nelems, false);
}

struct tri_mspan *tri_mheap_alloc_typed_span(size_t npages, uint32_t nelems) {
  return alloc_span(npages, 1, nelems, true);
}

/* Until now the entries are 0, also those of pages whose last span is dead. */
void tri_mheap_show_span(const struct tri_mspan *s) {
  tri_aword *cut = &tri_heap_range.cuts[page_of(s->base)];
  for (size_t i = 0; i < s->npages; i++) tri_store_rel(&cut[i], tri_pagecut(s, i));
}

static void hide_span(const struct tri_mspan *s) {
  tri_aword *cut = &tri_heap_range.cuts[page_of(s->base)];
  for (size_t i = 0; i < s->npages; i++) tri_store_rlx(&cut[i], 0);
}

static struct tri_mspan freed_pages, reclaimed_pages; /* tombstones: state DEAD for ever */

bool tri_mheap_page_was_freed(uintptr_t addr) {
  return tri_mheap_span_of(addr) == &freed_pages;
}

bool tri_mheap_page_was_reclaimed(uintptr_t addr) {
  return tri_mheap_span_of(addr) == &reclaimed_pages;
}

void tri_mheap_free_span(struct tri_mspan *s, bool reclaimed) {
  tri_check(tri_int_load_rlx(&s->state) == TRI_SPAN_DEAD);
  size_t page = page_of(s->base);
  tri_lock_acquire(&heap.lock);
  tri_check(page < heap.pages.pages && tri_heap_range.spans[page] == s);
  if (s->spanclass > 1) hide_span(s);
  set_table(page, s->npages, reclaimed ? &reclaimed_pages : &freed_pages);
  tri_pagealloc_free(&heap.pages, page, s->npages);
  heap.inuse_pages -= s->npages;
  heap.nspans--;
  drop_span(s);
  tri_lock_release(&heap.lock);
}

/* Takes `add` pages at `page`, growing the heap when they reach past its end and all before the end is free. */
static bool extend_at(size_t page, size_t add, size_t *ret_scavenged) {
  if (tri_pagealloc_alloc_at(&heap.pages, page, add, ret_scavenged)) return true;
  if (add > heap.max_pages - page || page + add <= heap.pages.pages || tail_start() > page) return false;
  return grow_to(page + add) && tri_pagealloc_alloc_at(&heap.pages, page, add, ret_scavenged);
}

bool tri_mheap_resize_span(struct tri_mspan *s, size_t npages, bool *ret_needzero) {
  bool ok = true;
  size_t page = page_of(s->base), old = s->npages, scavenged;
  tri_check(s->nelems == 1 && npages != 0);
  *ret_needzero = false;
  tri_lock_acquire(&heap.lock);
  if (npages < old) {
    set_table(page + npages, old - npages, &freed_pages);
    tri_pagealloc_free(&heap.pages, page + npages, old - npages);
  } else if (npages > old) {
    ok = extend_at(page + old, npages - old, &scavenged);
    if (ok) {
      *ret_needzero = heap.lazily || scavenged != npages - old;
      set_table(page + old, npages - old, s);
    }
  }
  if (ok) {
    heap.inuse_pages += npages - old;
    s->npages = npages;
    tri_int_store_rlx(&s->whole_pieces, 0);
  }
  struct excess e = find_excess();
  tri_lock_release(&heap.lock);
  if (tri_unlikely(e.any)) give_back_excess(e);
  return ok;
}

bool tri_mheap_is_in_use(uintptr_t addr, size_t bytes) {
  bool all = true;
  tri_lock_acquire(&heap.lock);
  for (size_t page = page_of(addr), end = page_of(addr + bytes); page < end && all; page++)
    all = heap.pages.chunks[page / TRI_CHUNK_PAGES].inuse[page / 64 % TRI_CHUNK_WORDS] >> (page % 64) & 1;
  tri_lock_release(&heap.lock);
  return all;
}

/* Giving back. */

/* Gives the piece [page, page + n), which is out of the free set, to the system, and puts it back as free. Called and
 * returns with the lock held. */
static bool release_piece(size_t page, size_t n) {
  heap.in_flight = n;
  tri_int_store_rlx(&heap.releasing, 1);
  tri_lock_release(&heap.lock);
  size_t bytes = n << TRI_PAGE_SHIFT;
  bool ok = heap.lazily ? tri_os_release_lazily(page_addr(page), bytes) : tri_os_release(page_addr(page), bytes);
  tri_lock_acquire(&heap.lock);
  heap.in_flight = 0;
  tri_int_store_rlx(&heap.releasing, 0);
  if (heap.nwaiting != 0) tri_futex_wake(&heap.releasing, INT_MAX);
  tri_pagealloc_free(&heap.pages, page, n);
  if (ok) tri_pagealloc_set_scavenged(&heap.pages, page, n);
  return ok;
}

/* Lets others at the lock between two pieces, and those who waited for a piece go first. */
static void give_way(void) {
  bool somebody_waits = heap.nwaiting != 0;
  tri_lock_release(&heap.lock);
  if (somebody_waits) sched_yield();
  tri_lock_acquire(&heap.lock);
}

/* How much to give back, and from where; in pages. */
struct release {
  size_t min_run, keep, most;
  bool spare_dense;
  size_t released;
};

/* Releases the run [page, page + n) piece by piece; stops early where somebody took pages of it meanwhile. False: the
 * system refuses (locked memory). */
static bool release_run(struct release *r, size_t page, size_t n) {
  size_t end = page + n, scavenged;
  while (page < end && r->released < r->most) {
    size_t piece = tri_min(end - page, RELEASE_PIECE);
    wait_for_release(); /* another thread's; one at a time */
    if (!tri_pagealloc_alloc_at(&heap.pages, page, piece, &scavenged)) return true;
    if (!release_piece(page, piece)) return false;
    r->released += piece - scavenged;
    page += piece;
    give_way();
  }
  return true;
}

/* A short run, and the rest of its chunk is in use. */
static bool is_in_dense_chunk(size_t page, size_t n) {
  if (n > DENSE_FREE_PAGES || page / TRI_CHUNK_PAGES != (page + n - 1) / TRI_CHUNK_PAGES) return false;
  const struct tri_chunk_bits *c = &heap.pages.chunks[page / TRI_CHUNK_PAGES];
  size_t inuse = 0;
  for (unsigned w = 0; w < TRI_CHUNK_WORDS; w++) inuse += (size_t)__builtin_popcountll(c->inuse[w]);
  return inuse >= TRI_CHUNK_PAGES - DENSE_FREE_PAGES;
}

/* Called with the lock held. The lowest runs are kept: they are used again first. */
static void release_pages(struct release *r) {
  size_t unit = tri_max(tri_os_page_size() >> TRI_PAGE_SHIFT, 1), from = 0, n;
  size_t min_pages = tri_max(r->min_run, unit);
  while (r->released < r->most) {
    from = tri_pagealloc_next_dirty_run(&heap.pages, from, min_pages, &n);
    if (from == TRI_NO_PAGE) return;
    size_t kept = tri_min(r->keep, n);
    r->keep -= kept;
    size_t most = tri_align_up(tri_min(r->most - r->released, n), unit), start = tri_align_up(from + kept, unit);
    size_t end = tri_min(tri_align_down(from + n, unit), start + most);
    bool spared = r->spare_dense && is_in_dense_chunk(from, n);
    if (!spared && start < end && !release_run(r, start, end - start)) return;
    from += n;
  }
}

static size_t pages_in(size_t bytes) {
  return (bytes >> TRI_PAGE_SHIFT) + (bytes % TRI_PAGE_SIZE != 0);
}

static size_t release(struct release *r, size_t retain_bytes) {
  size_t retain = retain_bytes >> TRI_PAGE_SHIFT;
  tri_lock_acquire(&heap.lock);
  r->keep = retain > heap.inuse_pages ? retain - heap.inuse_pages : 0;
  release_pages(r);
  tri_lock_release(&heap.lock);
  return r->released << TRI_PAGE_SHIFT;
}

size_t tri_mheap_release_free(size_t min_bytes, size_t retain_bytes) {
  struct release r = {.min_run = pages_in(min_bytes), .most = SIZE_MAX};
  return release(&r, retain_bytes);
}

size_t tri_mheap_release_some(size_t min_bytes, size_t retain_bytes, size_t most_bytes) {
  struct release r = {.min_run = pages_in(min_bytes), .most = pages_in(most_bytes), .spare_dense = true};
  return release(&r, retain_bytes);
}

void tri_mheap_await_release(void) {
  tri_lock_acquire(&heap.lock);
  wait_for_release();
  tri_lock_release(&heap.lock);
}

void tri_mheap_set_most_retained(size_t bytes, bool give_back) {
  tri_int_store_rlx(&heap.gives_back, give_back);
  tri_store_rlx(&heap.most_retained, bytes);
}

void tri_mheap_set_retained_on_growth(size_t bytes) {
  tri_store_rlx(&heap.retained_on_growth, bytes);
}

bool tri_mheap_is_short(void) {
  return tri_int_load_rlx(&heap.is_short) != 0;
}

uint64_t tri_mheap_eager_bytes(void) {
  return tri_load_rlx(&heap.eager_bytes);
}

void tri_mheap_release_lazily(void) {
  heap.lazily = true;
}

void tri_mheap_trim_reserve(size_t keep_bytes) {
  tri_lock_acquire(&heap.lock);
  size_t old = tri_heap_range.reserved_bytes;
  size_t keep = tri_align_up(tri_min(keep_bytes, old), TRI_CHUNK_SIZE);
  keep = tri_max(keep, heap.pages.pages << TRI_PAGE_SHIFT);
  if (keep < old) {
    char *heap_end = (char *)tri_heap_range.base + keep;
    size_t tables = tri_max(table_bytes(keep >> TRI_PAGE_SHIFT), heap.table_done);
    char *table_end = (char *)tri_heap_range.spans + tables;
    char *meta_end = heap.meta + heap.meta_size;
    heap.max_pages = keep >> TRI_PAGE_SHIFT;
    tri_heap_range.reserved_bytes = keep;
    unreserve(heap_end, old - keep);
    unreserve(table_end, (size_t)(meta_end - table_end));
    unreserve((char *)(uintptr_t)tri_heap_range.cuts + tables, (size_t)(meta_end - table_end));
    heap.meta_size = (size_t)(table_end - heap.meta);
  }
  tri_lock_release(&heap.lock);
}

/* Looking. */

void tri_mheap_read_stats(struct tri_mheap_stats *ret) {
  tri_lock_acquire(&heap.lock);
  size_t released = tri_pagealloc_scavenged_pages(&heap.pages);
  size_t free_pages = tri_pagealloc_free_pages(&heap.pages) - released + heap.in_flight;
  *ret = (struct tri_mheap_stats){
      .reserved_bytes = tri_heap_range.reserved_bytes,
      .used_bytes = heap.pages.pages << TRI_PAGE_SHIFT,
      .inuse_bytes = heap.inuse_pages << TRI_PAGE_SHIFT,
      .free_bytes = free_pages << TRI_PAGE_SHIFT,
      .released_bytes = released << TRI_PAGE_SHIFT,
      .nspans = heap.nspans,
      .meta_bytes = heap.pages.meta_bytes + 2 * heap.table_done + tri_persistent_bytes(),
  };
  tri_lock_release(&heap.lock);
}

void tri_mheap_lock(void) {
  tri_lock_acquire(&heap.lock);
  wait_for_release();
  tri_persistent_lock();
}

void tri_mheap_unlock(void) {
  tri_persistent_unlock();
  tri_lock_release(&heap.lock);
}

static size_t check_span(const struct tri_mspan *s, size_t page) {
  tri_check(page_of(s->base) == page && s->base % TRI_PAGE_SIZE == 0);
  tri_check(s->npages > 0 && s->npages <= heap.pages.pages - page);
  tri_check(s->ngroups == (s->nelems <= 64 ? 1 : (s->nelems + 63) / 64));
  tri_check((s->bits == &s->bits0) == (s->ngroups == 1 && !tri_mspan_typed(s)));
  for (size_t i = 0; i < s->npages; i++) {
    uint64_t cut = tri_load_rlx(&tri_heap_range.cuts[page + i]);
    tri_check(tri_heap_range.spans[page + i] == s && (cut == 0 || cut == tri_pagecut(s, i)));
  }
  return s->npages;
}

void tri_mheap_check(void) {
  size_t inuse = 0, nspans = 0;
  tri_lock_acquire(&heap.lock);
  wait_for_release();
  tri_pagealloc_check(&heap.pages);
  tri_check(tri_load_rlx(&tri_heap_range.used_bytes) == heap.pages.pages << TRI_PAGE_SHIFT);
  for (size_t page = 0; page < heap.pages.pages;) {
    struct tri_mspan *s = tri_heap_range.spans[page];
    if (s == &freed_pages || s == &reclaimed_pages) s = NULL;
    size_t n = s != NULL ? check_span(s, page) : 1;
    tri_check(s != NULL || tri_load_rlx(&tri_heap_range.cuts[page]) == 0);
    const struct tri_chunk_bits *c = &heap.pages.chunks[page / TRI_CHUNK_PAGES];
    tri_check(((c->inuse[page / 64 % TRI_CHUNK_WORDS] >> (page % 64)) & 1) == (s != NULL));
    if (s != NULL) {
      inuse += n;
      nspans++;
    }
    page += n;
  }
  tri_check(inuse == heap.inuse_pages && nspans == heap.nspans);
  tri_check(inuse + heap.pages.free_pages == heap.pages.pages);
  tri_lock_release(&heap.lock);
}
