/*
 * Near a memory limit threads have to mark a lot, but not all at once: no allocation of a few bytes takes a large part
 * of the time that a cycle's marking does. All live blocks hang on one object, so that grey work is scarce at first and
 * threads get far ahead meanwhile. What is measured is the time of day: on a busy machine a thread may lose its CPU for
 * as long, so one good round of several is enough.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "support/probe.h"

enum { SLOTS = 1 << 15, WORDS = 256, THREADS = 2, ROUNDS = 5, CYCLES = 30, SECONDS = 20, SHARE = 4, FEW = 10 };
enum { BUCKETS = 512 };

static void ***live; /* one large object, and blocks of pointers to a few others */
static atomic_bool enough;
static unsigned long took[THREADS][BUCKETS]; /* by the logarithm of the nanoseconds */

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *allocate(void *counts) {
  unsigned long *count = counts;
  for (uint64_t before = now_ns(), after; !atomic_load(&enough); before = after) {
    memset(tri_alloc(2048), 1, 2048);
    after = now_ns();
    uint64_t ns = (after - before) | 16;
    unsigned octave = 63 - (unsigned)__builtin_clzll(ns);
    count[octave * 8 + (ns >> (octave - 3)) % 8]++;
  }
  return NULL;
}

static double metric(const char *name) {
  struct tri_metric m = {.name = name};
  CHECK(tri_read_metrics(&m, 1) == 1, "%s", name);
  return m.kind == TRI_METRIC_DOUBLE ? m.value.number : (double)m.value.count;
}

static double marking_seconds(void) {
  return metric("/cpu/classes/gc/mark/assist:cpu-seconds") + metric("/cpu/classes/gc/mark/dedicated:cpu-seconds") +
         metric("/cpu/classes/gc/mark/idle:cpu-seconds");
}

static double cycles(void) {
  return metric("/gc/cycles/total:gc-cycles");
}

/* Of both threads; buckets that lie above the bound wholly. */
static unsigned long longer_than(double seconds) {
  unsigned long n = 0;
  for (int b = 0; b < BUCKETS; b++)
    if ((double)((uint64_t)1 << b / 8) * (8 + b % 8) / 8 > seconds * 1e9) n += took[0][b] + took[1][b];
  return n;
}

static void fill(void) {
  live = tri_alloc(SLOTS * sizeof *live);
  CHECK(live, "tri_alloc");
  for (int i = 0; i < SLOTS; i++) {
    void **block = tri_alloc(WORDS * sizeof *block);
    CHECK(block, "tri_alloc");
    for (int k = 0; k < WORDS; k++) block[k] = live[i / 2] ? live[i / 2] : block;
    tri_write(&live[i], block);
  }
}

/* True: next to no allocation took long. */
static bool run_round(void) {
  double first = cycles(), marked = marking_seconds();
  memset(took, 0, sizeof took);
  atomic_store(&enough, false);
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, allocate, took[i]) == 0, "pthread_create");
  time_t end = time(NULL) + SECONDS;
  while (cycles() - first < CYCLES && time(NULL) < end) usleep(10000);
  atomic_store(&enough, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  double n = cycles() - first, each = (marking_seconds() - marked) / n;
  unsigned long longest = longer_than(each / SHARE);
  printf("%.0f collections, %.1f ms of marking in each, %lu allocations took more than %.1f ms\n", n, each * 1e3,
         longest, each / SHARE * 1e3);
  CHECK(n >= CYCLES / 3, "%.0f collections", n);
  return (double)longest <= n / FEW;
}

int main(void) {
  fill();
  int round = 0;
  while (!run_round()) CHECK(++round < ROUNDS, "allocations are held up for long");
  puts("ok");
  return 0;
}
