/*
 * Growth by realloc: many arrays that grow side by side by half their size, as a program's vectors do, and now and
 * then one buffer that grows in steps of a page to a few MiB, as when reading a file of unknown length.
 */
#include "bench.h"

enum { ARRAYS = 64, FULL = 1 << 14, STEP = 4096, BUFFER = 4 << 20 };

struct array {
  uint64_t *items;
  size_t used, space;
};

static void push(struct array *a, uint64_t value) {
  if (a->used == a->space) {
    a->space = a->space + a->space / 2 + 2;
    a->items = bench_need(realloc(a->items, a->space * sizeof *a->items));
  }
  a->items[a->used++] = value;
}

static uint64_t empty(struct array *a) {
  uint64_t sum = 0;
  for (size_t i = 0; i < a->used; i += 7) sum = bench_mix(sum, a->items[i]);
  free(a->items);
  *a = (struct array){0};
  return sum;
}

static uint64_t grow_arrays(uint64_t pushes, uint64_t *random) {
  static struct array arrays[ARRAYS];
  uint64_t sum = 0;
  for (uint64_t n = 0; n < pushes; n++) {
    uint64_t r = bench_random(random);
    struct array *a = &arrays[r % ARRAYS];
    for (unsigned i = 0; i < 8; i++) push(a, r + i);
    if (a->used > (r >> 40) % FULL) sum = bench_mix(sum, empty(a));
  }
  for (size_t i = 0; i < ARRAYS; i++) sum = bench_mix(sum, empty(&arrays[i]));
  return sum;
}

static uint64_t grow_buffer(uint64_t seed) {
  unsigned char *buffer = NULL;
  uint64_t sum = 0;
  for (size_t size = STEP; size <= BUFFER; size += STEP) {
    buffer = bench_need(realloc(buffer, size));
    buffer[size - 1] = (unsigned char)(seed + size / STEP);
  }
  for (size_t at = STEP - 1; at < BUFFER; at += STEP) sum = bench_mix(sum, buffer[at]);
  free(buffer);
  return sum;
}

int main(int argc, char **argv) {
  uint64_t rounds = (uint64_t)(100 * bench_scale(argc, argv)), random = 0x5eed, sum = 0;
  for (uint64_t n = 0; n < rounds; n++) {
    sum = bench_mix(sum, grow_arrays(100000, &random));
    if (n % 4 == 0) sum = bench_mix(sum, grow_buffer(n));
  }
  return bench_result("realloc", sum);
}
