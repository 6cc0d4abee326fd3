/*
 * Blocks are freed but for one in KEPT, at random: what is free between those that stay goes back to the system, as far
 * as slots that share pages allow. How many slots share a span is what this is about (tools/gen_sizeclasses.py).
 */
#include <malloc.h>

#include "support/proc.h"

enum { BYTES = 128 << 20 };

static size_t resident_mib(void) {
  return proc_kib("/proc/self/status", "VmRSS") >> 10;
}

/* Percent of what was resident that still is. */
static size_t stays(size_t size, unsigned kept) {
  size_t n = BYTES / size;
  char **block = malloc(n * sizeof *block);
  CHECK(block, "malloc");
  for (size_t i = 0; i < n; i++) {
    CHECK((block[i] = malloc(size)) != NULL, "malloc");
    memset(block[i], 1, size);
  }
  size_t before = resident_mib();
  for (size_t i = 0; i < n; i++) {
    if (rand() % (int)kept == 0) continue;
    free(block[i]);
    block[i] = NULL;
  }
  malloc_trim(0);
  size_t percent = resident_mib() * 100 / before;
  for (size_t i = 0; i < n; i++) free(block[i]);
  free(block);
  malloc_trim(0);
  return percent;
}

int main(void) {
  static const struct {
    size_t size;
    unsigned kept, percent;
  } want[] = {{8000, 4, 40}, {4000, 4, 60}, {2000, 8, 60}, {1000, 16, 80}};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    size_t percent = stays(want[i].size, want[i].kept);
    if (percent > want[i].percent)
      fprintf(stderr, "%zu bytes, one in %u kept: %zu%% stay resident\n", want[i].size, want[i].kept, percent);
    CHECK(percent <= want[i].percent, "memory between blocks does not go back");
  }
  puts("ok");
  return 0;
}
