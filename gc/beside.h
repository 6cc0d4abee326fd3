/* Marking beside the running program, with the page barrier: the part of a cycle between its two stops. */
#ifndef TRI_GC_BESIDE_H
#define TRI_GC_BESIDE_H

#include "gc/config.h"
#include "gc/roots.h"
#include "gc/worker.h"

/* Decides by settings and kernel which barrier the process has; asked once, before the first traced line or cycle. */
struct tri_barrier_choice tri_beside_choose(const struct tri_config *config, bool malloc_replaced);

/* At start, when settings are known. */
void tri_beside_init(const struct tri_config *config, bool malloc_replaced);

/* The process has the page barrier, or it is not decided yet. Any thread. */
bool tri_beside_may_track_pages(void);

/* Between these somebody waits for the cycle's end (fork): what is left is done in the stopped world. Any thread. */
void tri_beside_hurry_begin(void);
void tri_beside_hurry_end(void);

/* All of these by the cycle's runner. */

/* As things stand the next cycle will mark beside the program. */
bool tri_beside_is_next(const struct tri_config *config);

/* Before the first stop: should this cycle mark beside the program? Then the heap's pages are tracked, as far as the
 * heap reaches now. False: the world is stopped for all of it. */
bool tri_beside_begin(const struct tri_config *config, bool malloc_replaced);
/* In the first stop, roots listed: marks what they point to. */
void tri_beside_mark_roots(void);
/* Still in the first stop: from here on who is ahead of marking is held back. heap_live: of now; expected_work: bytes
 * that the last cycle scanned. */
void tri_beside_pace_stw(uint64_t heap_live, uint64_t expected_work);
/* The program runs: marks until nothing is grey and few pages are written to any more, or until it must end. */
void tri_beside_mark(void);
/* How roots are to be gathered in the first stop. */
enum tri_stacks tri_beside_stacks(void);
/* The barrier is tri_write's: nothing but what it has shaded is left to the last stop. */
bool tri_beside_is_hybrid(void);
/* In the last stop. Page barrier, roots listed: adds the pages that may be dirty. Hybrid barrier: what is in buffers
 * becomes grey, and the barrier goes off. False: no room in the list. */
bool tri_beside_prepare_last(void);
/* After the last stop, which took stop_ns. all: by markers. */
void tri_beside_end(const struct tri_mark_totals *all, uint64_t assist_cpu_ns, uint64_t stop_ns);
/* A cycle marked in the stopped world, which took so long. */
void tri_beside_not(uint64_t mark_ns);

/* Markers, now and then: so much more was scanned. */
void tri_beside_did(uint64_t scanned_bytes);
/* Any thread, where bytes are flushed: the heap has grown faster than marking got on; who allocates should wait. */
bool tri_beside_is_outrun(uint64_t heap_live);
/* 0: it has not; else as tri_lead. */
unsigned tri_beside_outrun_by(uint64_t heap_live);
bool tri_beside_is_far_outrun(void);
/* Any thread that waits because of that: a futex wait, in which it leaves its CPU to the markers. */
void tri_beside_wait(tri_aint *word, unsigned value, uint64_t ns);
bool tri_beside_is_waited_for(uint64_t now_ns);
/* By the runner: how long threads have waited so while it marked, together. */
uint64_t tri_beside_waited_ns(void);
/* Markers, now and then: false when the heap has grown so far, or so much memory waits for the end of the cycle, that
 * the rest is better done in the stopped world. */
bool tri_beside_may_go_on(void);

/* Of the last cycle that marked beside the program, for the log. */
enum { TRI_BESIDE_ROUNDS = 10 };
struct tri_beside_stats {
  uint64_t tracked_bytes, dirty_bytes[TRI_BESIDE_ROUNDS]; /* as found for each round, the last one in the stop */
  unsigned rounds;
  bool cut, lost;
};
const struct tri_beside_stats *tri_beside_read_stats(void);

void tri_beside_after_fork(void); /* in the child */

#endif
