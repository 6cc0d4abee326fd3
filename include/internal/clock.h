/* Clocks of the runtime, in nanoseconds. Async-signal-safe. Implemented in alloc/base/clock.c. */
#ifndef TRI_INTERNAL_CLOCK_H
#define TRI_INTERNAL_CLOCK_H

#include "internal/base.h"

uint64_t tri_now_ns(void);        /* CLOCK_MONOTONIC */
uint64_t tri_thread_cpu_ns(void); /* CPU time of the calling thread */

#endif
