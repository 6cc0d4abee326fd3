/* Marking by the threads that allocate, when they get ahead of the markers; after Go's mark assist. */
#ifndef TRI_GC_ASSIST_H
#define TRI_GC_ASSIST_H

#include "internal/base.h"

/* By a thread of the program, outside the runtime, while marking runs beside it: marks for some tens of microseconds.
 * False: there was nothing to take, or this thread cannot. errno is kept. */
bool tri_assist(void);

struct tri_assist_totals {
  uint64_t cpu_ns, scanned_bytes;
};
/* How many took 2^i to 2^(i+1) microseconds, since the start; the first: less, the last: more. Any thread. */
enum { TRI_ASSIST_BUCKETS = 24 };
uint64_t tri_assist_count(unsigned bucket);
/* By the cycle's runner: of all assists since it asked last. */
struct tri_assist_totals tri_assist_take_totals(void);
/* By the cycle's runner, between rounds: true while some thread has grey work in its hands; waits at most so long for
 * it to put that back. */
bool tri_assist_is_under_way(uint64_t ns);

#endif
