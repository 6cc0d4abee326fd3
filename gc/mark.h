/* Marking: from roots to marked objects, by any number of markers at once. */
#ifndef TRI_GC_MARK_H
#define TRI_GC_MARK_H

#include "gc/work.h"

/* Objects of more than this many bytes are scanned in pieces. */
#define TRI_OBLET_BYTES ((size_t)128 << 10)

/* Written at every object, by its marker only: no two share a cache line, nor the pair that is fetched together. */
struct tri_marker {
  struct tri_work work;
  uint64_t marked_bytes; /* slots marked by this marker, whole slot sizes */
  uint64_t scanned_bytes;
} __attribute__((aligned(2 * TRI_CACHE_LINE)));

/* Before a marking, world stopped: `nmarkers` markers will call tri_mark_run. */
void tri_mark_begin(unsigned nmarkers);
/* Takes root ranges and grey objects until there are none anywhere. Every marker returns together with the last. */
void tri_mark_run(struct tri_marker *m);
/* The single-word roots; one marker, before tri_mark_run. */
void tri_mark_words(struct tri_marker *m);
/* After all markers returned: true if grey objects were dropped for want of memory; they have been put up again, and
 * the markers must run once more. */
bool tri_mark_recover(struct tri_marker *m, unsigned n);

#endif
