/* When a concurrent cycle starts: the cons/mark estimate, the runway it asks for, the bounds of the trigger. */
#ifndef TRI_PACER_TRIGGER_H
#define TRI_PACER_TRIGGER_H

#include "internal/base.h"

#define TRI_GC_UTILIZATION 0.25 /* of all CPUs, by workers, while marking */
#define TRI_CONS_MARK_HISTORY 4
#define TRI_TRIGGER_DEN 64
#define TRI_TRIGGER_MIN_NUM 45      /* about 0.7 of the way from marked to goal */
#define TRI_TRIGGER_MIN_NUM_PAGE 32 /* with the page barrier */
#define TRI_TRIGGER_MAX_NUM 61      /* about 0.95 */
#define TRI_TRIGGER_MAX_NUM_LIMIT                                                     \
  48 /* where a memory limit sets the goal, and marking ends there in a stopped world \
      */

/* Bytes allocated per byte scanned, for each CPU. All zero at first. */
struct tri_cons_mark {
  double estimate;
  double last[TRI_CONS_MARK_HISTORY];
};

struct tri_mark_measure {
  uint64_t triggered; /* heap_live when marking began */
  uint64_t heap_live; /* and when it ended */
  uint64_t scan_work; /* heap, stacks and globals */
  int64_t duration_ns;
  int64_t assist_ns; /* CPU time */
  int64_t idle_mark_ns;
  int64_t held_up_ns; /* for which threads that allocate waited for marking, together */
  int procs;
  bool frees_honoured;
};

void tri_cons_mark_add(struct tri_cons_mark *estimate, const struct tri_mark_measure *m);

uint64_t tri_runway(double cons_mark, uint64_t expected_work);

struct tri_trigger_input {
  uint64_t heap_marked, goal, runway; /* bytes */
  uint64_t min_trigger;               /* 0, or the least that lets the sweeper finish first */
  unsigned min_num;                   /* TRI_TRIGGER_MIN_NUM */
  unsigned max_num;                   /* 0: TRI_TRIGGER_MAX_NUM, or 4 MiB before the goal if that is later */
};
uint64_t tri_trigger(const struct tri_trigger_input *in);

#endif
