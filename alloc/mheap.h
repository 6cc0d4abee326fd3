/*
 * mheap: the reserved range, the table from page to span, and spans made of pages. Everything that turns a raw address
 * into a span is here.
 */
#ifndef TRI_ALLOC_MHEAP_H
#define TRI_ALLOC_MHEAP_H

#include "alloc/mspan.h"

/* What the fast paths read: constant after tri_mheap_init, so kept in one line. used_bytes only grows, except when
 * the tail is given back to setrlimit, in which no page was ever used. */
struct tri_heap_range {
  uintptr_t base;           /* of the collected heap, 4 MiB aligned */
  size_t reserved_bytes;    /* a multiple of 4 MiB */
  struct tri_mspan **spans; /* page number (from base) -> span, or NULL; committed up to used_bytes */
  tri_aword used_bytes;     /* grown so far; the tables are readable below */
  tri_aword *cuts;          /* page number -> tri_pagecut of a live span of small slots, or 0 */
};
extern struct tri_heap_range tri_heap_range TRI_INTERNAL;

/* Reserves: 1 TiB, halving until the system agrees, at most half of what RLIMIT_AS leaves. Thread-safe by the caller
 * (once). False: not even 64 MiB could be had. max_bytes 0 means the default. */
bool tri_mheap_init(size_t max_bytes);

/* A run of npages pages as a span: base, npages, needzero set, page table entries written, `bits` pointing to cleared
 * groups for nelems slots (bits0 when nelems <= 64), state still DEAD. align_pages: power of two >= 1.
 * NULL: no memory (the heap cannot grow). */
struct tri_mspan *tri_mheap_alloc_span(size_t npages, size_t align_pages, uint32_t nelems);
/* The same for typed slots: `bits` is never bits0, and what tri_mspan_type_at reads is 0. */
struct tri_mspan *tri_mheap_alloc_typed_span(size_t npages, uint32_t nelems);
/* A small span is ready to be marked: its bits and its tag stay as they are until it is freed. */
void tri_mheap_show_span(const struct tri_mspan *s);
/* Gives the pages back. The caller has set state to DEAD (release) and holds the only reference, except stale ones
 * that check state. reclaimed: the collector freed it, not the program. */
void tri_mheap_free_span(struct tri_mspan *s, bool reclaimed);
/* What a free page was: of a span that the program freed, or of one that the collector reclaimed. For error messages;
 * the page table keeps a tombstone, a span that is DEAD for ever, until the page is used again. */
bool tri_mheap_page_was_freed(uintptr_t addr);
bool tri_mheap_page_was_reclaimed(uintptr_t addr);
/* Resizes a large span in place: shrinks, or grows into free pages behind it. Updates npages; the caller sets
 * elemsize. ret_needzero: the added pages may hold old data. */
bool tri_mheap_resize_span(struct tri_mspan *s, size_t npages, bool *ret_needzero);

/* Every page of [addr, addr + bytes), aligned to pages and below used_bytes, is in a span. */
bool tri_mheap_is_in_use(uintptr_t addr, size_t bytes);

/* Gives free runs of at least min_bytes back to the system, the highest ones, until no more than retain_bytes stay: in
 * spans, or free with their memory kept. Returns the bytes released by this call. Takes the lock in pieces. */
size_t tri_mheap_release_free(size_t min_bytes, size_t retain_bytes);
/* The same, at most most_bytes (and a run of min_bytes), and nothing from chunks of 4 MiB that are in use but for a
 * 32nd: their huge pages are better kept whole. For who does it bit by bit. */
size_t tri_mheap_release_some(size_t min_bytes, size_t retain_bytes, size_t most_bytes);
/* Returns when what another thread was giving back is given back: the calls above pass such pages by. */
void tri_mheap_await_release(void);
/* From now on an allocation that takes spans and kept free runs above this gives free runs back at once (SIZE_MAX: none
 * does), and one for which the heap grows does so above the other. Any thread; takes no lock. */
void tri_mheap_set_most_retained(size_t bytes, bool give_back); /* give_back false: tri_mheap_is_short only */
void tri_mheap_set_retained_on_growth(size_t bytes);
/* No room, or little, up to the first of these: who wants a new span should sweep for it first. No lock. */
bool tri_mheap_is_short(void);
/* Bytes that allocations have given back so, since the start. */
uint64_t tri_mheap_eager_bytes(void);
/* Memory goes back with MADV_FREE from now on: pages are taken to hold old data. */
void tri_mheap_release_lazily(void);
/* setrlimit is about to lower RLIMIT_AS: give back the untouched tail of the reserve above keep_bytes. */
void tri_mheap_trim_reserve(size_t keep_bytes);

struct tri_mheap_stats {
  size_t reserved_bytes;
  size_t used_bytes;     /* made accessible so far: HeapSys */
  size_t inuse_bytes;    /* in spans */
  size_t free_bytes;     /* free, memory kept */
  size_t released_bytes; /* free, memory given back */
  size_t nspans;
  size_t meta_bytes; /* committed for tables, bitmaps and span structs */
};
void tri_mheap_read_stats(struct tri_mheap_stats *ret);

/* Lock for fork: taken in prepare, released on both sides. */
void tri_mheap_lock(void);
void tri_mheap_unlock(void);

void tri_mheap_check(void);

/* The span that holds addr, or NULL. The span may be DEAD by the time it is read: check state (acquire). */
TRI_INLINE struct tri_mspan *tri_mheap_span_of(uintptr_t addr) {
  size_t off = addr - tri_heap_range.base;
  if (off >= tri_load_acq(&tri_heap_range.used_bytes)) return NULL;
  return tri_heap_range.spans[off >> TRI_PAGE_SHIFT];
}

#endif
