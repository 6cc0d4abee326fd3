/*
 * The off-heap allocator's side that is not public: fork. The allocation calls themselves are in tricolor/tricolor.h.
 *
 * Call order: prepare, with all locks of smaller rank (up to TRI_RANK_FIXALLOC) already taken; then, in the thread that
 * forked, parent on the one side and child on the other, before those locks are released. Between prepare and the
 * second half no tri_offheap_* call may be made.
 */
#ifndef TRI_ALLOC_OFFHEAP_H
#define TRI_ALLOC_OFFHEAP_H

#include "internal/base.h"

void tri_offheap_fork_prepare(void);
void tri_offheap_fork_parent(void);
void tri_offheap_fork_child(void);

#endif
