/* Memory for calls that cannot use the heap: malloc in a signal handler that interrupted the runtime, or during its own
 * start. */
#ifndef TRI_GC_EMERGENCY_H
#define TRI_GC_EMERGENCY_H

#include "internal/base.h"

/* Zeroed, 16-byte aligned or better. Lock-free, async-signal-safe. NULL with ENOMEM when the region is used up. */
void *tri_emergency_alloc(size_t align, size_t size);
bool tri_emergency_owns(const void *p);
size_t tri_emergency_size(const void *p);
void tri_emergency_free(void *p);

#endif
