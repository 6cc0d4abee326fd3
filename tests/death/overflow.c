/*
 * Sizes that no memory can hold, asked for twice by the function that the argument names: NULL and ENOMEM both times,
 * and the program goes on. Alignments that posix_memalign must refuse: EINVAL, nothing stored.
 */
#include <errno.h>

#include "support/probe.h"

static volatile size_t huge = SIZE_MAX - 64, half = (size_t)1 << 33; /* volatile: compilers judge constants */

static void *ask(const char *function, void *block) {
  if (strcmp(function, "malloc") == 0) return malloc(huge);
  if (strcmp(function, "calloc") == 0) return calloc(half, half);
  if (strcmp(function, "reallocarray") == 0) return reallocarray(block, half, half);
  if (strcmp(function, "realloc") == 0) return realloc(block, huge);
  return aligned_alloc(4096, huge);
}

static void bad_alignment(void) {
  void *p = &p;
  for (size_t align = 1; align < 64; align += 2)
    CHECK(posix_memalign(&p, align, 10) == EINVAL && p == &p, "alignment %zu was taken", align);
}

int main(int argc, char **argv) {
  void *volatile block = malloc(100);
  CHECK(argc > 1, "usage: overflow FUNCTION");
  if (strcmp(argv[1], "posix_memalign") == 0) bad_alignment();
  for (int i = 0; i < 2 && strcmp(argv[1], "posix_memalign") != 0; i++) {
    pattern_fill(block, 100, 3);
    errno = 0;
    void *volatile p = ask(argv[1], block);
    CHECK(p == NULL && errno == ENOMEM, "%s gave %p, errno %d", argv[1], p, errno);
    CHECK(pattern_holds(block, 100, 3), "%s touched its block", argv[1]);
  }
  free(block);
  puts("ok");
  return 0;
}
