/* Calls that go up from alloc/. Implemented by gc/ (gc/collector.c), by fakes in the unit tests. */
#ifndef TRI_ALLOC_PORT_H
#define TRI_ALLOC_PORT_H

#include "internal/base.h"

/* Live bytes reached the trigger, or the stress setting asks for a cycle: called after a flush of counters, inside the
 * runtime, with no lock held. The calling thread's share since its last flush is `grown`. Must not block and must not
 * allocate. */
void tri_port_heap_grew(uint64_t heap_live, int64_t grown);

#endif
