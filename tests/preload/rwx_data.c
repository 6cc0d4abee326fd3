/* Data of the program on pages that it has made executable as well: they are roots all the same. */
#include <sys/mman.h>

#include "support/probe.h"

enum { PAGE = 4096, N = 8, SIZE = 100 };
static void *in_data[PAGE / sizeof(void *)] __attribute__((aligned(4096))) = {&in_data};
static void *in_bss[PAGE / sizeof(void *)] __attribute__((aligned(4096)));

NOINLINE static void *make(unsigned seed) {
  void *p = malloc(SIZE);
  pattern_fill(p, SIZE, seed);
  return p;
}

int main(void) {
  CHECK(mprotect(in_data, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0, "mprotect");
  CHECK(mprotect(in_bss, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0, "mprotect");
  for (unsigned i = 0; i < N; i++) in_data[i] = make(i), in_bss[i] = make(N + i);
  wipe();
  for (int i = 0; i < 200000; i++) memset(malloc(SIZE), 0x41, SIZE);
  for (unsigned i = 0; i < N; i++)
    CHECK(pattern_holds(in_data[i], SIZE, i) && pattern_holds(in_bss[i], SIZE, N + i), "object %u is gone", i);
  puts("ok");
  return 0;
}
