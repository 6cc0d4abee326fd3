/* The pacing of cycles that mark while the program runs: what is kept from one to the next. */
#ifndef TRI_PACER_CYCLE_PACE_H
#define TRI_PACER_CYCLE_PACE_H

#include "internal/base.h"
#include "pacer/assist_ratio.h"
#include "pacer/goal.h"
#include "pacer/pacer.h"
#include "pacer/trigger.h"
#include "pacer/workers.h"

#define TRI_TRIGGERED_RUNWAY_MIN ((uint64_t)64 << 10)

struct tri_pace_settings {
  int gc_percent;
  uint64_t heap_minimum; /* at GOGC=100: TRI_HEAP_MINIMUM */
  bool frees_honoured;
};

struct tri_pace {
  struct tri_pace_settings settings;
  /* Of the last cycle. */
  uint64_t heap_marked;
  uint64_t heap_reclaimed;
  uint64_t heap_work;
  uint64_t stack_work;
  uint64_t globals_bytes; /* kept up to date by the caller */
  struct tri_cons_mark cons_mark;
  uint64_t last_heap_goal;
  /* The plan; renewed by commit. */
  uint64_t percent_goal;
  uint64_t min_trigger;
  uint64_t runway;
  uint64_t heap_work_expected;
  /* Of the cycle under way; UINT64_MAX: none. */
  uint64_t triggered;
};

/* Figures of the cycle under way. */
struct tri_pace_progress {
  uint64_t heap_live;
  uint64_t heap_scan; /* bytes of the heap that can hold pointers */
  uint64_t stack_max; /* bytes of stack in use */
  uint64_t heap_work; /* scanned so far */
  uint64_t stack_work;
  uint64_t globals_work;
};

struct tri_pace_end {
  uint64_t heap_live;
  uint64_t heap_marked; /* with what was allocated black */
  uint64_t heap_reclaimed;
  uint64_t heap_work;
  uint64_t stack_work;
  uint64_t globals_work;
  int64_t duration_ns;
  int64_t assist_ns;
  int64_t idle_mark_ns;
  int procs;
};

void tri_pace_init(struct tri_pace *p, const struct tri_pace_settings *settings);

/* Renews the plan: after a cycle, and when a setting changed. */
void tri_pace_commit(struct tri_pace *p, uint64_t heap_live, bool sweep_done);

struct tri_pacer_plan tri_pace_plan(const struct tri_pace *p, const struct tri_memory *memory);

void tri_pace_start(struct tri_pace *p, uint64_t heap_live);
struct tri_assist_ratio tri_pace_revise(const struct tri_pace *p, const struct tri_memory *memory,
                                        const struct tri_pace_progress *progress);
/* Commit follows. */
void tri_pace_end(struct tri_pace *p, const struct tri_memory *memory, const struct tri_pace_end *end);

#endif
