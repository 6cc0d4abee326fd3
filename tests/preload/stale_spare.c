/*
 * What lies behind the bytes that were asked for is read by the collector, and must not keep what it held before:
 * blocks full of pointers are freed, and smaller ones that the program fills take their place. Nothing else leads to
 * the objects that were pointed to.
 */
#include "support/probe.h"

enum { BLOCKS = 20, MOST = 40000, FEW = 200 };
static uintptr_t hidden[MOST];
static size_t nhidden;
static unsigned char *blocks[BLOCKS];

static void *by_malloc(size_t n) {
  return malloc(n);
}
static void *by_calloc(size_t n) {
  return calloc(n, 1);
}
static void *by_realloc(size_t n) {
  return realloc(malloc(n / 2), n);
}
enum { WAYS = 3 };
static void *(*const ways[WAYS])(size_t) = {by_malloc, by_calloc, by_realloc};

NOINLINE static void leave_pointers(size_t size, size_t asked) {
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = calloc(1, size);
    for (size_t at = asked; at + sizeof(void *) <= size && nhidden < MOST; at += sizeof(void *)) {
      void *object = calloc(1, 200); /* nothing stale in it leads to others */
      hidden[nhidden++] = HIDE(object);
      memcpy(blocks[i] + at, &object, sizeof object);
    }
  }
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
}

NOINLINE static void take_their_place(void *(*way)(size_t), size_t asked) {
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = way(asked);
    memset(blocks[i], 0x41, asked);
  }
}

static size_t kept(void) {
  size_t n = 0;
  for (size_t i = 0; i < nhidden; i++) n += hidden_is_object(hidden[i]);
  return n;
}

static void run(int way, size_t size, size_t asked) {
  nhidden = 0;
  leave_pointers(size, asked);
  take_their_place(ways[way], asked);
  collect();
  size_t n = kept();
  CHECK(n < FEW && n < nhidden / 5, "way %d: %zu of %zu objects are kept by what lies behind %zu bytes", way, n,
        nhidden, asked);
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
}

int main(void) {
  static const size_t sizes[][2] = {{73000, 65536}, {9400, 8192}, {32700, 28700}, {4800, 4096}, {1150, 1024}};
  for (int way = 0; way < WAYS; way++)
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) run(way, sizes[i][0], sizes[i][1]);
  puts("ok");
  return 0;
}
