/*
 * Settings that are changed while the program runs, and statistics: each setter returns the value before and acts at
 * once; the figures agree with each other, and the memory classes add up to the total.
 */
#include <errno.h>
#include <limits.h>

#include "support/probe.h"

enum { MAX_METRICS = 64, MIB = 1 << 20 };

static struct {
  int (*set_gc_percent)(int);
  long long (*set_memory_limit)(long long);
  size_t (*set_ballast)(size_t);
  size_t (*free_os_memory)(void);
  int (*read_mem_stats)(struct tri_mem_stats *);
  size_t (*read_metrics)(struct tri_metric *, size_t);
  const char *(*metric_name)(size_t);
} f;

static struct tri_mem_stats stats(void) {
  struct tri_mem_stats m;
  m.size = sizeof m;
  CHECK(f.read_mem_stats(&m) == 0, "read_mem_stats");
  return m;
}

static void wait_for_cycle(unsigned after) {
  for (int i = 0; i < 500 && stats().NumGC <= after; i++) usleep(10000);
  CHECK(stats().NumGC > after, "no collection after number %u", after);
}

static void make_garbage(size_t bytes) {
  for (size_t done = 0; done < bytes; done += 1024) {
    char *volatile p = malloc(1024);
    CHECK(p, "malloc");
    p[0] = 1;
  }
}

static void percent(void) {
  CHECK(f.set_gc_percent(-7) == 100, "GOGC was not 100");
  unsigned before = stats().NumGC;
  make_garbage(64 * MIB);
  CHECK(stats().NumGC == before, "a collection with GOGC off");
  CHECK(stats().NextGC == ULONG_MAX, "a goal with GOGC off: %lu", stats().NextGC);
  CHECK(f.set_gc_percent(50) == -1, "off is told as -1");
  wait_for_cycle(before); /* nothing is allocated any more: the setter asks for it */
  CHECK(f.set_gc_percent(100) == 50, "50 was not kept");
}

static void limit(void) {
  CHECK(f.set_memory_limit(-1) == LLONG_MAX, "a limit that nobody set");
  f.set_gc_percent(-1);
  make_garbage(64 * MIB);
  unsigned before = stats().NumGC;
  CHECK(f.set_memory_limit(32 * MIB) == LLONG_MAX, "a limit that nobody set");
  wait_for_cycle(before);
  CHECK(f.set_memory_limit(-1) == 32 * MIB, "the limit is not told");
  CHECK(f.set_memory_limit(LLONG_MAX) == 32 * MIB, "the limit is not told");
  f.set_gc_percent(100);
}

static void ballast(void) {
  size_t before = stats().HeapAlloc, sys = stats().Sys;
  CHECK(f.set_ballast((size_t)256 * MIB) == 0, "a ballast that nobody set");
  CHECK(stats().HeapAlloc >= before + 255 * (size_t)MIB, "%lu bytes", stats().HeapAlloc);
  CHECK(stats().NextGC >= 512 * (size_t)MIB, "goal %lu", stats().NextGC);
  CHECK(stats().Sys < sys + MIB, "a ballast takes memory: %lu after %zu", stats().Sys, sys);
  errno = 0;
  CHECK(f.set_ballast(SIZE_MAX / 2) == (size_t)-1 && errno == ENOMEM, "errno %d", errno);
  CHECK(f.set_ballast(0) == (size_t)256 * MIB, "the ballast is not told");
  CHECK(stats().HeapAlloc < before + 8 * MIB, "%lu bytes", stats().HeapAlloc);
}

static struct tri_metric metric(const struct tri_metric *all, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(all[i].name, name) == 0) return all[i];
  CHECK(false, "no metric %s", name);
  return all[0];
}

static void metrics(void) {
  struct tri_metric all[MAX_METRICS], other = {.name = "/no/such:thing"};
  size_t n = 0;
  while (n < MAX_METRICS && f.metric_name(n)) {
    all[n].name = f.metric_name(n);
    n++;
  }
  CHECK(f.read_metrics(&other, 1) == 0 && other.kind == TRI_METRIC_UNKNOWN, "an unknown metric");
  for (int round = 0; round < 200; round++) {
    unsigned long sum = 0, total = 0;
    make_garbage(MIB);
    CHECK(f.read_metrics(all, n) == n, "a name that is not known");
    for (size_t i = 0; i < n; i++) {
      bool is_total = strcmp(all[i].name, "/memory/classes/total:bytes") == 0;
      if (is_total) total = all[i].value.count;
      if (!is_total && strncmp(all[i].name, "/memory/classes/", 16) == 0) sum += all[i].value.count;
    }
    CHECK(total && sum == total, "the classes are %lu, the total %lu", sum, total);
  }
  unsigned long cycles = metric(all, n, "/gc/cycles/total:gc-cycles").value.count;
  CHECK(cycles > 0 && cycles <= stats().NumGC, "%lu cycles", cycles);
  CHECK(metric(all, n, "/gc/gogc:percent").value.count == 100, "gogc");
  CHECK(metric(all, n, "/cpu/classes/gc/total:cpu-seconds").kind == TRI_METRIC_DOUBLE, "cpu");
  CHECK(metric(all, n, "/cpu/classes/gc/total:cpu-seconds").value.number > 0, "cpu");
}

static void mem_stats(void) {
  probe.gc();
  struct tri_mem_stats m = stats();
  CHECK(m.Sys == m.HeapSys + m.StackSys + m.GCSys + m.OtherSys, "Sys %lu", m.Sys);
  CHECK(m.HeapSys == m.HeapInuse + m.HeapIdle && m.HeapReleased <= m.HeapIdle, "HeapSys %lu", m.HeapSys);
  CHECK(m.NumForcedGC >= 1 && m.NumGC >= m.NumForcedGC, "%u of %u", m.NumForcedGC, m.NumGC);
  unsigned last = (m.NumGC + 255) % 256;
  unsigned long sum = 0;
  for (unsigned i = 0; i < m.NumGC && i < 256; i++) sum += m.PauseNs[i];
  CHECK(m.PauseNs[last] > 0 && m.LastGC == m.PauseEnd[last], "the last pause");
  CHECK(m.NumGC > 256 || sum == m.PauseTotalNs, "pauses %lu, total %lu", sum, m.PauseTotalNs);
  CHECK(m.GCCPUFraction > 0 && m.GCCPUFraction < 1 && m.EnableGC, "fraction");
  m.size = sizeof m + 1;
  CHECK(f.read_mem_stats(&m) == -1 && errno == EINVAL, "a struct of the future");
}

static void give_back(void) {
  char *p = malloc(64 * MIB);
  CHECK(p, "malloc");
  memset(p, 1, 64 * MIB);
  free(p);
  size_t idle = stats().HeapIdle - stats().HeapReleased;
  size_t released = f.free_os_memory();
  struct tri_mem_stats m = stats();
  CHECK(m.HeapIdle - m.HeapReleased < MIB, "%lu bytes kept", m.HeapIdle - m.HeapReleased);
  CHECK(released > 0 && idle > 0, "%zu bytes released of %zu", released, idle);
}

int main(void) {
  if (!probe_live()) return 77;
  CHECK(probe_symbol("tri_set_gc_percent", &f.set_gc_percent) &&
            probe_symbol("tri_set_memory_limit", &f.set_memory_limit) &&
            probe_symbol("tri_set_ballast", &f.set_ballast) && probe_symbol("tri_free_os_memory", &f.free_os_memory) &&
            probe_symbol("tri_read_mem_stats", &f.read_mem_stats) &&
            probe_symbol("tri_read_metrics", &f.read_metrics) && probe_symbol("tri_metric_name", &f.metric_name),
        "functions");
  percent();
  limit();
  ballast();
  metrics();
  mem_stats();
  give_back();
  puts("ok");
  return 0;
}
