/* The cap on the collector's share of CPU time: half of it, over some seconds. */
#ifndef TRI_PACER_CPU_LIMIT_H
#define TRI_PACER_CPU_LIMIT_H

#include "internal/base.h"

#define TRI_CPU_LIMIT_CAPACITY_NS ((int64_t)1000000000) /* for each CPU */
#define TRI_CPU_LIMIT_PERIOD_NS ((int64_t)10000000)

struct tri_cpu_limit {
  int64_t last_update_ns;
  int64_t capacity_ns;
  int64_t fill_ns;
  int64_t overflow_ns; /* what did not fit, in all */
  int procs;
  bool marking; /* workers take their quarter */
  bool limiting;
};

void tri_cpu_limit_init(struct tri_cpu_limit *l, int64_t now_ns, int procs);
void tri_cpu_limit_set_procs(struct tri_cpu_limit *l, int64_t now_ns, int procs);

bool tri_cpu_limit_is_due(const struct tri_cpu_limit *l, int64_t now_ns);

/* assist_ns: CPU time of mark and scavenge assists since the last update; idle_ns: idle CPUs and idle marking. */
void tri_cpu_limit_update(struct tri_cpu_limit *l, int64_t now_ns, int64_t assist_ns, int64_t idle_ns);

/* How long a collector whose cycles stop the world should rest after one that took so much of all CPUs' time (stopped
 * or not), for a share of one half: as long again while limiting, else not at all. */
int64_t tri_cpu_limit_rest_ns(const struct tri_cpu_limit *l, int64_t cycle_ns);

/* Around a stop of the world: all CPUs are the collector's. Begin takes the figures up to there, as update does. */
void tri_cpu_limit_stop_begin(struct tri_cpu_limit *l, int64_t now_ns, int64_t assist_ns, int64_t idle_ns);
void tri_cpu_limit_stop_end(struct tri_cpu_limit *l, int64_t now_ns, bool marking);

#endif
