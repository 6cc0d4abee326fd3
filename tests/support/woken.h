/* How often a thread has gone to sleep, and so, less one, was woken. */
#ifndef TESTS_SUPPORT_WOKEN_H
#define TESTS_SUPPORT_WOKEN_H

#include "support/probe.h"

static inline long times_woken(int tid) {
  char name[64], line[200];
  long n = -1;
  snprintf(name, sizeof name, "/proc/self/task/%d/status", tid);
  FILE *f = fopen(name, "r");
  CHECK(f, "%s", name);
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1) break;
  fclose(f);
  return n;
}

#endif
