/* The pauses of the last cycles. */
#ifndef TRI_GC_HISTORY_H
#define TRI_GC_HISTORY_H

#include "internal/base.h"

enum { TRI_HISTORY = 256 };

/* A cycle has ended: for so long in all it had stopped the world. By the holder of the cycle lock. */
void tri_history_add(uint64_t pause_ns);
/* As Go's MemStats: cycle N (from 1) stands at (N + 255) % 256; ends are nanoseconds since 1970. Returns N of the
 * latest. Any thread; no lock. */
uint64_t tri_history_read(uint64_t pause_ns[TRI_HISTORY], uint64_t end_unix_ns[TRI_HISTORY]);

#endif
