/*
 * Objects of which the program holds nothing but a pointer one past their end: behind a header whose payload is empty,
 * as C++ makes them for new T[0]. All sizes that exactly fill a slot or pages; the headers must be there at the end.
 * And objects of tri_alloc, which have no byte to spare: realloc moves them whole.
 */
#include "support/probe.h"

enum { EACH = 200, SIZES = 10 };
static const size_t sizes[SIZES] = {8, 16, 32, 48, 64, 128, 1024, 4096, 32768, 65536};
static unsigned char *ends[SIZES][EACH];

NOINLINE static void make(size_t k, int i) {
  unsigned char *p = k % 2 ? malloc(sizes[k]) : realloc(malloc(1), sizes[k]);
  pattern_fill(p, sizes[k], (unsigned)i);
  ends[k][i] = p + sizes[k];
}

static void check(size_t k, int i) {
  const unsigned char *p = ends[k][i] - sizes[k];
  CHECK(pattern_holds(p, sizes[k], (unsigned)i), "object %d of %zu bytes is gone", i, sizes[k]);
}

NOINLINE static void leak(void) {
  for (int i = 0; i < 20000; i++) memset(malloc(1 + (size_t)i % 600), 0x41, 1);
}

static void move_whole(void) {
  void *(*alloc)(size_t);
  if (!probe_symbol("tri_alloc", &alloc)) return;
  for (size_t k = 0; k < SIZES; k++) {
    unsigned char *p = alloc(sizes[k]);
    pattern_fill(p, sizes[k], 7);
    p = realloc(p, 2 * sizes[k] + 1);
    CHECK(pattern_holds(p, sizes[k], 7), "realloc has lost some of an object of %zu bytes", sizes[k]);
  }
}

int main(void) {
  move_whole();
  for (size_t k = 0; k < SIZES; k++)
    for (int i = 0; i < EACH; i++) make(k, i);
  wipe();
  for (int i = 0; i < 20; i++) leak();
  for (size_t k = 0; k < SIZES; k++)
    for (int i = 0; i < EACH; i++) check(k, i);
  puts("ok");
  return 0;
}
