/*
 * The plan of the next cycle. Takes what gc/cycle.c measured, asks pacer/ for goal and trigger, publishes both in
 * tri_state, where allocation looks at them (gc/collector.c).
 *
 * A cycle that stops the world begins when the heap reaches its goal. One that marks beside the program begins earlier,
 * so that it ends there: by the bytes that the program allocated for each byte marked in the last cycles. Where it is
 * late all the same, the rest is marked in the stopped world (gc/beside.c).
 *
 * No locks: the holder of the cycle lock only. No clock.
 */
#include "gc/plan.h"

#include "gc/beside.h"
#include "gc/roots.h"
#include "gc/worker.h"
#include "internal/state.h"
#include "pacer/pacer.h"
#include "pacer/trigger.h"

static bool frees_honoured;
static struct tri_cons_mark cons_mark;

void tri_plan_init(bool frees) {
  frees_honoured = frees;
}

static uint64_t trigger_for(const struct tri_config *config, const struct tri_plan_input *in, uint64_t goal) {
  if (!tri_beside_is_next(config)) return goal;
  return tri_trigger(in->heap_marked, goal, 0, tri_runway(cons_mark.estimate, in->scanned_bytes));
}

void tri_plan_publish(const struct tri_config *config, const struct tri_plan_input *in) {
  struct tri_pacer_input p = {.heap_marked = in->heap_marked,
                              .stack_bytes = tri_roots_stack_bytes(),
                              .globals_bytes = tri_roots_globals_bytes(),
                              .heap_reclaimed = in->heap_reclaimed,
                              .frees_honoured = frees_honoured,
                              .gc_percent = config->gc_percent};
  uint64_t goal = tri_pacer_plan(&p).heap_goal;
  tri_store_rel(&tri_state.goal, goal);
  tri_store_rel(&tri_state.trigger, trigger_for(config, in, goal));
}

void tri_plan_learn(uint64_t live_before, uint64_t live_after, uint64_t scanned_bytes, uint64_t duration_ns,
                    uint64_t cpu_ns) {
  uint64_t procs = tri_worker_procs(), quarter = duration_ns * procs / 4; /* what the pacer reckons with */
  struct tri_mark_measure m = {.triggered = live_before,
                               .heap_live = live_after,
                               .scan_work = scanned_bytes,
                               .duration_ns = (int64_t)duration_ns,
                               .idle_mark_ns = cpu_ns > quarter ? (int64_t)(cpu_ns - quarter) : 0,
                               .procs = (int)procs,
                               .frees_honoured = frees_honoured};
  tri_cons_mark_add(&cons_mark, &m);
}
