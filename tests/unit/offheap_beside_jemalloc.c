/* A program with its own jemalloc (static or shared) and our off-heap memory: two allocators that do not know each
 * other. Exits with 0 when both work and neither's memory is the other's; else with a line and 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/offheap.h"
#include "alloc/ownmap.h"
#include "tricolor/tricolor.h"

/* In jemalloc only: proves that it is linked. */
int mallctl(const char *name, void *old, size_t *old_size, void *new_value, size_t new_size);
void *mallocx(size_t size, int flags);

static bool in_ownmap(const void *p) {
  uintptr_t lo, hi;
  return tri_ownmap_next((uintptr_t)p, &lo, &hi) && lo <= (uintptr_t)p;
}

static int fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  return 1;
}

int main(void) {
  unsigned narenas = 0;
  size_t len = sizeof narenas;
  if (mallctl("opt.narenas", &narenas, &len, NULL, 0) != 0) return fail("the program's jemalloc has no opt.narenas");
  if (narenas == 1) return fail("the program's jemalloc runs with our settings");
  for (size_t size = 1; size < 10000000; size = size * 2 + 1) {
    char *theirs = malloc(size), *too = mallocx(size, 0), *ours = tri_offheap_raw_alloc(size);
    if (theirs == NULL || too == NULL || ours == NULL) return fail("no memory");
    memset(theirs, 1, size);
    memset(too, 2, size);
    memset(ours, 3, size);
    if (in_ownmap(theirs) || in_ownmap(too)) return fail("the program's memory is in our table");
    if (!in_ownmap(ours)) return fail("our memory is not in our table");
    free(theirs);
    free(too);
    tri_offheap_raw_free(ours);
  }
  return tri_offheap_bytes() == 0 ? 0 : fail("bytes are left");
}
