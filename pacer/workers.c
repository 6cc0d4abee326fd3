/*
 * Who marks beside the program. The aim is a quarter of all CPUs: that many dedicated workers, rounded. Where rounding
 * is more than 30% off (1, 2, 3 and 6 CPUs) the lower number is taken, and on each CPU a fractional worker makes up for
 * the rest. Idle CPUs may all mark, except in a cycle that only the clock asked for. A leaf under cycle_pace.c.
 * [WORKERS-1] dedicated + idle <= procs. [WORKERS-2] there is always one worker that may run.
 * Pure: no lock, no clock, no global.
 */
#include "pacer/workers.h"

#include "pacer/trigger.h"

#define MAX_ROUNDING_ERROR 0.3
#define YIELD_SLACK 1.2

struct tri_worker_plan tri_workers_plan(int procs, enum tri_cycle_cause cause, bool world_stopped) {
  if (procs < 1) procs = 1;
  if (world_stopped) return (struct tri_worker_plan){.dedicated = procs};
  double wanted = procs * TRI_GC_UTILIZATION;
  int dedicated = (int)(wanted + 0.5);
  double error = dedicated / wanted - 1;
  double share = 0;
  if (error > MAX_ROUNDING_ERROR || error < -MAX_ROUNDING_ERROR) {
    if (dedicated > wanted) dedicated--;
    share = (wanted - dedicated) / procs;
  }
  int idle = procs - dedicated;
  if (cause == TRI_CYCLE_BY_TIME) idle = dedicated == 0;
  return (struct tri_worker_plan){.dedicated = dedicated, .fractional_share = share, .max_idle = idle};
}

bool tri_fractional_may_start(double share, int64_t run_ns, int64_t elapsed_ns) {
  if (share <= 0) return false;
  return elapsed_ns <= 0 || (double)run_ns <= share * (double)elapsed_ns;
}

bool tri_fractional_must_yield(double share, int64_t run_ns, int64_t elapsed_ns) {
  return elapsed_ns <= 0 || (double)run_ns > YIELD_SLACK * share * (double)elapsed_ns;
}
