/* Marker threads: they help the cycle's runner to mark. */
#ifndef TRI_GC_WORKER_H
#define TRI_GC_WORKER_H

#include "gc/mark.h"
#include "internal/base.h"

enum { TRI_MAX_MARKERS = 32 };

/* Starts a thread of the runtime's own, outside the registry unless it registers itself. Its stack is our mapping;
 * below the first frame it is no root. False: the system refused. Allocates from the heap: outside the runtime only. */
bool tri_worker_spawn(void (*fn)(void *), void *arg);
/* The system has given this number to a thread of the runtime's. */
bool tri_worker_has_tid(int tid);
/* So many markers, which do not register, live beside the runner. Under the cycle lock. */
unsigned tri_worker_markers(void);

/* Memory of the stacks of such threads. Any thread. */
uint64_t tri_worker_stack_bytes(void);

/* Starts the marker threads that are missing (procs - 1). By the holder of the cycle lock, outside the runtime. */
void tri_worker_start_all(void);
/* A marking: begin, any rounds, at last to_the_end with the world stopped. totals: what all markers did since begin. */
struct tri_mark_totals {
  uint64_t marked_bytes, scanned_bytes, dirty_bytes, cpu_ns;
  unsigned markers; /* of a stopped world */
};
void tri_worker_mark_begin(void);
void tri_worker_round(enum tri_round round);
void tri_worker_mark_to_the_end(bool little_left); /* one marker will do */
struct tri_mark_totals tri_worker_totals(void);

void tri_worker_after_fork(void); /* the child has no marker threads */

#endif
