/*
 * Cycles without a heap. The model is that of Go's own pacer test: every 0.5 ms of marking the assist ratio says which
 * share of the CPUs must scan so that scanned bytes / allocated bytes is the ratio, at least the workers' quarter; the
 * rest allocates. Globals are scanned first, then stacks, then the heap; a cycle ends when all is scanned. Between
 * cycles the program allocates up to the trigger. What is live next time is given, not found.
 *
 * Added here: a CPU limiter that is heard, memory that is not heap, frees by the program (net growth counts), and a
 * check of every plan that the pacer makes.
 */
#include "sim.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "pacer/cpu_limit.h"
#include "pacer/cycle_pace.h"

#define FIRST_LIVE (256 << 10)
#define PERIOD_MS 0.5
#define NS_PER_MS 1e6

struct model {
  const struct sim_scenario *s;
  struct sim_run *run;
  struct sim_rates rates;
  struct tri_pace pace;
  struct tri_cpu_limit limiter;
  struct tri_pace_progress at;
  double now_ms;
  double background; /* the workers' share of all CPUs */
  /* Of the cycle under way. */
  int64_t globals_left, stack_left, heap_left;
  int64_t black; /* allocated while marking, less what was freed */
  double assist_ms;
  double mark_ms;
  double gc_cpu_ms; /* of the whole run */
};

static struct tri_memory memory_of(const struct model *m) {
  uint64_t live = m->at.heap_live;
  return (struct tri_memory){
      .limit = m->s->limit ? m->s->limit : TRI_NO_LIMIT, .mapped_ready = live + m->s->not_heap, .heap_alloc = live};
}

static struct tri_pacer_plan plan_of(const struct model *m) {
  struct tri_memory memory = memory_of(m);
  return tri_pace_plan(&m->pace, &memory);
}

static void complain(struct model *m, const char *what, double value) {
  if (m->run->degenerate[0]) return;
  snprintf(m->run->degenerate, sizeof m->run->degenerate, "cycle %d: %s: %g", m->run->cycles + 1, what, value);
}

static void check_plan(struct model *m, struct tri_pacer_plan plan) {
  uint64_t marked = m->pace.heap_marked;
  if (plan.trigger > plan.heap_goal) complain(m, "trigger above the goal", (double)plan.trigger);
  if (plan.heap_goal < marked) complain(m, "goal below what is marked", (double)plan.heap_goal);
  if (plan.trigger < marked) complain(m, "trigger below what is marked", (double)plan.trigger);
  double way = plan.heap_goal > marked ? (double)(plan.trigger - marked) / (double)(plan.heap_goal - marked) : 1;
  if (plan.heap_goal - marked >= 4096 && way < 0.69) complain(m, "trigger too early", way);
}

static int64_t do_work(int64_t *left, int64_t *work, uint64_t *counter) {
  int64_t done = *left < *work ? *left : *work;
  *left -= done;
  *work -= done;
  *counter += (uint64_t)done;
  return done;
}

/* The share of all CPUs that marks, as the assist ratio demands it. */
static double utilization_of(struct model *m, bool *ret_limited) {
  struct tri_memory memory = memory_of(m);
  double ratio = tri_pace_revise(&m->pace, &memory, &m->at).work_per_byte;
  if (!(ratio > 0) || !isfinite(ratio)) complain(m, "assist ratio", ratio);
  *ret_limited = m->s->limiter && m->limiter.limiting;
  double net_rate = m->rates.alloc * (1 - m->rates.freed);
  if (*ret_limited || net_rate <= 0) return m->background;
  double utilization = ratio * net_rate / (ratio * net_rate + m->rates.scan);
  return utilization < m->background ? m->background : utilization;
}

static uint64_t moved(uint64_t from, int64_t by) {
  return by < 0 && from < (uint64_t)-by ? 0 : from + (uint64_t)by;
}

static void mark_a_while(struct model *m, double utilization) {
  double per_period = 1024 * PERIOD_MS * m->s->procs;
  int64_t scan = (int64_t)(m->rates.scan * per_period * utilization);
  int64_t work = scan;
  int64_t done = do_work(&m->globals_left, &work, &m->at.globals_work);
  done += do_work(&m->stack_left, &work, &m->at.stack_work);
  done += do_work(&m->heap_left, &work, &m->at.heap_work);
  double part = done < scan ? (double)done / (m->rates.scan * per_period * utilization) : 1;
  double net = m->rates.alloc * per_period * (1 - utilization) * part * (1 - m->rates.freed);
  m->at.heap_live = moved(m->at.heap_live, (int64_t)net);
  m->at.heap_scan = moved(m->at.heap_scan, (int64_t)((double)(int64_t)net * m->rates.scannable));
  m->black += (int64_t)net;
  double elapsed = PERIOD_MS * part;
  double assist = elapsed * m->s->procs * (utilization - m->background);
  m->assist_ms += assist;
  m->mark_ms += elapsed;
  m->now_ms += elapsed;
  m->gc_cpu_ms += elapsed * m->s->procs * utilization;
  tri_cpu_limit_update(&m->limiter, (int64_t)(m->now_ms * NS_PER_MS), (int64_t)(assist * NS_PER_MS), 0);
}

/* The program runs until the trigger is reached; one that frees all it allocates is collected by the clock. */
static void run_to_trigger(struct model *m, uint64_t trigger) {
  double net_rate = m->rates.alloc * (1 - m->rates.freed);
  uint64_t marked = m->pace.heap_marked;
  if (net_rate <= 0) trigger = marked;
  if (trigger < marked) trigger = marked;
  if (net_rate > 0) m->now_ms += (double)(trigger - marked) / 1024 / (net_rate * m->s->procs);
  m->at.heap_live = trigger;
  m->at.heap_scan += (uint64_t)((double)(trigger - marked) * m->rates.scannable);
  tri_cpu_limit_update(&m->limiter, (int64_t)(m->now_ms * NS_PER_MS), 0, 0);
}

static uint64_t next_live(const struct model *m, int cycle, int64_t black_last) {
  if (cycle == 0) return FIRST_LIVE;
  if (m->s->all_live) return m->at.heap_live;
  return (uint64_t)((double)moved(m->pace.heap_marked, -black_last) * m->rates.growth);
}

static void begin_cycle(struct model *m, uint64_t live) {
  m->pace.globals_bytes = m->s->globals_bytes;
  m->at.stack_max = m->rates.stack_bytes;
  m->at.heap_work = m->at.stack_work = m->at.globals_work = 0;
  m->globals_left = (int64_t)m->s->globals_bytes;
  m->stack_left = (int64_t)m->rates.stack_bytes;
  m->heap_left = (int64_t)((double)live * m->rates.scannable);
  m->black = 0;
  m->assist_ms = m->mark_ms = 0;
  tri_pace_start(&m->pace, m->at.heap_live);
  struct tri_worker_plan workers = tri_workers_plan(m->s->procs, TRI_CYCLE_BY_HEAP, false);
  m->background = (double)workers.dedicated / m->s->procs + workers.fractional_share;
  m->limiter.marking = true;
}

static void end_cycle(struct model *m, uint64_t live) {
  uint64_t marked = moved(live, m->black);
  struct tri_pace_end end = {
      .heap_live = m->at.heap_live,
      .heap_marked = marked,
      .heap_reclaimed = m->at.heap_live > marked ? m->at.heap_live - marked : 0,
      .heap_work = m->at.heap_work,
      .stack_work = m->at.stack_work,
      .globals_work = m->at.globals_work,
      .duration_ns = (int64_t)(m->mark_ms * NS_PER_MS),
      .assist_ns = (int64_t)(m->assist_ms * NS_PER_MS),
      .procs = m->s->procs,
  };
  struct tri_memory memory = memory_of(m);
  tri_pace_end(&m->pace, &memory, &end);
  m->limiter.marking = false;
  m->at.heap_live = marked;
  m->at.heap_scan = m->at.heap_work;
  tri_pace_commit(&m->pace, marked, false);
  if (!isfinite(m->pace.cons_mark.estimate)) complain(m, "cons/mark", m->pace.cons_mark.estimate);
}

static int64_t simulate_cycle(struct model *m, int cycle, int64_t black_last) {
  m->rates = m->s->rates(cycle);
  struct tri_pacer_plan plan = plan_of(m);
  check_plan(m, plan);
  run_to_trigger(m, plan.trigger);
  uint64_t live = next_live(m, cycle, black_last);
  struct sim_cycle *c = &m->run->cycle[cycle];
  *c = (struct sim_cycle){.marked = m->pace.heap_marked, .trigger = m->at.heap_live, .start_ms = m->now_ms};
  begin_cycle(m, live);
  while (m->globals_left + m->stack_left + m->heap_left > 0) {
    bool limited;
    mark_a_while(m, utilization_of(m, &limited));
    c->limited |= limited;
  }
  c->peak = m->at.heap_live;
  c->goal = plan_of(m).heap_goal;
  c->mark_ms = m->mark_ms;
  c->utilization = m->background + m->assist_ms / (m->mark_ms * m->s->procs);
  end_cycle(m, live);
  c->cons_mark = m->pace.cons_mark.estimate;
  return m->black;
}

void sim_run(const struct sim_scenario *s, struct sim_run *run) {
  memset(run, 0, sizeof *run);
  struct model m = {.s = s, .run = run};
  struct tri_pace_settings settings = {
      .gc_percent = s->gc_percent, .heap_minimum = TRI_HEAP_MINIMUM, .frees_honoured = s->frees_honoured};
  tri_pace_init(&m.pace, &settings);
  tri_cpu_limit_init(&m.limiter, 0, s->procs);
  int64_t black = 0;
  for (run->cycles = 0; run->cycles < s->cycles; run->cycles++) black = simulate_cycle(&m, run->cycles, black);
  run->total_ms = m.now_ms;
  run->gc_cpu_share = m.gc_cpu_ms / (m.now_ms * s->procs);
}
