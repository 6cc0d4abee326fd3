/*
 * Threads that allocate faster than the markers mark have to help, and how long each of these assists took is counted.
 * A live heap of small nodes, GOGC=10, and more threads than CPUs that do nothing but allocate. The nodes hang in many
 * chains: of a single one there is never more grey work than one object, and nobody can help.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "support/probe.h"

enum { NODES = 1 << 20, CHAINS = 1024, THREADS = 4, SECONDS = 30, LONGEST = 18 /* a quarter of a second */ };

struct node {
  struct node *next;
  char fill[56];
};

static struct node *live[CHAINS];
static atomic_bool enough;

static void *allocate(void *unused) {
  while (!atomic_load(&enough))
    for (int i = 0; i < 1000; i++) memset(tri_alloc(256), 1, 256);
  return unused;
}

static unsigned long assists(unsigned from) {
  static struct tri_gc_stats g = {.size = sizeof g};
  unsigned long n = 0;
  CHECK(tri_read_gc_stats(&g) == 0, "tri_read_gc_stats");
  for (unsigned i = from; i < sizeof g.Assists / sizeof *g.Assists; i++) n += g.Assists[i];
  return n;
}

static double assist_seconds(void) {
  struct tri_metric m = {.name = "/cpu/classes/gc/mark/assist:cpu-seconds"};
  CHECK(tri_read_metrics(&m, 1) == 1 && m.kind == TRI_METRIC_DOUBLE, "%s", m.name);
  return m.value.number;
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < NODES; i++) {
    struct node *n = tri_alloc(sizeof *n);
    CHECK(n, "tri_alloc");
    n->next = live[i % CHAINS];
    live[i % CHAINS] = n;
  }
  unsigned long mine = assists(0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, allocate, NULL) == 0, "pthread_create");
  time_t end = time(NULL) + SECONDS;
  while ((assists(0) - mine < 100 || assist_seconds() == 0) && time(NULL) < end) usleep(10000);
  atomic_store(&enough, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  unsigned long all = assists(0), slow = assists(LONGEST);
  printf("%lu assists, %.3f s\n", all, assist_seconds());
  CHECK(all - mine >= 100 && assist_seconds() > 0, "nobody was made to assist");
  CHECK(slow <= all / 100, "%lu of %lu assists took a quarter of a second and more", slow, all);
  puts("ok");
  return 0;
}
