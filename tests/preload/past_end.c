/*
 * Objects of which the program holds nothing but a pointer one past their end: behind a header whose payload is empty,
 * as C++ makes them for new T[0]. All sizes that exactly fill a slot or pages, made in each way; the headers must be
 * there at the end. Another block lies between each two, so that the end of one is not the beginning of the next.
 * And objects of tri_alloc, which have no byte to spare: realloc moves them whole.
 */
#include <malloc.h>

#include "support/probe.h"

enum { EACH = 200, SIZES = 10 };
static const size_t sizes[SIZES] = {8, 16, 32, 48, 64, 128, 1024, 4096, 32768, 65536};
static unsigned char *ends[SIZES][EACH];

static void *moved(size_t n) {
  return realloc(malloc(1), n);
}
static void *grown_where_it_is(size_t n) {
  return realloc(malloc(n - 1), n);
}
static void *grown_by_pages(size_t n) {
  return realloc(malloc(n - n / 4), n);
}
static void *cleared(size_t n) {
  return calloc(1, n);
}
static void *aligned(size_t n) {
  return memalign(64, n);
}
enum { WAYS = 6 };
static void *(*const ways[WAYS])(size_t) = {malloc, moved, grown_where_it_is, grown_by_pages, cleared, aligned};

NOINLINE static void make(size_t k, int i) {
  unsigned char *p = (unsigned char *)ways[i % WAYS](sizes[k]);
  pattern_fill(p, sizes[k], (unsigned)i);
  ends[k][i] = p + sizes[k];
  memset(malloc(sizes[k]), 0x41, sizes[k]);
}

static void check(size_t k, int i) {
  const unsigned char *p = ends[k][i] - sizes[k];
  CHECK(pattern_holds(p, sizes[k], (unsigned)i), "object %d of %zu bytes, made in way %d, is gone", i, sizes[k],
        i % WAYS);
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
