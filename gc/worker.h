/* Marker threads: they help the cycle's runner to mark. */
#ifndef TRI_GC_WORKER_H
#define TRI_GC_WORKER_H

#include "internal/base.h"

enum { TRI_MAX_MARKERS = 32 };

/* CPUs that the process may use: its affinity mask. */
unsigned tri_worker_procs(void);

/* Starts a thread of the runtime's own, outside the registry unless it registers itself. Its stack is our mapping;
 * below the first frame it is no root. False: the system refused. Allocates from the heap: outside the runtime only. */
bool tri_worker_spawn(void (*fn)(void *), void *arg);

/* Starts the marker threads that are missing (procs - 1). By the holder of the cycle lock, outside the runtime. */
void tri_worker_start_all(void);
/* Marks with every marker there is; returns when all are done. Adds up what they did. */
struct tri_mark_totals {
  uint64_t marked_bytes, scanned_bytes, cpu_ns;
  unsigned markers;
};
void tri_worker_mark(struct tri_mark_totals *ret);

void tri_worker_after_fork(void); /* the child has no marker threads */

#endif
