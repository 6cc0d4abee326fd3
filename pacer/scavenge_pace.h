/* How much free memory is kept, and at what rate the rest goes back to the system. */
#ifndef TRI_PACER_SCAVENGE_PACE_H
#define TRI_PACER_SCAVENGE_PACE_H

#include "internal/base.h"
#include "pacer/controller.h"

#define TRI_SCAVENGE_NONE UINT64_MAX
#define TRI_SCAVENGE_RETAIN_PERCENT 10            /* above what the percent goal asks for */
#define TRI_SCAVENGE_REDUCE_PERCENT 5             /* below the memory limit */
#define TRI_SCAVENGE_OVERHEAD ((uint64_t)4 << 20) /* the runtime's own memory that the heap does not make up for */
#define TRI_SCAVENGE_CPU_PERCENT 1
#define TRI_SCAVENGE_QUANTUM ((uint64_t)64 << 10)
#define TRI_SCAVENGE_WORK_MIN_NS ((int64_t)1000000)
/* For each CPU. Go: 0.001 for all, so that a second goes by after the first millisecond. */
#define TRI_SCAVENGE_START_RATIO 0.01
#define TRI_SCAVENGE_COOLDOWN_NS ((int64_t)5000000000)

struct tri_scavenge_input {
  uint64_t cycles;        /* completed */
  uint64_t heap_goal;     /* after frees, if they are honoured */
  uint64_t heap_live;     /* without the ballast, now */
  uint64_t ballast;       /* in heap_goal */
  uint64_t heap_in_use;   /* pages of spans in use, now */
  uint64_t heap_retained; /* heap pages not given back, now */
  uint64_t overhead;      /* tables and structs, which never go back */
  uint64_t page_size;     /* the kernel's */
  uint64_t mapped_ready;
  uint64_t memory_limit; /* UINT64_MAX: none */
};

/* What the background scavenger works down to; TRI_SCAVENGE_NONE: nothing to do. */
struct tri_scavenge_goals {
  uint64_t by_percent; /* compare with heap_retained */
  uint64_t by_limit;   /* compare with mapped_ready */
};
struct tri_scavenge_goals tri_scavenge_goals(const struct tri_scavenge_input *in);

/* Go's own percent goal: from the goals before and after a cycle and what was in use when marking ended. */
uint64_t tri_scavenge_percent_goal_go(uint64_t heap_goal, uint64_t last_heap_goal, uint64_t last_in_use,
                                      uint64_t page_size);

/* The background scavenger's rhythm: work, then sleep. */
struct tri_scavenge_rhythm {
  struct tri_controller controller;
  double work_per_sleep;
  int64_t cooldown_ns; /* the controller failed; it is left alone for so long */
};
void tri_scavenge_rhythm_init(struct tri_scavenge_rhythm *r, int procs);
int64_t tri_scavenge_sleep_ns(const struct tri_scavenge_rhythm *r, int64_t worked_ns);
void tri_scavenge_slept(struct tri_scavenge_rhythm *r, int64_t worked_ns, int64_t slept_ns, int procs);

#endif
