/*
 * A program for trace_lines.py: allocates for so many seconds, and after each collection that it asks for tells what
 * the statistics say, a line of JSON each; the last one after tri_free_os_memory.
 *
 *   trace SECONDS
 */
#include <string.h>
#include <time.h>

#include "support/probe.h"
#include "tricolor/barrier.h"
#include "tricolor/tricolor.h"

enum { LIVE = 16384, ROUND = 60000 };

static void **live;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void allocate(uint64_t *random) {
  for (int i = 0; i < ROUND; i++) {
    size_t size = 16 + probe_random(random) % 4000;
    void *p = tri_alloc(size);
    CHECK(p != NULL, "tri_alloc(%zu)", size);
    memset(p, 1, size);
    tri_write(&live[probe_random(random) % LIVE], p);
  }
}

static unsigned long metric(const char *name) {
  struct tri_metric m = {.name = name};
  CHECK(tri_read_metrics(&m, 1) == 1 && m.kind == TRI_METRIC_COUNT, "%s", name);
  return m.value.count;
}

static void tell(void) {
  static struct tri_mem_stats m;
  static struct tri_gc_stats g;
  m.size = sizeof m;
  g.size = sizeof g;
  CHECK(tri_read_mem_stats(&m) == 0 && tri_read_gc_stats(&g) == 0, "statistics");
  CHECK(g.NumGC == m.NumGC && g.LastGC == m.LastGC && g.PauseTotal == m.PauseTotalNs, "GCStats and MemStats differ");
  CHECK(g.Pause[0] == m.PauseNs[(m.NumGC + 255) % 256] && g.PauseEnd[0] == m.LastGC, "the latest pause");
  CHECK(g.PauseQuantiles[0] <= g.PauseQuantiles[2] && g.PauseQuantiles[2] <= g.PauseQuantiles[4], "quantiles");
  printf(
      "{\"num\": %u, \"forced\": %u, \"next\": %lu, \"pause_ns\": %lu, \"fraction\": %.6f, \"released\": %lu, "
      "\"live\": %lu, \"stack\": %lu, \"globals\": %lu, \"scan\": %lu}\n",
      m.NumGC, m.NumForcedGC, m.NextGC, g.Pause[0], m.GCCPUFraction, m.HeapReleased, metric("/gc/heap/live:bytes"),
      metric("/gc/scan/stack:bytes"), metric("/gc/scan/globals:bytes"), metric("/gc/scan/heap:bytes"));
}

int main(int argc, char **argv) {
  double end = now() + (argc > 1 ? atof(argv[1]) : 1);
  uint64_t random = 1;
  live = tri_alloc(LIVE * sizeof *live);
  CHECK(live != NULL, "tri_alloc");
  do {
    allocate(&random);
    tri_gc();
    tell();
  } while (now() < end);
  memset(live, 0, LIVE * sizeof *live);
  tri_free_os_memory();
  tell();
  return 0;
}
