/* Huge pages for a large heap. */
#ifndef TRI_GC_HUGEPAGES_H
#define TRI_GC_HUGEPAGES_H

#include "gc/config.h"

/* Once, after the heap was reserved. */
void tri_hugepages_init(const struct tri_config *config);
/* By the collector thread, between cycles. Works until `stop` says so, or its share of the time is used up. Returns the
 * nanoseconds after which it wants to be called again; 0: there is nothing to do before the next cycle. */
uint64_t tri_hugepages_step(bool (*stop)(void));
/* By the cycle's runner, at its end: true when what tri_pages_open has opened is to stay so, for steps to come. */
bool tri_hugepages_take_pages(void);
/* In the child, which holds the cycle's lock. */
void tri_hugepages_after_fork(void);

#endif
