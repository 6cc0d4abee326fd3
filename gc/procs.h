/* P: the CPUs that the collector reckons with. */
#ifndef TRI_GC_PROCS_H
#define TRI_GC_PROCS_H

#include "gc/config.h"

/* Reads the quota. Before it nothing is known of one. errno is kept. */
void tri_procs_init(const struct tri_config *config);

/* At least 1: those that the process may run on, and no more than its cgroup's quota, rounded up. Any thread. */
unsigned tri_procs(void);

/* The quota alone, rounded up; UINT32_MAX: none is known. */
unsigned tri_procs_quota(void);

#endif
