/*
 * Fixed-size objects of the runtime's own, off the collected heap. Memory is type-stable: it never goes back to the
 * system, so a racing reader of a freed object reads an old or new object of the same type. New objects are zeroed the
 * first time only; a reused one keeps its bytes except the first word.
 */
#ifndef TRI_ALLOC_FIXALLOC_H
#define TRI_ALLOC_FIXALLOC_H

#include "internal/lock.h"

struct tri_fixalloc {
  struct tri_lock lock; /* rank FIXALLOC; guards all below */
  size_t size;          /* multiple of 16; of 64 for objects of 64 bytes and more: then cache-line aligned */
  void *free_list;      /* linked through the first word */
  char *chunk, *chunk_end;
  size_t inuse_bytes, sys_bytes;
};

#define TRI_FIXALLOC_INIT(object_size) \
  { .lock = TRI_LOCK_INIT(TRI_RANK_FIXALLOC), .size = (object_size) }

void *tri_fixalloc_alloc(struct tri_fixalloc *f); /* NULL: no memory */
void tri_fixalloc_free(struct tri_fixalloc *f, void *p);

/* Bytes that never go back: chunks for fixalloc and small tables. 64-byte aligned, zeroed, listed in ownmap. NULL: no
 * memory. Counted in tri_persistent_bytes(). */
void *tri_persistent_alloc(size_t size);
size_t tri_persistent_bytes(void);
/* The part of the latest reservation that is handed out; the others are half as large and less. */
void tri_persistent_range(uintptr_t *ret_lo, uintptr_t *ret_hi);

/* Lock for fork: tri_mheap_lock takes it. */
void tri_persistent_lock(void);
void tri_persistent_unlock(void);

#endif
