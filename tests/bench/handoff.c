/*
 * Producer and consumer: one thread allocates, another frees. Blocks travel in batches through a short queue, so that
 * the time goes into the allocator and not into the queue. Every free is a free from a foreign thread.
 */
#include "bench.h"

#include <pthread.h>

enum { BATCH = 256, QUEUE = 16 };

struct batch {
  uint64_t *blocks[BATCH];
};

static struct batch queue[QUEUE];
static unsigned filled, taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void *produce(void *arg) {
  uint64_t batches = *(uint64_t *)arg, random = 0x5eed;
  for (uint64_t n = 0; n < batches; n++) {
    struct batch batch;
    for (size_t i = 0; i < BATCH; i++) {
      batch.blocks[i] = bench_need(bench_alloc(bench_size(&random, 4, 6)));
      *batch.blocks[i] = random;
    }
    pthread_mutex_lock(&lock);
    while (filled - taken == QUEUE) pthread_cond_wait(&changed, &lock);
    queue[filled++ % QUEUE] = batch;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static uint64_t consume(uint64_t sum) {
  pthread_mutex_lock(&lock);
  while (filled == taken) pthread_cond_wait(&changed, &lock);
  struct batch batch = queue[taken % QUEUE];
  memset(&queue[taken++ % QUEUE], 0, sizeof queue[0]);
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  for (size_t i = 0; i < BATCH; i++) {
    sum = bench_mix(sum, *batch.blocks[i]);
    bench_free(batch.blocks[i]);
  }
  return sum;
}

int main(int argc, char **argv) {
  bench_init();
  uint64_t batches = (uint64_t)(4e6 * bench_scale(argc, argv)) / BATCH, sum = 0;
  pthread_t producer;
  if (pthread_create(&producer, NULL, produce, &batches) != 0) return 1;
  for (uint64_t n = 0; n < batches; n++) sum = consume(sum);
  pthread_join(producer, NULL);
  return bench_result("handoff", sum);
}
