/*
 * Operations on the 512 bits of one chunk and on summaries: pure functions, below pagealloc.c and its tests.
 * In `inuse` a 1 is a page in use; runs here are runs of 0.
 */
#ifndef TRI_ALLOC_PAGEBITS_H
#define TRI_ALLOC_PAGEBITS_H

#include "alloc/pagealloc_types.h"

/* Ones at [lo, hi) of a word, hi <= 64, lo < hi. */
TRI_INLINE uint64_t tri_bits_mask(unsigned lo, unsigned hi) {
  return (~(uint64_t)0 >> (64 - (hi - lo))) << lo;
}

TRI_INLINE unsigned tri_bits_low_ones(uint64_t x) {
  return x == ~(uint64_t)0 ? 64 : (unsigned)__builtin_ctzll(~x);
}
TRI_INLINE unsigned tri_bits_high_ones(uint64_t x) {
  return x == ~(uint64_t)0 ? 64 : (unsigned)__builtin_clzll(~x);
}

/* A 1 stays where n ones begin, 1 <= n <= 64. Halving shifts: log n steps. */
TRI_INLINE uint64_t tri_bits_run_starts(uint64_t x, unsigned n) {
  for (unsigned have = 1; have < n && x != 0;) {
    unsigned shift = n - have < have ? n - have : have;
    x &= x >> shift;
    have += shift;
  }
  return x;
}

/* The longest run of ones in x if it is longer than best, else best. */
TRI_INLINE unsigned tri_bits_longer_run(uint64_t x, unsigned best) {
  if (best >= 64) return best;
  for (x = tri_bits_run_starts(x, best + 1); x != 0; x &= x >> 1) best++;
  return best;
}

static inline struct tri_page_sum tri_chunk_summarise(const struct tri_chunk_bits *c) {
  unsigned start = TRI_CHUNK_PAGES, best = 0, run = 0;
  for (unsigned w = 0; w < TRI_CHUNK_WORDS; w++) {
    uint64_t free_bits = ~c->inuse[w];
    if (free_bits == ~(uint64_t)0) {
      run += 64;
      continue;
    }
    run += tri_bits_low_ones(free_bits);
    if (start == TRI_CHUNK_PAGES) start = run;
    if (run > best) best = run;
    best = tri_bits_longer_run(free_bits, best);
    run = tri_bits_high_ones(free_bits);
  }
  if (run > best) best = run;
  return (struct tri_page_sum){start, best, run};
}

/* Free pages right before page `at` of the chunk. */
static inline unsigned tri_chunk_free_before(const struct tri_chunk_bits *c, unsigned at) {
  unsigned run = 0;
  while (run < at) {
    unsigned w = (at - run - 1) / 64, below = at - run - w * 64;
    unsigned ones = tri_bits_high_ones(~c->inuse[w] << (64 - below));
    if (ones < below) return run + ones;
    run += below;
  }
  return run;
}

/* Free pages from page `at` of the chunk on. */
static inline unsigned tri_chunk_free_from(const struct tri_chunk_bits *c, unsigned at) {
  unsigned first = at;
  while (at < TRI_CHUNK_PAGES) {
    unsigned left = 64 - at % 64, ones = tri_bits_low_ones(~c->inuse[at / 64] >> (at % 64));
    if (ones < left) return at + ones - first;
    at += left;
  }
  return at - first;
}

/* The summary after pages [lo, hi) were taken or given, from the one before. Only where the longest run was cut is all
 * of the chunk looked at. */
static inline struct tri_page_sum tri_chunk_resummarise(const struct tri_chunk_bits *c, struct tri_page_sum old,
                                                        unsigned lo, unsigned hi, bool given) {
  unsigned before = tri_chunk_free_before(c, lo), after = tri_chunk_free_from(c, hi), run = before + hi - lo + after;
  if (!given && run == old.max) return tri_chunk_summarise(c);
  if (lo == before) old.start = given ? run : before;
  if (hi + after == TRI_CHUNK_PAGES) old.end = given ? run : after;
  if (run > old.max) old.max = run;
  return old;
}

/* First page of the lowest run of n free pages that begins at or after page `from` of the chunk, or -1. */
static inline int tri_chunk_find(const struct tri_chunk_bits *c, unsigned from, unsigned n) {
  unsigned run = 0;
  for (unsigned w = from / 64; w < TRI_CHUNK_WORDS; w++) {
    uint64_t free_bits = ~c->inuse[w];
    if (w == from / 64) free_bits &= ~(uint64_t)0 << (from % 64);
    unsigned low = tri_bits_low_ones(free_bits);
    if (run + low >= n) return (int)(w * 64 - run);
    if (low == 64) {
      run += 64;
      continue;
    }
    uint64_t starts = n <= 64 ? tri_bits_run_starts(free_bits, n) : 0;
    if (starts != 0) return (int)(w * 64 + (unsigned)__builtin_ctzll(starts));
    run = tri_bits_high_ones(free_bits);
  }
  return -1;
}

/* The summary of eight neighbours that cover child_pages pages each. */
static inline struct tri_page_sum tri_sum_merge(const struct tri_page_sum *child, size_t child_pages) {
  uint32_t start = 0, best = 0, run = 0;
  bool broken = false;
  for (unsigned i = 0; i < 1u << TRI_SUM_SHIFT; i++) {
    const struct tri_page_sum *s = &child[i];
    if (s->start == child_pages) {
      run += (uint32_t)child_pages;
      continue;
    }
    run += s->start;
    if (!broken) start = run;
    broken = true;
    if (run > best) best = run;
    if (s->max > best) best = s->max;
    run = s->end;
  }
  if (run > best) best = run;
  return (struct tri_page_sum){broken ? start : run, best, run};
}

#endif
