/*
 * Page allocator: stands between mheap.c, which makes spans of the runs handed out here, and os_linux.c, from which it
 * gets memory for its own tables only. See pagealloc.h for what it keeps.
 *
 * Level 0 has a summary per chunk of 512 pages, each level above one per eight of the level below. Only levels up to
 * `top` are in use, so a small heap has a low tree, and a change goes up only as far as it changes a summary.
 *
 * Invariants: a summary equals what its chunk or its eight children say (tri_pagealloc_check); summaries of pages not
 * grown yet are 0; scav bits are set for free pages only; free_pages and scav_pages count bits of grown pages.
 * Metadata is committed before the pages that it describes are added: [upper levels | level 0 | chunk bits], the last
 * two in step with growth.
 *
 * Locks: none; mheap's lock guards the instance. No memory order.
 * Forbidden here: touching the pages themselves.
 */
#include <string.h>

#include "alloc/os.h"
#include "alloc/pagebits.h"
#include "internal/check.h"

/* Pieces of metadata are committed in this unit: the largest kernel page. */
#define META_STEP ((size_t)65536)
/* Misses of an aligned search before a longer run is taken instead of the lowest one. */
#define ALIGN_MISSES 1024

static size_t nchunks_of(size_t pages) {
  return (pages + TRI_CHUNK_PAGES - 1) / TRI_CHUNK_PAGES;
}

/* Entries of a level, rounded up so that eight children can always be read. */
static size_t level_entries(size_t max_pages, unsigned level) {
  size_t n = nchunks_of(max_pages) >> (TRI_SUM_SHIFT * level);
  return tri_align_up(n + 1, (size_t)1 << TRI_SUM_SHIFT);
}

static size_t sum0_bytes(size_t chunks) {
  size_t entries = tri_align_up(chunks, (size_t)1 << TRI_SUM_SHIFT);
  return tri_align_up(entries * sizeof(struct tri_page_sum), META_STEP);
}

static size_t chunk_bytes(size_t chunks) {
  return tri_align_up(chunks * sizeof(struct tri_chunk_bits), META_STEP);
}

static size_t upper_bytes(size_t max_pages) {
  size_t bytes = 0;
  for (unsigned l = 1; l < TRI_SUM_LEVELS; l++) bytes += level_entries(max_pages, l) * sizeof(struct tri_page_sum);
  return tri_align_up(bytes, META_STEP);
}

size_t tri_pagealloc_meta_size(size_t max_pages) {
  size_t chunks = nchunks_of(max_pages);
  return upper_bytes(max_pages) + sum0_bytes(chunks) + chunk_bytes(chunks);
}

void tri_pagealloc_init(struct tri_pagealloc *p, void *meta, size_t max_pages) {
  tri_check(max_pages > 0 && nchunks_of(max_pages) <= (size_t)1 << (TRI_SUM_SHIFT * (TRI_SUM_LEVELS - 1)));
  char *at = meta;
  memset(p, 0, sizeof *p);
  p->max_pages = max_pages;
  p->upper_need = upper_bytes(max_pages);
  struct tri_page_sum *upper = meta;
  for (unsigned l = 1; l < TRI_SUM_LEVELS; l++) {
    p->sum[l] = upper;
    upper += level_entries(max_pages, l);
  }
  at += p->upper_need;
  p->sum[0] = (struct tri_page_sum *)(void *)at;
  at += sum0_bytes(nchunks_of(max_pages));
  p->chunks = (struct tri_chunk_bits *)(void *)at;
}

/* Growth. */

static bool commit_to(struct tri_pagealloc *p, void *base, size_t *done, size_t need) {
  if (need <= *done) return true;
  if (!tri_os_commit((char *)base + *done, need - *done)) return false;
  p->meta_bytes += need - *done;
  *done = need;
  return true;
}

static bool commit_metadata(struct tri_pagealloc *p, size_t chunks) {
  return commit_to(p, p->sum[1], &p->upper_done, p->upper_need) &&
         commit_to(p, p->sum[0], &p->sum0_done, sum0_bytes(chunks)) &&
         commit_to(p, p->chunks, &p->chunks_done, chunk_bytes(chunks));
}

static size_t level_pages(unsigned level) {
  return (size_t)TRI_CHUNK_PAGES << (TRI_SUM_SHIFT * level);
}

static bool same_sum(struct tri_page_sum a, struct tri_page_sum b) {
  return a.start == b.start && a.max == b.max && a.end == b.end;
}

/* Recomputes what stands above chunks [first, last]. */
static void update_above(struct tri_pagealloc *p, size_t first, size_t last, bool all_levels) {
  for (unsigned l = 1; l <= p->top; l++) {
    first >>= TRI_SUM_SHIFT;
    last >>= TRI_SUM_SHIFT;
    bool changed = all_levels;
    for (size_t i = first; i <= last; i++) {
      struct tri_page_sum s = tri_sum_merge(&p->sum[l - 1][i << TRI_SUM_SHIFT], level_pages(l - 1));
      if (same_sum(s, p->sum[l][i])) continue;
      p->sum[l][i] = s;
      changed = true;
    }
    if (!changed) return;
  }
}

bool tri_pagealloc_grow(struct tri_pagealloc *p, size_t page, size_t n) {
  tri_check(page == p->pages && page % TRI_CHUNK_PAGES == 0 && n % TRI_CHUNK_PAGES == 0 && n > 0);
  tri_check(n <= p->max_pages - page);
  size_t first = page / TRI_CHUNK_PAGES, end = (page + n) / TRI_CHUNK_PAGES;
  if (!commit_metadata(p, end)) return false;
  for (size_t i = first; i < end; i++) {
    memset(p->chunks[i].scav, 0xff, sizeof p->chunks[i].scav);
    p->sum[0][i] = (struct tri_page_sum){TRI_CHUNK_PAGES, TRI_CHUNK_PAGES, TRI_CHUNK_PAGES};
  }
  while (level_pages(p->top) < page + n) p->top++;
  p->pages = page + n;
  p->free_pages += n;
  p->scav_pages += n;
  update_above(p, first, end - 1, true);
  return true;
}

/* Search. */

/* The lowest run of n free pages that begins at or after `from`. Walks the tree with the free run that reaches up to
 * the place looked at; a block that holds a long enough run inside is descended into, all others are skipped whole. */
static size_t find_run(const struct tri_pagealloc *p, size_t from, size_t n) {
  size_t nchunks = p->pages / TRI_CHUNK_PAGES, chunk = from / TRI_CHUNK_PAGES, run = 0;
  unsigned level = 0, off = from % TRI_CHUNK_PAGES;
  if (chunk >= nchunks) return TRI_NO_PAGE;
  if (off != 0) {
    int at = p->sum[0][chunk].max >= n ? tri_chunk_find(&p->chunks[chunk], off, (unsigned)n) : -1;
    if (at >= 0) return chunk * TRI_CHUNK_PAGES + (unsigned)at;
    run = tri_min(p->sum[0][chunk].end, TRI_CHUNK_PAGES - off);
    chunk++;
  } else if (chunk == 0) {
    level = p->top;
  }
  while (chunk < nchunks) {
    const struct tri_page_sum *s = &p->sum[level][chunk >> (TRI_SUM_SHIFT * level)];
    if (run + s->start >= n) return chunk * TRI_CHUNK_PAGES - run;
    if (s->max >= n) {
      if (level == 0) return chunk * TRI_CHUNK_PAGES + (unsigned)tri_chunk_find(&p->chunks[chunk], 0, (unsigned)n);
      level--;
      continue;
    }
    run = s->start == level_pages(level) ? run + s->start : s->end;
    chunk += (size_t)1 << (TRI_SUM_SHIFT * level);
    while (level < p->top && (chunk & (((size_t)1 << (TRI_SUM_SHIFT * (level + 1))) - 1)) == 0) level++;
  }
  return TRI_NO_PAGE;
}

/* The first page at or after `page` that is aligned. */
static size_t aligned_from(const struct tri_pagealloc *p, size_t page, size_t align) {
  return tri_align_up(p->base_page + page, align) - p->base_page;
}

static size_t find_aligned(const struct tri_pagealloc *p, size_t n, size_t align) {
  size_t at = aligned_from(p, 0, align);
  for (unsigned misses = 0;; misses++) {
    size_t found = find_run(p, at, n);
    if (found == at || found == TRI_NO_PAGE) return found;
    at = aligned_from(p, found, align);
    if (misses == ALIGN_MISSES) {
      found = find_run(p, at, n + align - 1);
      if (found != TRI_NO_PAGE) return aligned_from(p, found, align);
    }
  }
}

/* Change. */

enum change { TAKE, GIVE };

/* Changes pages [lo, hi) of one chunk, which are all in the other state. Returns how many had been scavenged. */
static size_t change_chunk(struct tri_chunk_bits *c, unsigned lo, unsigned hi, enum change change) {
  size_t scavenged = 0;
  for (unsigned w = lo / 64; w * 64 < hi; w++) {
    unsigned first = w * 64 < lo ? lo - w * 64 : 0, end = hi - w * 64 < 64 ? hi - w * 64 : 64;
    uint64_t mask = tri_bits_mask(first, end);
    tri_check((c->inuse[w] & mask) == (change == TAKE ? 0 : mask));
    if ((c->scav[w] & mask) != 0) {
      scavenged += (size_t)__builtin_popcountll(c->scav[w] & mask);
      c->scav[w] &= ~mask;
    }
    c->inuse[w] ^= mask;
  }
  return scavenged;
}

static size_t change_run(struct tri_pagealloc *p, size_t page, size_t n, enum change change) {
  size_t first = page / TRI_CHUNK_PAGES, last = (page + n - 1) / TRI_CHUNK_PAGES, scavenged = 0;
  for (size_t i = first; i <= last; i++) {
    unsigned lo = i == first ? page % TRI_CHUNK_PAGES : 0;
    unsigned hi = i == last ? (page + n - 1) % TRI_CHUNK_PAGES + 1 : TRI_CHUNK_PAGES;
    scavenged += change_chunk(&p->chunks[i], lo, hi, change);
    p->sum[0][i] = tri_chunk_resummarise(&p->chunks[i], p->sum[0][i], lo, hi, change == GIVE);
  }
  update_above(p, first, last, false);
  return scavenged;
}

static void take_run(struct tri_pagealloc *p, size_t page, size_t n, size_t *ret_scavenged) {
  *ret_scavenged = change_run(p, page, n, TAKE);
  p->free_pages -= n;
  p->scav_pages -= *ret_scavenged;
}

size_t tri_pagealloc_alloc(struct tri_pagealloc *p, size_t n, size_t align_pages, size_t *ret_scavenged) {
  if (n == 0 || n > p->free_pages || align_pages > SIZE_MAX / 2 - p->pages) return TRI_NO_PAGE;
  size_t page = align_pages == 1 ? find_run(p, 0, n) : find_aligned(p, n, align_pages);
  if (page != TRI_NO_PAGE) take_run(p, page, n, ret_scavenged);
  return page;
}

bool tri_pagealloc_alloc_at(struct tri_pagealloc *p, size_t page, size_t n, size_t *ret_scavenged) {
  if (n == 0 || n > p->free_pages || page >= p->pages || n > p->pages - page) return false;
  if (find_run(p, page, n) != page) return false;
  take_run(p, page, n, ret_scavenged);
  return true;
}

void tri_pagealloc_free(struct tri_pagealloc *p, size_t page, size_t n) {
  tri_check(n > 0 && page < p->pages && n <= p->pages - page);
  change_run(p, page, n, GIVE);
  p->free_pages += n;
}

/* Giving memory back. */

size_t tri_pagealloc_next_dirty_run(struct tri_pagealloc *p, size_t from, size_t min_pages, size_t *ret_n) {
  if (p->free_pages - p->scav_pages < min_pages) return TRI_NO_PAGE;
  size_t run = 0, at = from;
  while (at < p->pages) {
    size_t chunk = at / TRI_CHUNK_PAGES, word = at / 64 % TRI_CHUNK_WORDS, left = 64 - at % 64;
    if (run == 0 && at % TRI_CHUNK_PAGES == 0 && p->sum[0][chunk].max < tri_max(min_pages, 1)) {
      at += TRI_CHUNK_PAGES - p->sum[0][chunk].end; /* only a run at the end can still be long enough */
      if (at % TRI_CHUNK_PAGES == 0) continue;
      word = at / 64 % TRI_CHUNK_WORDS;
      left = 64 - at % 64;
    }
    uint64_t dirty = ~(p->chunks[chunk].inuse[word] | p->chunks[chunk].scav[word]) >> (at % 64);
    size_t ones = tri_min(tri_bits_low_ones(dirty), left);
    run += ones;
    at += ones;
    if (ones == left) continue;
    if (run != 0 && run >= min_pages) break;
    run = 0;
    dirty >>= ones;
    at += dirty == 0 ? left - ones : (size_t)__builtin_ctzll(dirty);
  }
  if (run == 0 || run < min_pages) return TRI_NO_PAGE;
  *ret_n = run;
  return at - run;
}

void tri_pagealloc_set_scavenged(struct tri_pagealloc *p, size_t page, size_t n) {
  tri_check(page < p->pages && n <= p->pages - page);
  for (size_t at = page; at < page + n;) {
    struct tri_chunk_bits *c = &p->chunks[at / TRI_CHUNK_PAGES];
    unsigned word = at / 64 % TRI_CHUNK_WORDS, lo = at % 64;
    unsigned hi = (unsigned)tri_min(64, lo + (page + n - at));
    uint64_t mask = tri_bits_mask(lo, hi);
    tri_check((c->inuse[word] & mask) == 0);
    p->scav_pages += (size_t)__builtin_popcountll(mask & ~c->scav[word]);
    c->scav[word] |= mask;
    at += hi - lo;
  }
}

size_t tri_pagealloc_free_pages(const struct tri_pagealloc *p) {
  return p->free_pages;
}

size_t tri_pagealloc_scavenged_pages(const struct tri_pagealloc *p) {
  return p->scav_pages;
}

void tri_pagealloc_check(const struct tri_pagealloc *p) {
  size_t nchunks = p->pages / TRI_CHUNK_PAGES, free_pages = 0, scavenged = 0;
  for (size_t i = 0; i < nchunks; i++) {
    const struct tri_chunk_bits *c = &p->chunks[i];
    for (unsigned w = 0; w < TRI_CHUNK_WORDS; w++) {
      tri_check((c->inuse[w] & c->scav[w]) == 0);
      free_pages += (size_t)__builtin_popcountll(~c->inuse[w]);
      scavenged += (size_t)__builtin_popcountll(c->scav[w]);
    }
    tri_check(same_sum(p->sum[0][i], tri_chunk_summarise(c)));
  }
  tri_check(free_pages == p->free_pages && scavenged == p->scav_pages);
  tri_check(level_pages(p->top) >= p->pages);
  for (unsigned l = 1; l <= p->top; l++) {
    for (size_t i = 0; i <= (nchunks ? nchunks - 1 : 0) >> (TRI_SUM_SHIFT * l); i++) {
      struct tri_page_sum s = tri_sum_merge(&p->sum[l - 1][i << TRI_SUM_SHIFT], level_pages(l - 1));
      tri_check(same_sum(p->sum[l][i], s));
    }
  }
}
