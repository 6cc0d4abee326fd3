/*
 * The table of the runtime's own mappings: what the collector must never scan as the program's memory. Entered where
 * the mapping is made. Ranges may be added at any time; the table is read while the world is stopped.
 */
#ifndef TRI_ALLOC_OWNMAP_H
#define TRI_ALLOC_OWNMAP_H

#include "internal/base.h"

/* Adds [lo, lo+size). Returns false when the table is full (1024 ranges; neighbours are merged). */
bool tri_ownmap_add(const void *lo, size_t size);
void tri_ownmap_remove(const void *lo, size_t size);
/* The first own range that ends above `addr`: stores its bounds and returns true, or returns false. Used to cut own
 * ranges out of a mapping, in ascending order. */
bool tri_ownmap_next(uintptr_t addr, uintptr_t *ret_lo, uintptr_t *ret_hi);

/* Lock for fork: taken in prepare after all others (rank LEAF), released on both sides. */
void tri_ownmap_lock(void);
void tri_ownmap_unlock(void);

#endif
