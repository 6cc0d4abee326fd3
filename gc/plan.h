/* From what a cycle measured to the goal and trigger of the next: the runtime's side of pacer/. */
#ifndef TRI_GC_PLAN_H
#define TRI_GC_PLAN_H

#include "gc/config.h"

void tri_plan_init(bool frees_honoured);

struct tri_plan_input {
  uint64_t heap_marked;    /* the ballast included */
  uint64_t heap_reclaimed; /* found dead, without what the program freed itself; UINT64_MAX: no cycle yet */
  uint64_t scanned_bytes;  /* to mark that much */
};
/* A cycle ended: stores goal and trigger to tri_state. By the holder of the cycle lock. */
void tri_plan_publish(const struct tri_config *config, const struct tri_plan_input *in);
/* The same from what was measured last, after a setting has changed. heap_marked moves by `added` (a ballast's). */
void tri_plan_renew(const struct tri_config *config, int64_t added);
/* The goal by the memory limit follows the memory in use: any thread, inside the runtime or unregistered, without
 * locks. Does nothing without a limit, while somebody else is at it, or a tenth of a millisecond after the last time.
 */
void tri_plan_follow(void);
/* True when the memory limit asks for a lower goal than GOGC, so that passing the goal means passing the limit. */
bool tri_plan_is_by_limit(void);

/* While the collector rests (see tri_plan_cycle_took) and the heap is above the goal by the limit: how long whoever has
 * allocated 64 KiB should wait; else 0. Any thread. */
uint64_t tri_plan_hold_up_ns(uint64_t heap_live);

/* A cycle marked beside the program. */
struct tri_plan_marking {
  uint64_t live_before, live_after; /* bytes */
  uint64_t scanned_bytes;           /* by markers and assists */
  uint64_t duration_ns, marker_cpu_ns, assist_cpu_ns;
  uint64_t held_up_ns; /* for which threads waited for marking, together */
};
void tri_plan_learn(const struct tri_plan_marking *marking);

/* What of it: bytes allocated for each byte marked, and CPU. By the holder of the cycle lock. */
double tri_plan_cons_mark(void);

/* When a cycle stopped the world, and for how long, so that collecting for the memory limit takes no more than half of
 * the CPU time. By the holder of the cycle lock; tri_plan_publish or renew follows. */
struct tri_cycle_times {
  uint64_t start, mark, mark_done, end;
  uint64_t assist_cpu_ns;
  bool is_beside; /* from mark to mark_done the program ran */
};
/* A cycle begins: the CPU limiter is asked anew. By the holder of the cycle lock. */
void tri_plan_cycle_begins(uint64_t now);
void tri_plan_cycle_took(const struct tri_cycle_times *times, uint64_t num_gc);
/* The CPU limiter is on: nobody assists, and the memory limit is not heeded for a while. Any thread. */
bool tri_plan_is_limited(void);
/* The number of the last cycle after which the limit was not heeded for that reason; 0: none. */
uint64_t tri_plan_last_limited(void);

struct tri_goal_input;
/* What the percent goal was made of; for the scavenger. Any thread. */
void tri_plan_read(struct tri_goal_input *ret);

void tri_plan_lock_for_fork(void);
void tri_plan_unlock_for_fork(void);

#endif
