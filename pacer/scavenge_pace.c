/*
 * How much free memory is kept, and at what rate the rest goes back to the system. A leaf; how it is given back is
 * alloc/'s.
 *
 *   by percent  in use now + what the heap may still grow to its goal, and 10% of that, less the runtime's own memory
 *               beyond 4 MiB; but three quarters of the growth in any case
 *   by limit    95% of the memory limit
 *   rhythm      1% of all CPUs: a PI controller sets the ratio of work to sleep; a run counts as 1 ms at least
 *
 * Go's percent goal is (goal / last goal) * in use when marking ended, and stays so until the next cycle ends. Ours
 * follows what is in use and live now, and is asked for again at the end of sweeping and when frees release spans, so
 * that memory goes back in seconds. In use alone would be wrong: right after sweeping it is lowest, and what was given
 * back then would be faulted in again before the next cycle. Structs that describe the heap never go back: of one that
 * was ten times as large they are a fifth of what it may be now, and whoever looks at the process sees the sum.
 * [SCAVENGE-1] by_percent >= heap_in_use: what is in use is never asked for. Pure: no lock, no clock, no global.
 */
#include "pacer/scavenge_pace.h"

#include "pacer/arith.h"

/* Times in ns. Go's, but for TI: with its 3.2e6 the ratio jumps between its bounds as soon as a period is longer than
 * 20 ms, that is on less than five CPUs: bursts, long sleeps between them, and less than the share on average. The
 * integral begins with the ratio: from 0 it would be most of a second until the second step, and then too much. */
#define KP 0.3375
#define TI 3.2e7
#define TT 1e9
#define RATIO_MIN 0.001
#define RATIO_MAX 1000.0
#define LONGEST_SLEEP_NS ((int64_t)10000000000)

static uint64_t whole_pages(uint64_t bytes, uint64_t page_size) {
  return tri_add_sat(bytes, page_size - 1) & ~(page_size - 1);
}

static uint64_t with_extra(uint64_t bytes) {
  return tri_add_sat(bytes, bytes / (100 / TRI_SCAVENGE_RETAIN_PERCENT));
}

static uint64_t growth_of(const struct tri_scavenge_input *in) {
  if (in->heap_goal == UINT64_MAX) return 0; /* GOGC off and no limit: nobody knows, so what is in use counts */
  return tri_sub_sat(in->heap_goal, tri_add_sat(in->heap_live, in->ballast));
}

static uint64_t by_percent(const struct tri_scavenge_input *in) {
  if (in->cycles == 0) return TRI_SCAVENGE_NONE;
  uint64_t growth = growth_of(in), least = tri_add_sat(in->heap_in_use, growth / 4 * 3);
  uint64_t most = with_extra(tri_add_sat(in->heap_in_use, growth));
  uint64_t goal = tri_max_u64(tri_sub_sat(most, tri_sub_sat(in->overhead, TRI_SCAVENGE_OVERHEAD)), least);
  goal = whole_pages(goal, in->page_size);
  return tri_sub_sat(in->heap_retained, goal) < in->page_size ? TRI_SCAVENGE_NONE : goal;
}

static uint64_t by_limit(const struct tri_scavenge_input *in) {
  if (in->memory_limit == UINT64_MAX) return TRI_SCAVENGE_NONE;
  uint64_t goal = tri_u64_of((double)in->memory_limit * (1 - TRI_SCAVENGE_REDUCE_PERCENT / 100.0));
  return in->mapped_ready <= goal ? TRI_SCAVENGE_NONE : goal;
}

struct tri_scavenge_goals tri_scavenge_goals(const struct tri_scavenge_input *in) {
  return (struct tri_scavenge_goals){.by_percent = by_percent(in), .by_limit = by_limit(in)};
}

uint64_t tri_scavenge_percent_goal_go(uint64_t heap_goal, uint64_t last_heap_goal, uint64_t last_in_use,
                                      uint64_t page_size) {
  if (last_heap_goal == 0) return TRI_SCAVENGE_NONE;
  double ratio = (double)heap_goal / (double)last_heap_goal;
  return whole_pages(with_extra(tri_u64_of((double)last_in_use * ratio)), page_size);
}

void tri_scavenge_rhythm_init(struct tri_scavenge_rhythm *r, int procs) {
  double ratio = TRI_SCAVENGE_START_RATIO * procs;
  *r = (struct tri_scavenge_rhythm){
      .controller = {.integral = ratio, .kp = KP, .ti = TI, .tt = TT, .min = RATIO_MIN, .max = RATIO_MAX},
      .work_per_sleep = ratio,
  };
}

static double counted(int64_t worked_ns) {
  return (double)(worked_ns < TRI_SCAVENGE_WORK_MIN_NS ? TRI_SCAVENGE_WORK_MIN_NS : worked_ns);
}

int64_t tri_scavenge_sleep_ns(const struct tri_scavenge_rhythm *r, int64_t worked_ns) {
  return tri_i64_of(counted(worked_ns) / r->work_per_sleep);
}

/* A process that was stopped meanwhile need not catch up. */
void tri_scavenge_slept(struct tri_scavenge_rhythm *r, int64_t worked_ns, int64_t slept_ns, int procs) {
  double period = counted(worked_ns) + (double)(slept_ns < LONGEST_SLEEP_NS ? slept_ns : LONGEST_SLEEP_NS);
  if (r->cooldown_ns > 0) {
    int64_t left = r->cooldown_ns - tri_i64_of(period);
    r->cooldown_ns = left > 0 ? left : 0;
    return;
  }
  double share = counted(worked_ns) / (period * procs);
  if (!tri_controller_next(&r->controller, share, TRI_SCAVENGE_CPU_PERCENT / 100.0, period, &r->work_per_sleep)) {
    r->work_per_sleep = r->controller.integral = TRI_SCAVENGE_START_RATIO * procs;
    r->cooldown_ns = TRI_SCAVENGE_COOLDOWN_NS;
  }
}
