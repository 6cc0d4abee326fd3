/* From words that may point into the heap to marked slots and grey work. */
#ifndef TRI_GC_CANDIDATES_H
#define TRI_GC_CANDIDATES_H

#include "gc/mark.h"
#include "gc/scan.h"

/* As many are marked at one go, or more; so many may come in between two looks at their number. */
enum {
  TRI_CANDIDATES = 16,
  TRI_CANDIDATES_AT_ONCE = 128,
  TRI_CANDIDATES_ROOM = TRI_CANDIDATES + TRI_CANDIDATES_AT_ONCE
};

/* Of one marker; on its stack, which is no root. */
struct tri_candidates {
  struct tri_marker *m;
  uintptr_t base, used; /* the range that a word must point into */
  uint64_t free_too;    /* all ones: free slots are marked, too [MARK-5] */
  uint64_t disowned;    /* all ones: what is disowned is marked and not scanned [MARK-6] */
  bool shared;          /* somebody else sets mark bits meanwhile */
  unsigned n;           /* below TRI_CANDIDATES between calls */
  uintptr_t word[TRI_CANDIDATES_ROOM + TRI_SCAN_SLACK];
};

/* Before the first use; any number of times. */
void tri_candidates_init(void);
/* What they point to becomes marked, and grey work of c->m if it was not and may hold pointers. */
void tri_candidates_mark(struct tri_candidates *c);

TRI_INLINE bool tri_candidates_are_many(const struct tri_candidates *c) {
  return c->n >= TRI_CANDIDATES;
}

#endif
