/*
 * Large blocks: a window of 24 blocks of 64 KiB to 2 MiB, a random one replaced at each step. A quarter of the pages
 * of each block is written, so that what a fresh page costs counts, and reuse of written pages too.
 */
#include "bench.h"

enum { WINDOW = 24, STRIDE = 16384 };

struct block {
  unsigned char *bytes;
  size_t size;
};

static struct block make(uint64_t *random) {
  struct block b = {.size = bench_size(random, 16, 5)};
  b.bytes = bench_need(bench_alloc_data(b.size));
  for (size_t at = 0; at < b.size; at += STRIDE) b.bytes[at] = (unsigned char)(*random + at / STRIDE);
  return b;
}

static uint64_t check(const struct block *b, uint64_t sum) {
  for (size_t at = 0; at < b->size; at += STRIDE) sum = bench_mix(sum, b->bytes[at]);
  return sum;
}

int main(int argc, char **argv) {
  bench_init();
  uint64_t steps = (uint64_t)(60000 * bench_scale(argc, argv)), random = 0x5eed, sum = 0;
  struct block window[WINDOW];
  for (size_t i = 0; i < WINDOW; i++) window[i] = make(&random);
  for (uint64_t step = 0; step < steps; step++) {
    struct block *b = &window[bench_random(&random) % WINDOW];
    sum = check(b, sum);
    bench_free(b->bytes);
    *b = make(&random);
  }
  for (size_t i = 0; i < WINDOW; i++) {
    sum = check(&window[i], sum);
    bench_free(window[i].bytes);
  }
  return bench_result("large", sum);
}
