/* A free() of the program's that looks the next one up when it is first called. */
#include <dlfcn.h>

#include "support/probe.h"

static unsigned long calls;

__attribute__((visibility("default"))) void free(void *p) {
  static void (*next)(void *);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "free");
  calls++;
  next(p);
}

int main(void) {
  for (int i = 0; i < 1000; i++) free(malloc(100));
  CHECK(calls >= 1000, "only %lu calls", calls);
  puts("ok");
  return 0;
}
