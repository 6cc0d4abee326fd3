/*
 * Large objects of which the program touches few pages: pointers in those pages keep what they point to, and a
 * collection makes none of the others present. The same block is then filled, so that it has no untouched page left,
 * and grown, so that it has again.
 */
#include <sys/mman.h>

#include "support/keep.h"

#define HUGE ((size_t)64 << 20)

static size_t resident_pages(char *p, size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
  unsigned char *in = malloc(bytes / page);
  CHECK(in != NULL, "malloc");
  CHECK(mincore(p, bytes, in) == 0, "mincore");
  for (size_t i = 0; i < bytes / page; i++) n += in[i] & 1;
  free(in);
  return n;
}

static void untouched_stay_away(void) {
  char *p = malloc(HUGE);
  CHECK(p != NULL, "malloc");
  char *whole = (char *)(((uintptr_t)p + 65535) & ~(uintptr_t)65535);
  madvise(whole, HUGE - 65536, MADV_NOHUGEPAGE);
  keep_in_block(p, HUGE, "few pages of 64 MiB");
  size_t n = resident_pages(whole, HUGE - 65536);
  CHECK(!probe_live() || n <= 2 * KEEP, "%zu pages present, %d touched", n, KEEP);
  free(p);
}

static void filled_and_grown(size_t bytes) {
  char *p = malloc(bytes);
  CHECK(p != NULL, "malloc");
  keep_in_block(p, bytes, "sparse");
  memset(p, 0, bytes);
  keep_in_block(p, bytes, "filled");
  collect();
  keep_in_block(p, bytes, "filled, asked before");
  p = realloc(p, 3 * bytes);
  CHECK(p != NULL, "realloc");
  keep_in_block(p, 3 * bytes, "grown");
  free(p);
}

int main(void) {
  untouched_stay_away();
  filled_and_grown((size_t)64 << 10);
  filled_and_grown((size_t)100 << 10);
  filled_and_grown((size_t)192 << 10);
  filled_and_grown((size_t)1000 << 10);
  puts("ok");
  return 0;
}
