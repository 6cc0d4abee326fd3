/* The monitor thread: what should happen now and then without anybody asking for it. */
#ifndef TRI_GC_MONITOR_H
#define TRI_GC_MONITOR_H

#include "gc/config.h"

void tri_monitor_init(const struct tri_config *config);
/* Starts the thread if there is none. Outside the runtime, on an allocation's slow path. */
void tri_monitor_start(void);
/* Something follows the system that no collection has asked for yet, so the thread is wanted before the first. */
bool tri_monitor_is_wanted(void);
/* False: there is no thread, and none can be had. */
bool tri_monitor_runs(void);

/* A sweep has ended, or a setting changed: the scavenger looks at once. Any thread. */
void tri_monitor_kick(void);
/* Where bytes are flushed: so many live now. Wakes the thread when they have fallen far. Async-signal-safe. */
void tri_monitor_live_is(uint64_t heap_live);

void tri_monitor_after_fork(void);

#endif
