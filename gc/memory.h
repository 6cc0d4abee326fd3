/* The runtime's memory, by what it is used for. */
#ifndef TRI_GC_MEMORY_H
#define TRI_GC_MEMORY_H

#include "internal/base.h"

struct tri_memory_use {
  /* The heap: what of it was made accessible. */
  uint64_t objects;  /* live and not yet swept ones, without the ballast */
  uint64_t unused;   /* in spans, but in no object */
  uint64_t free;     /* free runs of pages, memory kept */
  uint64_t released; /* free, memory given back */
  /* Beside it. */
  uint64_t meta;    /* tables, bitmaps, span structs, grey work */
  uint64_t stacks;  /* of the runtime's own threads */
  uint64_t offheap; /* tri_offheap_bytes() */
  /* Sums. */
  uint64_t total;  /* of all above */
  uint64_t mapped; /* total - released: what a memory limit counts */
};

/* Figures of one moment, as far as they are read together: the parts add up exactly. Any thread; takes the heap lock.
 * ballast: what of tri_state.heap_live is no memory. */
void tri_memory_read(struct tri_memory_use *ret, uint64_t ballast);

#endif
