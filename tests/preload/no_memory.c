/*
 * No more memory: malloc gives NULL and ENOMEM, the program goes on, and what it has is untouched. The limit is set
 * before exec (argument "inherited") or in main (argument "own"), for the address space; live data is what fills it.
 */
#include <errno.h>
#include <sys/resource.h>

#include "support/probe.h"

#define BLOCK (64 * 1024)
#define MOST 40000

static unsigned char *block[MOST];

static int fill(void) {
  int n = 0;
  for (; n < MOST; n++) {
    errno = 0;
    block[n] = malloc(BLOCK);
    if (block[n] == NULL) {
      CHECK(errno == ENOMEM, "errno is %d", errno);
      break;
    }
    pattern_fill(block[n], 256, (unsigned)n);
  }
  return n;
}

int main(int argc, char **argv) {
  struct rlimit limit = {600u << 20, 600u << 20};
  if (argc > 1 && strcmp(argv[1], "own") == 0) CHECK(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
  churn(1 << 20);
  int first = fill();
  CHECK(first > 200 && first < MOST, "%d blocks before NULL", first);
  CHECK(calloc(1, 1 << 30) == NULL && errno == ENOMEM, "calloc of 1 GiB");
  void *volatile same = block[0];
  CHECK(realloc(same, 1 << 30) == NULL && errno == ENOMEM, "realloc to 1 GiB");
  for (int n = 0; n < first; n++) {
    CHECK(pattern_holds(block[n], 256, (unsigned)n), "block %d was overwritten", n);
    free(block[n]);
    block[n] = NULL;
  }
  collect();
  int second = fill();
  CHECK(second >= first / 2, "%d blocks, after %d were had and freed", second, first);
  for (int n = 0; n < second; n++) free(block[n]);
  printf("%d and %d blocks\nok\n", first, second);
  return 0;
}
