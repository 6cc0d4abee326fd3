/* A thread's buffer of the write barrier, after Go's wbBuf: pointers that stores have overwritten while marking ran. */
#ifndef TRI_BARRIER_WBBUF_H
#define TRI_BARRIER_WBBUF_H

#include "internal/atomic.h"
#include "tricolor/barrier.h"

/* tri_barrier.state of a thread: 0, or the first bit, which tri_write looks at, and others. The first two are on for
 * all threads or for none. */
enum tri_barrier_state {
  TRI_BARRIER_OLD = 1,          /* shade what is overwritten */
  TRI_BARRIER_NEW = 2,          /* and what is stored; never without the first */
  TRI_BARRIER_UNREGISTERED = 5, /* this thread is not known yet */
};

enum { TRI_WBBUF_ENTRIES = 512 };

struct tri_wbbuf {
  tri_aword n;                     /* stored behind its entry, release: others may look at a running thread's */
  tri_aword emptied;               /* how often */
  uint64_t looked, looked_emptied; /* the looker's: the first `looked` entries are done with, if that is `emptied` */
  tri_aword entry[TRI_WBBUF_ENTRIES];
};

/* By the thread, with stops and its own signal handlers kept out. False: full, nothing was put. */
TRI_INLINE bool tri_wbbuf_put(struct tri_wbbuf *b, uintptr_t pointer) {
  uint64_t n = tri_load_rlx(&b->n);
  if (tri_unlikely(n == TRI_WBBUF_ENTRIES)) return false;
  tri_store_rlx(&b->entry[n], pointer);
  tri_store_rel(&b->n, n + 1);
  return true;
}

/* By the thread, or with it stopped. [WB-3] */
TRI_INLINE void tri_wbbuf_empty(struct tri_wbbuf *b) {
  tri_store_rel(&b->n, 0);
  tri_store_rel(&b->emptied, tri_load_rlx(&b->emptied) + 1);
}

/* The entries that have come since the last look, for one who looks at running threads; returns how many. The thread
 * may empty and refill the buffer meanwhile: then some of them are missing and others newer, and the next look, at last
 * the one with the thread stopped, is at all of them. */
size_t tri_wbbuf_look(struct tri_wbbuf *b, const tri_aword **ret_first);

/* What a thread has published, with it stopped: the slot that a store is about to change, or was the last to, and the
 * pointer that it stores. The slot may be gone. */
TRI_INLINE uintptr_t tri_barrier_slot(const struct tri_barrier *b) {
  return (uintptr_t)b->slot;
}
TRI_INLINE uintptr_t tri_barrier_value(const struct tri_barrier *b) {
  return (uintptr_t)b->value;
}

/* A program's signal handler that interrupts a store must not overwrite what is published: between these two. */
struct tri_barrier_published {
  void *slot;
  const void *value;
};
TRI_INLINE struct tri_barrier_published tri_barrier_save(void) {
  return (struct tri_barrier_published){tri_barrier_self.slot, tri_barrier_self.value};
}
TRI_INLINE void tri_barrier_restore(const struct tri_barrier_published *p) {
  tri_barrier_self.slot = p->slot;
  tri_barrier_self.value = p->value;
}

#endif
