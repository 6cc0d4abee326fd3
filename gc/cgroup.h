/* The limits of the process's cgroup. */
#ifndef TRI_GC_CGROUP_H
#define TRI_GC_CGROUP_H

#include "internal/base.h"

/* The least limit of the process's cgroup and those above it, in bytes; UINT64_MAX when there is none or it cannot be
 * read. root goes before the names of all files: "" for the system's own. errno is kept. */
uint64_t tri_cgroup_memory_limit(const char *root);
/* The same for its share of the CPUs, in thousandths of one. */
uint64_t tri_cgroup_cpu_limit(const char *root);

#endif
