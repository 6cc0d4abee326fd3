/*
 * P, as Go's GOMAXPROCS: the CPUs that the process may run on, by its affinity and by its cgroup's quota. Markers, the
 * quarter that they take, the scavenger's share and the CPU limiter are reckoned from it.
 *
 * The affinity is asked for each time. The quota is read at start: later a new descriptor would take the program's
 * lowest number for a moment, and in a stopped world the kernel may make us wait for its cgroups' lock. No lock.
 */
#include "gc/procs.h"

#include <sched.h>

#include "gc/cgroup.h"

static unsigned quota = UINT32_MAX; /* CPUs, rounded up; written once */

static unsigned whole_cpus(uint64_t thousandths) {
  return thousandths == UINT64_MAX ? UINT32_MAX : (unsigned)tri_max(1, tri_min((thousandths + 999) / 1000, UINT32_MAX));
}

void tri_procs_init(const struct tri_config *config) {
  if (config->collect) quota = whole_cpus(tri_cgroup_cpu_limit(config->cgroup_root));
}

unsigned tri_procs(void) {
  cpu_set_t set;
  int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return (unsigned)tri_max(1, tri_min((unsigned)n, tri_procs_quota()));
}

unsigned tri_procs_quota(void) {
  return quota;
}
