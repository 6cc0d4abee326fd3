/* A program that lowers RLIMIT_AS to a few times what it holds, and then leaks: garbage is found all the same. */
#include <sys/resource.h>

#include "support/probe.h"

enum { BLOCK = 1000, MIB = 1 << 20 };

static void **chain(size_t bytes) {
  void **first = NULL;
  for (size_t i = 0; i < bytes / BLOCK; i++) {
    void **p = malloc(BLOCK);
    CHECK(p != NULL, "no memory after %zu MiB", i * BLOCK / MIB);
    memset(p, 1, BLOCK);
    *p = first;
    first = p;
  }
  return first;
}

int main(int argc, char **argv) {
  struct rlimit limit = {0};
  CHECK(argc == 2, "usage: little_space MIB");
  limit.rlim_cur = limit.rlim_max = (rlim_t)atoi(argv[1]) * MIB;
  CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
  void **volatile live = chain(40 * MIB);
  for (int i = 0; i < 800 * (MIB / BLOCK); i++) CHECK(malloc(BLOCK) != NULL, "no memory after %d blocks", i);
  CHECK(live != NULL, "nothing lives");
  puts("ok");
  return 0;
}
