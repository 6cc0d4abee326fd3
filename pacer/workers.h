/* Who marks beside the program: dedicated, fractional and idle workers. */
#ifndef TRI_PACER_WORKERS_H
#define TRI_PACER_WORKERS_H

#include "internal/base.h"

enum tri_cycle_cause { TRI_CYCLE_BY_HEAP, TRI_CYCLE_BY_TIME, TRI_CYCLE_FORCED };

struct tri_worker_plan {
  int dedicated;           /* each takes a CPU for as long as marking lasts */
  double fractional_share; /* of each CPU, for one more worker there; 0: none */
  int max_idle;            /* workers on CPUs that have nothing else to do */
};

struct tri_worker_plan tri_workers_plan(int procs, enum tri_cycle_cause cause, bool world_stopped);

/* run_ns: what the fractional worker of this CPU has run in this cycle; elapsed_ns: since marking began. */
bool tri_fractional_may_start(double share, int64_t run_ns, int64_t elapsed_ns);
bool tri_fractional_must_yield(double share, int64_t run_ns, int64_t elapsed_ns);

#endif
