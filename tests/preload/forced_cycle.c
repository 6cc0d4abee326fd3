/* A collection comes after so long without one (TRICOLOR=period=1), if there ever was one, and is no forced one. */
#include "support/probe.h"

int main(void) {
  if (!probe_live()) return 77;
  usleep(1500000);
  CHECK(probe_cycles() == 0, "%lu collections before the first was due", probe_cycles());
  churn(1 << 20);
  for (int i = 0; i < 20000; i++) {
    char *volatile p = malloc(1000);
    CHECK(p, "malloc");
  }
  for (int i = 0; i < 50 && probe_cycles() == 0; i++) usleep(10000);
  unsigned long first = probe_cycles();
  CHECK(first > 0, "no collection at all");
  usleep(3500000);
  CHECK(probe_cycles() >= first + 2 && probe_cycles() <= first + 4, "%lu, then %lu", first, probe_cycles());
  puts("ok");
  return 0;
}
