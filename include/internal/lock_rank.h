/*
 * The order of the runtime's locks. A thread may take a lock only while every lock that it holds has a smaller rank;
 * builds with -Dchecks=full check this at each acquisition (alloc/base/lock.c).
 *
 *   loader's gate < cycle < registry < central[class], roots, epoll, notify, stacks, types < heap < fixalloc
 *     < offheap < log
 *
 * The loader's lock (dl_iterate_phdr) stands behind the gate, before all others.
 */
#ifndef TRI_INTERNAL_LOCK_RANK_H
#define TRI_INTERNAL_LOCK_RANK_H

enum tri_lock_rank {
  TRI_RANK_LOADER_GATE = 1,
  TRI_RANK_CYCLE,
  TRI_RANK_REGISTRY,
  TRI_RANK_CENTRAL,
  TRI_RANK_HEAP,
  TRI_RANK_FIXALLOC,
  TRI_RANK_OFFHEAP,
  TRI_RANK_LOG,
  TRI_RANK_LEAF,
};

#endif
