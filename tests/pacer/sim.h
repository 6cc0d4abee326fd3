/* Cycles without a heap: the pacer is driven by rates, and what would happen is written down. */
#ifndef TRI_TESTS_PACER_SIM_H
#define TRI_TESTS_PACER_SIM_H

#include "internal/base.h"

#define SIM_CYCLES_MAX 128

/* What the program does during one cycle. */
struct sim_rates {
  double alloc;     /* KiB per ms of CPU */
  double scan;      /* KiB per ms of CPU */
  double growth;    /* of the live heap, from the cycle before */
  double scannable; /* share of the heap that can hold pointers */
  double freed;     /* share of what it allocates that it frees itself */
  uint64_t stack_bytes;
};

struct sim_scenario {
  const char *name;
  const char *title;
  struct sim_rates (*rates)(int cycle);
  int cycles;
  int procs;
  int gc_percent;
  uint64_t limit; /* 0: none */
  uint64_t not_heap;
  uint64_t globals_bytes;
  bool frees_honoured;
  bool all_live; /* nothing dies but what is freed */
  bool limiter;  /* the CPU limiter is heard */
};

struct sim_cycle {
  uint64_t marked; /* when the cycle before ended */
  uint64_t trigger;
  uint64_t peak;
  uint64_t goal;
  double utilization; /* workers and assists, while marking */
  double cons_mark;
  bool limited; /* at any time in it */
  double start_ms;
  double mark_ms;
};

struct sim_run {
  int cycles;
  struct sim_cycle cycle[SIM_CYCLES_MAX];
  double total_ms;
  double gc_cpu_share;  /* of the whole run */
  char degenerate[160]; /* the first plan that makes no sense; empty: none */
};

extern const struct sim_scenario sim_scenarios[];
extern const int sim_nscenarios;
const struct sim_scenario *sim_find(const char *name);

void sim_run(const struct sim_scenario *s, struct sim_run *run);

#endif
