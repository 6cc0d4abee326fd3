/*
 * Page allocator: which pages of the reserve are in use. A bit per page in chunks of 512 pages and a tree of
 * summaries (longest free run at the start, anywhere, at the end) above them; address-ordered first fit. A second bit
 * per page says that a free page's memory was given back ("scavenged"). Page numbers count from the start of the heap
 * range. Not locked: the caller is mheap, under its lock.
 */
#ifndef TRI_ALLOC_PAGEALLOC_H
#define TRI_ALLOC_PAGEALLOC_H

#include "internal/base.h"

#define TRI_NO_PAGE SIZE_MAX

struct tri_pagealloc; /* one static instance in tests and one in mheap; defined in pagealloc_types.h */

/* Bytes of reserved address space that tri_pagealloc_init needs for max_pages pages. */
size_t tri_pagealloc_meta_size(size_t max_pages);
/* meta: reserved, uncommitted memory of that size; the allocator commits pieces of it as it grows. */
void tri_pagealloc_init(struct tri_pagealloc *p, void *meta, size_t max_pages);
/* Adds pages [page, page+n) as free and scavenged; both multiples of TRI_CHUNK_PAGES. False: no memory for metadata. */
bool tri_pagealloc_grow(struct tri_pagealloc *p, size_t page, size_t n);

/* Lowest run of n free pages whose first page is a multiple of align_pages (a power of two, >= 1) in address terms:
 * (base_page + page) % align_pages == 0 with base_page the heap base's page number (a field that the holder sets). A
 * search with alignment that misses 1024 times may take a longer run further up instead. TRI_NO_PAGE: there is none.
 * ret_scavenged: number of pages in the run that were scavenged. */
size_t tri_pagealloc_alloc(struct tri_pagealloc *p, size_t n, size_t align_pages, size_t *ret_scavenged);
/* Takes exactly [page, page+n) if all of it is free. */
bool tri_pagealloc_alloc_at(struct tri_pagealloc *p, size_t page, size_t n, size_t *ret_scavenged);
void tri_pagealloc_free(struct tri_pagealloc *p, size_t page, size_t n);

/* The first run, at or after `from`, of free pages of which none is scavenged and which is at least min_pages long.
 * Stores its length. TRI_NO_PAGE when there is none. Then tri_pagealloc_set_scavenged marks what was given back. */
size_t tri_pagealloc_next_dirty_run(struct tri_pagealloc *p, size_t from, size_t min_pages, size_t *ret_n);
void tri_pagealloc_set_scavenged(struct tri_pagealloc *p, size_t page, size_t n);

size_t tri_pagealloc_free_pages(const struct tri_pagealloc *p);      /* free, scavenged or not */
size_t tri_pagealloc_scavenged_pages(const struct tri_pagealloc *p); /* free and scavenged */

void tri_pagealloc_check(const struct tri_pagealloc *p); /* recomputes every summary; fatal on a difference */

#endif
