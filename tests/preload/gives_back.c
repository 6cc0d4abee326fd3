/*
 * 1 GiB (or MIB) of live data is dropped by free(), and nothing more is asked for: within ten seconds the process must
 * be down to what the goal of an empty heap allows (4 MiB, a tenth, and 16 MiB for all else) and the runtime's tables,
 * which stay; without a collection. `lazy`: with madvdontneed=0, where the same pages stay
 * resident but can be taken at once (LazyFree). The scavenger's CPU time must be small.
 */
#include <time.h>

#include "support/list.h"
#include "support/proc.h"

enum { WAIT_STEPS = 20, WAIT_US = 500 * 1000, ALLOWED_MIB = 21 };

static size_t resident_mib(bool lazy) {
  size_t kib = proc_kib("/proc/self/status", "VmRSS");
  return (lazy ? kib - proc_kib("/proc/self/smaps_rollup", "LazyFree") : kib) >> 10;
}

static double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t allowed_mib(void) {
  struct tri_stats s;
  memset(&s, 0, sizeof s);
  s.size = sizeof s;
  if (probe.read_stats) probe.read_stats(&s);
  return ALLOWED_MIB + (s.meta_sys >> 20);
}

int main(int argc, char **argv) {
  size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 1024;
  bool lazy = argc > 2 && strcmp(argv[2], "lazy") == 0;
  struct node *list = list_of_mib(mib);
  size_t full = resident_mib(lazy);
  list_free(list);
  unsigned long cycles = probe_cycles();
  double before = cpu();
  int i = 0;
  while (i < WAIT_STEPS && resident_mib(lazy) > allowed_mib()) {
    usleep(WAIT_US);
    i++;
  }
  fprintf(stderr, "%zu MiB, then %zu MiB after %.1f s, %.3f s of CPU\n", full, resident_mib(lazy), i * 0.5,
          cpu() - before);
  if (!probe_live()) return 0;
  CHECK(full >= mib, "%zu MiB resident", full);
  CHECK(resident_mib(lazy) <= allowed_mib(), "%zu MiB resident", resident_mib(lazy));
  CHECK(probe_cycles() <= cycles + 1, "%lu collections", probe_cycles() - cycles); /* one may have been on its way */
  puts("ok");
  return 0;
}
