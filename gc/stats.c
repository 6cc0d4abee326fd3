/*
 * Statistics with Go's names: tri_read_mem_stats and tri_read_metrics, each named in tricolor/tricolor.h with its
 * contract. Everything comes from one snapshot, so the memory classes add up to the total exactly ([MEMORY-1]); times
 * and counts of cycles are those of the last one that has ended.
 *
 * The page that other processes read (gc/stats_page.c) is filled from here as well.
 *
 * No lock of its own; the heap's, inside the runtime.
 */
#include "gc/stats.h"

#include <errno.h>
#include <string.h>

#include "gc/cycle.h"
#include "gc/enter.h"
#include "gc/history.h"
#include "gc/limit.h"
#include "gc/memory.h"
#include "gc/plan.h"
#include "gc/procs.h"
#include "gc/runtime.h"
#include "gc/scavenger.h"
#include "internal/clock.h"
#include "internal/state.h"
#include "tricolor/tricolor.h"

struct snapshot {
  struct tri_memory_use memory;
  struct tri_cycle_stats cycles;
  uint64_t allocated, ballast, limit, last_limited, scavenge_cpu_ns;
  int gc_percent;
};

/* Inside the runtime, or where no stop can come. */
static struct snapshot take_inside(void) {
  const struct tri_config *config = tri_runtime_config();
  struct snapshot s = {.ballast = config->ballast_bytes, .gc_percent = config->gc_percent};
  tri_memory_read(&s.memory, s.ballast);
  tri_cycle_read_stats(&s.cycles);
  s.allocated = tri_load_rlx(&tri_state.total_alloc);
  s.limit = tri_limit_bytes();
  s.last_limited = tri_plan_last_limited();
  s.scavenge_cpu_ns = tri_scavenger_cpu_ns();
  return s;
}

static struct snapshot take(void) {
  struct tri_thread *t = tri_enter_registered();
  struct snapshot s = take_inside();
  if (t) tri_runtime_leave(t);
  return s;
}

static uint64_t at_least(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

static double gc_cpu_fraction(const struct tri_cycle_stats *c) {
  uint64_t cpus_ns = (tri_now_ns() - c->start_ns) * tri_procs();
  return c->start_ns == 0 || cpus_ns == 0
             ? 0
             : (double)(c->pause_cpu_ns + c->mark_cpu_ns + c->assist_cpu_ns) / (double)cpus_ns;
}

static void fill(struct tri_mem_stats *m, const struct snapshot *s) {
  m->HeapAlloc = m->Alloc = s->memory.objects + s->ballast;
  m->TotalAlloc = at_least(s->allocated, s->memory.objects);
  m->HeapInuse = s->memory.objects + s->memory.unused;
  m->HeapReleased = s->memory.released;
  m->HeapIdle = s->memory.free + s->memory.released;
  m->HeapSys = m->HeapInuse + m->HeapIdle;
  m->StackSys = s->memory.stacks;
  m->GCSys = s->memory.meta;
  m->OtherSys = s->memory.offheap;
  m->Sys = s->memory.total;
  m->NextGC = s->cycles.heap_goal;
  m->PauseTotalNs = s->cycles.pause_total_ns;
  m->NumForcedGC = (uint32_t)s->cycles.num_forced;
  m->GCCPUFraction = gc_cpu_fraction(&s->cycles);
  m->EnableGC = tri_runtime_config()->collect && (s->gc_percent >= 0 || s->limit != UINT64_MAX);
  static_assert(sizeof m->PauseNs == TRI_HISTORY * sizeof(uint64_t), "MemStats keeps what the history does");
  m->NumGC = (uint32_t)tri_history_read(m->PauseNs, m->PauseEnd);
  if (m->NumGC) m->LastGC = m->PauseEnd[(m->NumGC + 255) % 256];
}

bool tri_stats_begin(const void *asked, void *full, size_t known) {
  size_t size = 0;
  if (asked) memcpy(&size, asked, sizeof size);
  if (size < sizeof size || size > known) {
    errno = EINVAL;
    return false;
  }
  memset(full, 0, known);
  memcpy(full, &size, sizeof size);
  return true;
}

int tri_read_mem_stats(struct tri_mem_stats *stats) {
  struct tri_mem_stats full;
  if (!tri_stats_begin(stats, &full, sizeof full)) return -1;
  struct snapshot s = take();
  fill(&full, &s);
  memcpy(stats, &full, stats->size);
  return 0;
}

/* Of what was scanned; stacks that their threads scanned are not counted there. */
static uint64_t roots_of(const struct tri_cycle_stats *c) {
  uint64_t roots = c->stack_bytes + c->globals_bytes;
  return roots < c->scanned_bytes ? roots : c->scanned_bytes;
}

/* Metrics: how each is computed from a snapshot. */

#define COUNT(metric_id, expression)                    \
  static uint64_t metric_id(const struct snapshot *s) { \
    return (expression);                                \
  }

COUNT(cycles_forced, s->cycles.num_forced)
COUNT(cycles_total, s->cycles.num_gc)
COUNT(cycles_automatic, s->cycles.num_gc - s->cycles.num_forced)
COUNT(gogc, s->gc_percent < 0 ? UINT64_MAX : (uint64_t)s->gc_percent)
COUNT(gomemlimit, s->limit > INT64_MAX ? INT64_MAX : s->limit)
COUNT(heap_allocs, at_least(s->allocated, s->memory.objects))
COUNT(heap_frees, at_least(s->allocated, s->memory.objects) - s->memory.objects)
COUNT(heap_goal, s->cycles.heap_goal)
COUNT(heap_live, s->cycles.heap_marked)
COUNT(limiter, s->last_limited)
COUNT(scan_globals, s->cycles.globals_bytes)
COUNT(scan_heap, s->cycles.scanned_bytes - roots_of(&s->cycles))
COUNT(scan_stack, s->cycles.stack_bytes)
COUNT(scan_total, s->cycles.scanned_bytes)
COUNT(memory_free, s->memory.free)
COUNT(memory_objects, s->memory.objects)
COUNT(memory_released, s->memory.released)
COUNT(memory_unused, s->memory.unused)
COUNT(memory_metadata, s->memory.meta)
COUNT(memory_stacks, s->memory.stacks)
COUNT(memory_other, s->memory.offheap)
COUNT(memory_total, s->memory.total)
COUNT(cpu_assist, s->cycles.assist_cpu_ns)
COUNT(cpu_idle, s->cycles.idle_cpu_ns)
COUNT(cpu_mark, s->cycles.mark_cpu_ns)
COUNT(cpu_pause, s->cycles.pause_cpu_ns)
COUNT(cpu_gc, s->cycles.mark_cpu_ns + s->cycles.assist_cpu_ns + s->cycles.idle_cpu_ns + s->cycles.pause_cpu_ns)
COUNT(cpu_scavenge, s->scavenge_cpu_ns)

static const struct metric {
  const char *name;
  uint64_t (*read)(const struct snapshot *s);
  bool is_ns; /* told in seconds */
} metrics[] = {
    {"/cpu/classes/gc/mark/assist:cpu-seconds", cpu_assist, true},
    {"/cpu/classes/gc/mark/dedicated:cpu-seconds", cpu_mark, true},
    {"/cpu/classes/gc/mark/idle:cpu-seconds", cpu_idle, true},
    {"/cpu/classes/gc/pause:cpu-seconds", cpu_pause, true},
    {"/cpu/classes/gc/total:cpu-seconds", cpu_gc, true},
    {"/cpu/classes/scavenge/background:cpu-seconds", cpu_scavenge, true},
    {"/gc/cycles/automatic:gc-cycles", cycles_automatic, false},
    {"/gc/cycles/forced:gc-cycles", cycles_forced, false},
    {"/gc/cycles/total:gc-cycles", cycles_total, false},
    {"/gc/gogc:percent", gogc, false},
    {"/gc/gomemlimit:bytes", gomemlimit, false},
    {"/gc/heap/allocs:bytes", heap_allocs, false},
    {"/gc/heap/frees:bytes", heap_frees, false},
    {"/gc/heap/goal:bytes", heap_goal, false},
    {"/gc/heap/live:bytes", heap_live, false},
    {"/gc/limiter/last-enabled:gc-cycle", limiter, false},
    {"/gc/scan/globals:bytes", scan_globals, false},
    {"/gc/scan/heap:bytes", scan_heap, false},
    {"/gc/scan/stack:bytes", scan_stack, false},
    {"/gc/scan/total:bytes", scan_total, false},
    {"/memory/classes/heap/free:bytes", memory_free, false},
    {"/memory/classes/heap/objects:bytes", memory_objects, false},
    {"/memory/classes/heap/released:bytes", memory_released, false},
    {"/memory/classes/heap/unused:bytes", memory_unused, false},
    {"/memory/classes/metadata/other:bytes", memory_metadata, false},
    {"/memory/classes/os-stacks:bytes", memory_stacks, false},
    {"/memory/classes/other:bytes", memory_other, false},
    {"/memory/classes/total:bytes", memory_total, false},
};

const char *tri_metric_name(size_t index) {
  return index < TRI_ARRAY_LEN(metrics) ? metrics[index].name : NULL;
}

static void read_value(struct tri_metric *ret, const struct metric *metric, const struct snapshot *s) {
  uint64_t value = metric->read(s);
  ret->kind = metric->is_ns ? TRI_METRIC_DOUBLE : TRI_METRIC_COUNT;
  if (metric->is_ns) {
    ret->value.number = (double)value * 1e-9;
  } else {
    ret->value.count = value;
  }
}

static void read_one(struct tri_metric *sample, const struct snapshot *s) {
  sample->kind = TRI_METRIC_UNKNOWN;
  for (size_t i = 0; sample->name && i < TRI_ARRAY_LEN(metrics); i++) {
    if (strcmp(sample->name, metrics[i].name) != 0) continue;
    read_value(sample, &metrics[i], s);
    return;
  }
}

void tri_stats_read_all(struct tri_mem_stats *mem, struct tri_stats_page_metric page[TRI_STATS_PAGE_METRICS]) {
  static_assert(TRI_ARRAY_LEN(metrics) <= TRI_STATS_PAGE_METRICS, "the page has room for all metrics");
  struct snapshot s = take_inside();
  fill(mem, &s);
  for (size_t i = 0; i < TRI_ARRAY_LEN(metrics); i++) {
    struct tri_metric one;
    read_value(&one, &metrics[i], &s);
    page[i].kind = one.kind;
    memcpy(&page[i].value, &one.value, sizeof page[i].value);
  }
}

size_t tri_read_metrics(struct tri_metric *samples, size_t count) {
  struct snapshot s = take();
  size_t known = 0;
  for (size_t i = 0; i < count; i++) {
    read_one(&samples[i], &s);
    known += samples[i].kind != TRI_METRIC_UNKNOWN;
  }
  return known;
}
