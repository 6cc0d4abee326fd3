/*
 * A position-dependent program that takes malloc's address: the loader then resolves the name to the program's
 * procedure linkage table for everybody, which must not be taken for a malloc of the program's own.
 */
#include "support/probe.h"

static void *(*volatile allocate)(size_t) = malloc;
static void (*volatile release)(void *) = free;

int main(void) {
  void *p = allocate(100);
  CHECK(!probe_live() || probe_base(p) == p, "malloc(100) = %p is not from our heap", p);
  release(p);
  puts("ok");
  return 0;
}
