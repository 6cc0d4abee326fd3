/*
 * Checked objects: what the stress programs build their graphs from.
 *
 * Every object carries its own identity, size and content rule; every edge carries the identity of the object that it
 * must lead to. An object reclaimed too early, handed out twice or partly overwritten fails checked_verify at the next
 * visit, which ends the program with status 1 and one line. Nothing here is shared: each object is used by one thread
 * at a time.
 */
#ifndef TESTS_STRESS_CHECKED_H
#define TESTS_STRESS_CHECKED_H

#include "support/probe.h"

#define EDGES 4

struct checked {
  uint64_t id;     /* never 0 while in use */
  uint64_t not_id; /* ~id */
  uint64_t size;   /* of the whole object */
  struct checked *to[EDGES];
  uint64_t to_id[EDGES]; /* 0 where to is NULL */
  unsigned char body[];
};

/* How a thread allocates and lets go; one per thread. */
struct maker {
  uint64_t random;
  uint64_t next_id;
  unsigned free_percent; /* of what is let go, how much is freed; the rest is garbage */
  unsigned long made, freed, dropped, visited;
};

struct checked *checked_new(struct maker *m);
void checked_link(struct checked *from, int edge, struct checked *to);
void checked_verify(struct maker *m, const struct checked *c);
/* Resizes by realloc; the object has no incoming edges but the caller's. */
struct checked *checked_resize(struct maker *m, struct checked *c);
/* For objects that nothing else points to: free or garbage, by the maker's rule. */
void checked_let_go(struct maker *m, struct checked *c);

static inline unsigned maker_below(struct maker *m, unsigned n) {
  return (unsigned)(probe_random(&m->random) % n);
}

/* One structure each: a few hundred steps of building, changing, verifying and letting go. */
void stress_trees(struct maker *m);
void stress_lists(struct maker *m);
void stress_hash(struct maker *m);
void stress_graph(struct maker *m);
void stress_blocks(struct maker *m);

#endif
