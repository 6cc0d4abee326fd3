/*
 * A set of (key, value) words with linear probing, in off-heap memory (jemalloc). Removed keys leave a tombstone that
 * growing drops. The caller holds the lock that guards the set.
 */
#include "gc/wordset.h"

#include <string.h>

#include "alloc/offheap.h"

enum { MIN_CAPACITY = 64 };

struct tri_wordset_entry {
  uint64_t key; /* 0: never used */
  uint64_t value;
  bool live;
};

static struct tri_wordset_entry *find(struct tri_wordset_entry *e, size_t capacity, uint64_t key) {
  size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 20);
  for (;; i++) {
    struct tri_wordset_entry *at = &e[i & (capacity - 1)];
    if (at->key == key || at->key == 0) return at;
  }
}

static bool grow(struct tri_wordset *w) {
  size_t capacity = MIN_CAPACITY;
  while (capacity < w->live * 4) capacity *= 2;
  struct tri_wordset_entry *e = tri_offheap_raw_alloc(capacity * sizeof *e);
  if (!e) return false;
  memset(e, 0, capacity * sizeof *e);
  for (size_t i = 0; i < w->capacity; i++)
    if (w->entries[i].live) *find(e, capacity, w->entries[i].key) = w->entries[i];
  tri_offheap_raw_free(w->entries);
  w->entries = e;
  w->capacity = capacity;
  w->used = w->live;
  return true;
}

bool tri_wordset_put(struct tri_wordset *w, uint64_t key, uint64_t value) {
  if ((w->used + 1) * 4 > w->capacity * 3 && !grow(w)) return false;
  struct tri_wordset_entry *e = find(w->entries, w->capacity, key);
  if (e->key == 0) w->used++;
  if (!e->live) w->live++;
  *e = (struct tri_wordset_entry){key, value, true};
  return true;
}

void tri_wordset_remove(struct tri_wordset *w, uint64_t key) {
  if (w->live == 0) return;
  struct tri_wordset_entry *e = find(w->entries, w->capacity, key);
  if (!e->live) return;
  e->live = false;
  w->live--;
}

void tri_wordset_each(const struct tri_wordset *w, void (*fn)(uintptr_t value, void *), void *arg) {
  for (size_t i = 0; i < w->capacity; i++)
    if (w->entries[i].live) fn((uintptr_t)w->entries[i].value, arg);
}
