/*
 * What a collector is compared by (tools/bench collect): work in which nothing has to be freed.
 *
 *   collect trees DEPTH      the binary trees of the language shootouts: a stretch tree, one that stays, and for each
 *                            second depth as many short-lived trees as make the same number of nodes; one thread
 *   collect window STEPS     two threads, each with the last 100,000 blocks of 16 to 1023 bytes, a random one replaced
 *   collect large STEPS      100 blocks of 64 KiB to 1 MiB without pointers, filled, a random one replaced
 *
 * The malloc form frees what it drops, the collected forms forget it. collect.go is the same in Go.
 */
#include <pthread.h>

#include "pieces.h"

enum { MIN_DEPTH = 4, THREADS = 2, WINDOW = 100000, BLOCKS = 100 };

static uint64_t count_and_drop(unsigned depth) {
  struct node *tree = build_tree(depth);
  uint64_t n = count_nodes(tree);
  if (bench_frees) free_tree(tree);
  return n;
}

static uint64_t trees(uint64_t max) {
  uint64_t sum = count_and_drop((unsigned)max + 1);
  struct node *stays = build_tree((unsigned)max);
  for (unsigned depth = MIN_DEPTH; depth <= max; depth += 2)
    for (uint64_t i = 0; i < UINT64_C(1) << (max - depth + MIN_DEPTH); i++) sum = bench_mix(sum, count_and_drop(depth));
  return bench_mix(sum, count_nodes(stays));
}

struct job {
  uint64_t steps, seed, sum;
};

static void *run(void *arg) {
  struct job *job = arg;
  uint64_t random = job->seed, sum = 0;
  struct block **window = bench_need(bench_alloc(WINDOW * sizeof *window));
  for (size_t i = 0; i < WINDOW; i++) bench_store(&window[i], new_block(&random));
  for (uint64_t step = 0; step < job->steps; step++) {
    size_t i = (size_t)(bench_random(&random) % WINDOW);
    sum = bench_mix(sum, window[i]->tag);
    bench_free(window[i]);
    bench_store(&window[i], new_block(&random));
  }
  job->sum = sum;
  return NULL;
}

static uint64_t window(uint64_t steps) {
  struct job jobs[THREADS];
  pthread_t other;
  for (size_t i = 0; i < THREADS; i++) jobs[i] = (struct job){steps, 0x5eed + i, 0};
  if (pthread_create(&other, NULL, run, &jobs[1]) != 0) abort();
  run(&jobs[0]);
  pthread_join(other, NULL);
  return bench_mix(jobs[0].sum, jobs[1].sum);
}

static uint64_t large(uint64_t steps) {
  struct {
    unsigned char *bytes;
    size_t size;
  } *block = bench_need(bench_alloc(BLOCKS * sizeof *block));
  uint64_t random = 0x5eed, sum = 0;
  memset(block, 0, BLOCKS * sizeof *block);
  for (uint64_t step = 0; step < steps; step++) {
    size_t i = step < BLOCKS ? (size_t)step : (size_t)(bench_random(&random) % BLOCKS);
    if (block[i].bytes) {
      sum = bench_mix(sum, block[i].bytes[block[i].size / 2]);
      bench_free(block[i].bytes);
    }
    block[i].size = bench_size(&random, 16, 4);
    unsigned char *bytes = bench_need(bench_alloc_data(block[i].size));
    memset(bytes, (int)(step & 0xff), block[i].size);
    bench_store(&block[i].bytes, bytes);
  }
  return sum;
}

int main(int argc, char **argv) {
  uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
  const char *load = argc > 1 ? argv[1] : "";
  bench_init();
  if (strcmp(load, "trees") == 0) return bench_result("trees", trees(n));
  if (strcmp(load, "window") == 0) return bench_result("window", window(n));
  if (strcmp(load, "large") == 0) return bench_result("large", large(n));
  fputs("collect trees DEPTH, window STEPS or large STEPS\n", stderr);
  return 2;
}
