/* The page allocator's struct, for whoever holds an instance (mheap.c, tests). Fields belong to pagealloc.c. */
#ifndef TRI_ALLOC_PAGEALLOC_TYPES_H
#define TRI_ALLOC_PAGEALLOC_TYPES_H

#include "alloc/pagealloc.h"

#define TRI_CHUNK_WORDS (TRI_CHUNK_PAGES / 64)
/* Eight summaries under each summary; eight levels reach 2^30 pages, 8 TiB. */
#define TRI_SUM_SHIFT 3
#define TRI_SUM_LEVELS 8

struct tri_chunk_bits {
  uint64_t inuse[TRI_CHUNK_WORDS];
  uint64_t scav[TRI_CHUNK_WORDS]; /* only free pages */
};

/* Longest free runs, in pages: at the first page, anywhere, up to the last page. */
struct tri_page_sum {
  uint32_t start, max, end;
};

struct tri_pagealloc {
  struct tri_chunk_bits *chunks;
  struct tri_page_sum *sum[TRI_SUM_LEVELS]; /* level 0: one per chunk */
  unsigned top;                             /* the level whose first entry covers all pages so far */
  size_t max_pages;
  size_t pages;      /* grown so far */
  size_t free_pages; /* scavenged or not */
  size_t scav_pages;
  size_t base_page;  /* page number of the heap's base; for alignment only. Set by the holder after init */
  size_t meta_bytes; /* committed */
  size_t upper_need, upper_done, sum0_done, chunks_done; /* bytes, of each array committed */
};

#endif
