/* A collection cycle, from finishing the last sweep to the log line, and who asked for it. */
#ifndef TRI_GC_CYCLE_H
#define TRI_GC_CYCLE_H

#include "gc/config.h"
#include "internal/state.h"

enum tri_cycle_reason {
  TRI_CYCLE_HEAP, /* live bytes reached the trigger */
  TRI_CYCLE_USER, /* tri_gc */
};

/* First plan, from the settings; cycles may start afterwards. */
void tri_cycle_init(const struct tri_config *config, bool malloc_mode);

/* Runs one cycle on the calling thread: finishes sweeping, stops, marks, restarts, logs. With sweep_all it returns when
 * everything is swept. Waits for a cycle that is under way. Outside the runtime. */
void tri_cycle_run(enum tri_cycle_reason reason, bool sweep_all);
/* Sweeps what is left; the collector thread, after its cycle. */
void tri_cycle_sweep_rest(void);

/* A setting or a limit has changed: renews the plan, and asks for a cycle if one is due now. Outside the runtime. */
void tri_cycle_replan(void);
/* The same but for asking, by the holder of the cycle lock. What counts as marked moves by `added` (a ballast). */
void tri_cycle_replan_locked(int64_t added);

struct tri_cycle_stats {
  uint64_t num_gc, num_forced, pause_total_ns, pause_max_ns, heap_goal;
  uint64_t start_ns, last_end_ns;                                 /* of tri_now_ns */
  uint64_t pause_cpu_ns, mark_cpu_ns, idle_cpu_ns, assist_cpu_ns; /* idle: marking with CPUs that were free */
  /* Of the last cycle. */
  uint64_t heap_marked, scanned_bytes, stack_bytes, globals_bytes;
};
void tri_cycle_read_stats(struct tri_cycle_stats *ret);

/* Writes the statistics page, if there is one and no cycle runs (its end will write it). Outside the runtime. */
void tri_cycle_refresh_stats_page(void);

/* Fork: nobody is in the loader's callback between these; to be taken before the next two. */
bool tri_cycle_lock_gate_within(uint64_t ns); /* false: not to be had in that time */
void tri_cycle_unlock_gate(void);
/* Fork: no cycle runs between these. */
void tri_cycle_lock(void);
bool tri_cycle_lock_within(uint64_t ns); /* false: as above */
void tri_cycle_unlock(void);
/* True while the calling thread runs a cycle: what it allocates (starting markers does) must not ask for another. */
bool tri_cycle_is_mine(void);

#endif
