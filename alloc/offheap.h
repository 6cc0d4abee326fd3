/*
 * The off-heap allocator. tri_offheap_raw_* have the contracts of malloc, realloc and free and are called inside the
 * runtime (a thread must not be stopped holding a lock of jemalloc's); the public forms in tricolor/tricolor.h enter it
 * first. tri_offheap_bytes is public as it is.
 *
 * Call order: prepare, with all locks of smaller rank (up to TRI_RANK_FIXALLOC) already taken; then, in the thread that
 * forked, parent on the one side and child on the other, before those locks are released. Between prepare and the
 * second half no tri_offheap_* call may be made.
 */
#ifndef TRI_ALLOC_OFFHEAP_H
#define TRI_ALLOC_OFFHEAP_H

#include "internal/base.h"

void *tri_offheap_raw_alloc(size_t size);
void *tri_offheap_raw_realloc(void *p, size_t size);
void tri_offheap_raw_free(void *p);

void tri_offheap_fork_prepare(void);
void tri_offheap_fork_parent(void);
void tri_offheap_fork_child(void);

#endif
