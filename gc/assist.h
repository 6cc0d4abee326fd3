/* Marking by the threads that allocate, when they get ahead of the markers; after Go's mark assist. */
#ifndef TRI_GC_ASSIST_H
#define TRI_GC_ASSIST_H

#include "internal/base.h"

/* By a thread of the program, outside the runtime, while marking runs beside it: marks for some tens of microseconds.
 * False: there was nothing to take, or this thread cannot, or may not yet. errno is kept. */
bool tri_assist(void);

struct tri_assist_totals {
  uint64_t cpu_ns, scanned_bytes;
};
/* How many took 2^i to 2^(i+1) microseconds, since the start; the first: less, the last: more. Any thread. */
enum { TRI_ASSIST_BUCKETS = 24 };
uint64_t tri_assist_count(unsigned bucket);

/* By the cycle's runner, before it marks beside the program. */
void tri_assist_begin(void);
/* By a marker: somebody has wanted to assist, in this cycle or the one before. Then marks are to be set as shared ones,
 * and with that done the door opened: by any marker of a round beside the program, any number of times. */
bool tri_assist_is_wanted(void);
void tri_assist_open(void);
/* Any thread. */
bool tri_assist_is_open(void);
/* By the cycle's runner, between rounds: nobody begins to assist any more. */
void tri_assist_shut(void);
/* By the cycle's runner, between rounds: true while some thread has grey work in its hands; waits at most so long (0:
 * any time) for it to put that back. */
bool tri_assist_is_under_way(uint64_t ns);
/* By the cycle's runner: of all assists since it asked last. */
struct tri_assist_totals tri_assist_take_totals(void);

void tri_assist_after_fork(void); /* in the child */

#endif
