/*
 * The cap on the collector's share of CPU time. A bucket that holds one second of each CPU: collector time fills it,
 * program time drains it, so only a share above one half, sustained, fills it. While it is full nobody assists, and
 * nobody gives memory back on the spot for the memory limit: the heap may pass the limit, and the program goes on.
 * Idle CPUs count as neither. Assists can be left out, a stopped world cannot: whole cycles wait then (rest_ns).
 * [LIMIT-1] 0 <= fill <= capacity. [LIMIT-2] limiting only while the bucket is full.
 * The caller serialises calls and passes the time; a clock that steps back is ignored. Pure: no lock, no clock, no
 * global.
 */
#include "pacer/cpu_limit.h"

#include "pacer/trigger.h"

static void accumulate(struct tri_cpu_limit *l, int64_t program_ns, int64_t collector_ns) {
  int64_t change = collector_ns - program_ns;
  int64_t room = l->capacity_ns - l->fill_ns;
  if (change > 0 && change >= room) {
    l->overflow_ns += change - room;
    l->fill_ns = l->capacity_ns;
    l->limiting = true;
    return;
  }
  l->fill_ns = l->fill_ns + change < 0 ? 0 : l->fill_ns + change;
  if (change != 0) l->limiting = false;
}

void tri_cpu_limit_init(struct tri_cpu_limit *l, int64_t now_ns, int procs) {
  *l = (struct tri_cpu_limit){.last_update_ns = now_ns, .procs = procs};
  l->capacity_ns = procs * TRI_CPU_LIMIT_CAPACITY_NS;
}

void tri_cpu_limit_set_procs(struct tri_cpu_limit *l, int64_t now_ns, int procs) {
  tri_cpu_limit_update(l, now_ns, 0, 0);
  l->procs = procs;
  l->capacity_ns = procs * TRI_CPU_LIMIT_CAPACITY_NS;
  if (l->fill_ns > l->capacity_ns) {
    l->fill_ns = l->capacity_ns;
    l->limiting = true;
  } else if (l->fill_ns < l->capacity_ns) {
    l->limiting = false;
  }
}

bool tri_cpu_limit_is_due(const struct tri_cpu_limit *l, int64_t now_ns) {
  return now_ns - l->last_update_ns > TRI_CPU_LIMIT_PERIOD_NS;
}

void tri_cpu_limit_update(struct tri_cpu_limit *l, int64_t now_ns, int64_t assist_ns, int64_t idle_ns) {
  if (now_ns < l->last_update_ns) return;
  int64_t window_ns = (now_ns - l->last_update_ns) * l->procs;
  l->last_update_ns = now_ns;
  int64_t collector_ns = assist_ns;
  /* Of the whole window: the workers' quarter does not shrink with idle CPUs. */
  if (l->marking) collector_ns += (int64_t)((double)window_ns * TRI_GC_UTILIZATION);
  accumulate(l, window_ns - idle_ns - collector_ns, collector_ns);
}

int64_t tri_cpu_limit_rest_ns(const struct tri_cpu_limit *l, int64_t cycle_ns) {
  return l->limiting && cycle_ns > 0 ? cycle_ns : 0;
}

void tri_cpu_limit_stop_begin(struct tri_cpu_limit *l, int64_t now_ns, int64_t assist_ns, int64_t idle_ns) {
  tri_cpu_limit_update(l, now_ns, assist_ns, idle_ns);
}

void tri_cpu_limit_stop_end(struct tri_cpu_limit *l, int64_t now_ns, bool marking) {
  l->marking = marking;
  if (now_ns < l->last_update_ns) return;
  accumulate(l, 0, (now_ns - l->last_update_ns) * l->procs);
  l->last_update_ns = now_ns;
}
