/* From what a cycle measured to the goal and trigger of the next: the runtime's side of pacer/. */
#ifndef TRI_GC_PLAN_H
#define TRI_GC_PLAN_H

#include "gc/config.h"

void tri_plan_init(bool frees_honoured);

struct tri_plan_input {
  uint64_t heap_marked;    /* the ballast included */
  uint64_t heap_reclaimed; /* found dead, without what the program freed itself */
  uint64_t scanned_bytes;  /* to mark that much */
};
/* Stores goal and trigger to tri_state. By the holder of the cycle lock. */
void tri_plan_publish(const struct tri_config *config, const struct tri_plan_input *in);

/* A cycle marked beside the program: live bytes when it began and ended, CPU time of its markers meanwhile. */
void tri_plan_learn(uint64_t live_before, uint64_t live_after, uint64_t scanned_bytes, uint64_t duration_ns,
                    uint64_t cpu_ns);

#endif
