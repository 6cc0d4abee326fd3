/* The collector thread: runs cycles that allocation asked for. */
#ifndef TRI_GC_COLLECTOR_H
#define TRI_GC_COLLECTOR_H

#include "internal/base.h"

/* Asks for a cycle. Async-signal-safe; inside or outside the runtime. */
void tri_collector_request(void);
/* The same if the plan, which has changed, says that one is due. Outside the runtime: starts the thread. */
void tri_collector_request_if_due(void);
/* Outside the runtime, on allocation's slow path: starts the thread if a cycle is wanted and there is none yet, or runs
 * the cycle here where no thread can be had; then waits as tri_collector_wait. */
void tri_collector_help(void);
/* Outside the runtime: gives the thread a moment when the heap is far past the trigger, but for one that is leaving.
 * Starts nothing and runs no cycle: in free() the C library may hold the lock that making a thread, and ending one,
 * needs. */
void tri_collector_wait(void);
/* True if a cycle is wanted and nobody is there to run it. Then, and where the monitor is to start, the calling
 * thread's next allocation calls tri_collector_help. */
bool tri_collector_remind(void);
/* Starts the collector and marker threads if there are none. Outside the runtime. */
void tri_collector_start(void);
/* After a cycle that another thread has run: the collector thread does what it does between cycles. */
void tri_collector_look_about(void);
/* True when tri_collector_help has something to do. */
bool tri_collector_wants_help(void);
/* World stopped or none: the stress setting's counter starts anew. */
void tri_collector_set_stress(size_t bytes);

void tri_collector_after_fork(void);

#endif
