/* Marking: from roots to marked objects, by any number of markers at once. */
#ifndef TRI_GC_MARK_H
#define TRI_GC_MARK_H

#include "gc/work.h"

/* Objects of more than this many bytes are scanned in pieces. */
#define TRI_OBLET_BYTES ((size_t)128 << 10)

/* Written at every object, by its marker only: no two share a cache line, nor the pair that is fetched together. */
struct tri_marker {
  struct tri_work work;
  uint64_t marked_bytes; /* slots marked by this marker, whole slot sizes */
  uint64_t scanned_bytes;
  uint64_t dirty_bytes; /* of pages found dirty in the last stop */
} __attribute__((aligned(2 * TRI_CACHE_LINE)));

/* A marking is one or more rounds. Everything is right after a round TO_THE_END with the world stopped and all roots
 * listed; what rounds before it did in the running world, with the page barrier, need not be done again. */
enum tri_round {
  TRI_ROUND_ROOTS,      /* world stopped: marks what roots point to, and leaves it grey */
  TRI_ROUND_BESIDE,     /* the program runs: listed dirty pages and grey objects, until there are none or it is cut */
  TRI_ROUND_TO_THE_END, /* world stopped: roots and grey objects, until there are none */
};

/* Before a round. `nmarkers` markers will call tri_mark_run; beside the program on a quarter of `ncpus`. Words are
 * looked at if they point to below the heap's end of now. */
void tri_mark_begin(enum tri_round round, unsigned nmarkers, unsigned ncpus);
/* Takes root ranges and grey objects until there are none anywhere. Every marker returns together with the last. */
void tri_mark_run(struct tri_marker *m);

/* By who would assist, beside the program. False: there is nothing to take; a marker will share what it has. */
bool tri_mark_has_work(void);
/* Marks by work of the global stack, and by dirty pages, until so much was scanned, there is none, or the round is cut,
 * and puts the rest up; with malloc replaced, without a system call. By any thread inside the runtime; m is its own,
 * all zero. False: nothing was taken. m->work.overflow: tri_shade_tell_dropped. */
bool tri_mark_assist(struct tri_marker *m, uint64_t bytes);

/* A round BESIDE: ends it soon, with work left over. Any thread, any number of times. */
void tri_mark_cut(void);
/* The last round BESIDE was cut. */
bool tri_mark_was_cut(void);

/* The single-word roots; one marker, before tri_mark_run. */
void tri_mark_words(struct tri_marker *m);
/* After all markers returned: true if grey objects were dropped for want of memory; they have been put up again, and
 * the markers must run once more. */
bool tri_mark_recover(struct tri_marker *m, unsigned n);
/* World stopped, no marker at work: no object is marked or grey any more. */
void tri_mark_forget(void);

#endif
