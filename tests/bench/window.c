/*
 * Random sizes with a sliding window: each thread keeps the last blocks it allocated (16 to 1023 bytes) and replaces
 * a random one at each step, so a block's life has nothing to do with its place. The second argument is the number of
 * threads; they share nothing.
 */
#include <pthread.h>

#include "pieces.h"

enum { WINDOW = 50000, MAX_THREADS = 64 };

struct job {
  uint64_t steps, seed, sum;
};

static void *run(void *arg) {
  struct job *job = arg;
  uint64_t random = job->seed, sum = 0;
  struct block **window = bench_need(bench_alloc(WINDOW * sizeof *window));
  for (size_t i = 0; i < WINDOW; i++) window[i] = new_block(&random);
  for (uint64_t step = 0; step < job->steps; step++) {
    size_t i = (size_t)(bench_random(&random) % WINDOW);
    sum = bench_mix(sum, window[i]->tag);
    bench_free(window[i]);
    window[i] = new_block(&random);
  }
  for (size_t i = 0; i < WINDOW; i++) bench_free(window[i]);
  bench_free(window);
  job->sum = sum;
  return NULL;
}

int main(int argc, char **argv) {
  bench_init();
  uint64_t steps = (uint64_t)(8e6 * bench_scale(argc, argv)), sum = 0;
  size_t threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
  if (threads < 1 || threads > MAX_THREADS) return 2;
  struct job jobs[MAX_THREADS];
  pthread_t ids[MAX_THREADS];
  for (size_t i = 0; i < threads; i++) jobs[i] = (struct job){steps, 0x5eed + i, 0};
  for (size_t i = 1; i < threads; i++) {
    if (pthread_create(&ids[i], NULL, run, &jobs[i]) != 0) return 1;
  }
  run(&jobs[0]);
  for (size_t i = 1; i < threads; i++) pthread_join(ids[i], NULL);
  for (size_t i = 0; i < threads; i++) sum = bench_mix(sum, jobs[i].sum);
  return bench_result("window", sum);
}
