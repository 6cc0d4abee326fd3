/*
 * sim_print [SCENARIO...]: runs scenarios (all, without arguments) and prints one line for each cycle, comma-separated:
 * scenario, cycle, start in ms, marking in ms, marked, trigger, peak, goal, utilization, cons/mark, limited.
 * A line that begins with # names scenario, share of CPU time, ms and title. tools/pacer-sim draws them.
 */
#include <stdio.h>

#include "sim.h"

static void print(const struct sim_scenario *s) {
  static struct sim_run run;
  sim_run(s, &run);
  printf("#,%s,%.4f,%.1f,%s\n", s->name, run.gc_cpu_share, run.total_ms, s->title);
  for (int i = 0; i < run.cycles; i++) {
    const struct sim_cycle *c = &run.cycle[i];
    printf("%s,%d,%.3f,%.3f,%lu,%lu,%lu,%lu,%.4f,%.5f,%d\n", s->name, i + 1, c->start_ms, c->mark_ms, c->marked,
           c->trigger, c->peak, c->goal, c->utilization, c->cons_mark, c->limited);
  }
  if (run.degenerate[0]) printf("!,%s,%s\n", s->name, run.degenerate);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const struct sim_scenario *s = sim_find(argv[i]);
    if (!s) return fprintf(stderr, "sim_print: no scenario %s\n", argv[i]), 2;
    print(s);
  }
  if (argc == 1)
    for (int i = 0; i < sim_nscenarios; i++) print(&sim_scenarios[i]);
  return 0;
}
