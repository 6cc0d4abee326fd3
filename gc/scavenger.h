/* Gives free memory back to the system, bit by bit: what to keep, and the lines that tell of it. */
#ifndef TRI_GC_SCAVENGER_H
#define TRI_GC_SCAVENGER_H

#include "gc/config.h"

void tri_scavenger_init(const struct tri_config *config);

/* Works for about a millisecond if there is something to do, and returns how long to sleep before the next call;
 * UINT64_MAX: until memory was freed or a sweep has ended. Monitor thread only, outside the runtime. */
uint64_t tri_scavenger_step(void);
/* The monitor slept so long since the last step, if that asked for a sleep. */
void tri_scavenger_slept(uint64_t ns);

/* Live bytes below which another step may find something; 0: none. Any thread. */
uint64_t tri_scavenger_watermark(void);

/* Sweeping has ended, and there is no monitor thread: all above what should stay goes back now. Inside the runtime. */
void tri_scavenger_release_now(void);
/* Everything that is free goes back. Returns the bytes. Registered thread, outside the
 * runtime. */
uint64_t tri_scavenger_release_all(void);

/* The scavtrace=1 line, and what it counts begins anew. Go prints it when a sweep ends and after FreeOSMemory. */
void tri_scavenger_print(bool forced);
/* The classic lines of gctrace=1: so much was given back. */
void tri_scavenger_print_classic(uint64_t released_bytes);

/* CPU time spent on this in the background, and bytes so given back, since the start. */
uint64_t tri_scavenger_cpu_ns(void);
uint64_t tri_scavenger_background_bytes(void);

#endif
