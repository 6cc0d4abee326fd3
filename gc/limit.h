/* The memory limit: GOMEMLIMIT, tri_set_memory_limit, or 90% of the cgroup's. */
#ifndef TRI_GC_LIMIT_H
#define TRI_GC_LIMIT_H

#include "gc/config.h"

void tri_limit_init(const struct tri_config *config);

/* What holds now, in bytes; UINT64_MAX: none. Any thread. */
uint64_t tri_limit_bytes(void);
/* Sets it and stops following the cgroup. Returns what held before. Any thread. */
uint64_t tri_limit_set(uint64_t bytes);
/* It follows the cgroup, so it is to be read again now and then. */
bool tri_limit_follows_cgroup(void);
/* Reads the cgroup again if it is followed. True: another limit holds now. One thread at a time. */
bool tri_limit_reread(void);

#endif
