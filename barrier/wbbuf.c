/*
 * What the inline tri_write (tricolor/barrier.h) leaves behind: the publication of the store under way, and the buffer
 * of overwritten pointers. On the way of a store: tri_write -> gc/write.c -> here -> gc/shade.c, which marks them.
 *
 * Invariants:
 *   [WB-1] slot and value are published before the thread looks at its state, and stand until its next store: a
 *          collection that switches the barrier on in between finds a store that has seen it off, and shades for it.
 *   [WB-2] state changes only while the thread is stopped or by itself: whatever it does between two stops it does
 *          under one state.
 *   [WB-3] a look passes over only what an earlier look has read: it loads how often the buffer was emptied before it
 *          loads anything else, so when the thread empties and refills it meanwhile, the next look sees another count
 *          and begins anew.
 *
 * No locks. Memory order: a thread's own state, slot and value need none, since a stop is an interrupt of that thread;
 * the index is released behind the entry, and the count of emptyings behind the index, for those who look while it
 * runs. Forbidden: anything that could stop; this is reached from signal handlers.
 */
#include "barrier/wbbuf.h"

#define TRI_PUBLIC_TLS __thread __attribute__((tls_model("initial-exec"), visibility("default")))

TRI_PUBLIC_TLS struct tri_barrier tri_barrier_self = {.state = TRI_BARRIER_UNREGISTERED};

size_t tri_wbbuf_look(struct tri_wbbuf *b, const tri_aword **ret_first) {
  uint64_t emptied = tri_load_acq(&b->emptied), n = tri_load_acq(&b->n);
  uint64_t from = b->looked_emptied == emptied && b->looked <= n ? b->looked : 0;
  b->looked = n;
  b->looked_emptied = emptied;
  *ret_first = &b->entry[from];
  return n - from;
}
