/*
 * Many short threads: each allocates a few hundred blocks, frees most of them and hands the rest to its creator, which
 * frees them after the join. What a thread costs at its start and its end counts here.
 */
#include "bench.h"

#include <pthread.h>

enum { TOGETHER = 4, BLOCKS = 400, KEPT = 16 };

struct job {
  uint64_t seed, sum;
  uint64_t *kept[KEPT];
};

static void *run(void *arg) {
  struct job *job = arg;
  uint64_t random = job->seed, sum = 0;
  for (size_t i = 0; i < BLOCKS; i++) {
    size_t at = i % KEPT;
    if (job->kept[at] != NULL) {
      sum = bench_mix(sum, *job->kept[at]);
      bench_free(job->kept[at]);
    }
    job->kept[at] = bench_need(bench_alloc(bench_size(&random, 4, 7)));
    *job->kept[at] = random;
  }
  job->sum = sum;
  return NULL;
}

static uint64_t finish(struct job *job, uint64_t sum) {
  sum = bench_mix(sum, job->sum);
  for (size_t i = 0; i < KEPT; i++) {
    sum = bench_mix(sum, *job->kept[i]);
    bench_free(job->kept[i]);
  }
  return sum;
}

int main(int argc, char **argv) {
  bench_init();
  uint64_t rounds = (uint64_t)(5000 * bench_scale(argc, argv)), sum = 0;
  for (uint64_t n = 0; n < rounds; n++) {
    struct job jobs[TOGETHER];
    pthread_t ids[TOGETHER];
    for (size_t i = 0; i < TOGETHER; i++) {
      jobs[i] = (struct job){.seed = 1 + n * TOGETHER + i};
      if (pthread_create(&ids[i], NULL, run, &jobs[i]) != 0) return 1;
    }
    for (size_t i = 0; i < TOGETHER; i++) {
      pthread_join(ids[i], NULL);
      sum = finish(&jobs[i], sum);
    }
  }
  return bench_result("threads", sum);
}
