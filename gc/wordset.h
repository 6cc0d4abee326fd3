/* A growing set of (key, value) words off the heap: uncollectable objects, epoll data. */
#ifndef TRI_GC_WORDSET_H
#define TRI_GC_WORDSET_H

#include "internal/base.h"

struct tri_wordset {
  struct tri_wordset_entry *entries; /* open addressing, power of two */
  size_t capacity, used, live;
};

/* Sets key (not 0) to value. False: no memory. The caller locks. */
bool tri_wordset_put(struct tri_wordset *w, uint64_t key, uint64_t value);
void tri_wordset_remove(struct tri_wordset *w, uint64_t key);
void tri_wordset_each(const struct tri_wordset *w, void (*fn)(uintptr_t value, void *), void *arg);

#endif
