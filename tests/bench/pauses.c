/*
 * How long the program waits: a large live heap of 64-byte nodes, two threads that replace nodes and time every
 * operation, and each stop of the world where the collector tells of it.
 *
 *   bench_pauses local|random MIB SECONDS [SLEEPERS]
 *
 * The heap is a table of pages of 512 pointers to nodes. An operation picks a node, checks it, allocates its successor
 * and puts that in its place; the old one is freed (malloc form) or forgotten (collected forms, and ours with
 * free=ignore). pauses.go is the same program, operation by operation.
 * local: the picks stay in one hundredth of the table. random: they go everywhere.
 *
 * Prints one line of JSON. `timeline` holds the operations done in each 2 ms since the start, by which a reader who
 * knows when collections ran can tell the speed during them from the speed between. With BENCH_LIBGC the fourth
 * argument "incremental" turns on its incremental mode; its stops are in `stops_us`.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "latency.h"

enum { THREADS = 2, PAGE_NODES = 512, TICK_NS = 2000000, MAX_TICKS = 1 << 18 };

struct node {
  uint64_t tag;
  struct node *other;
  uint64_t fill[6];
};

struct worker {
  uint64_t random;
  uint64_t count[BUCKETS];
  uint64_t max;
  atomic_ulong done; /* read by the clock's thread */
} __attribute__((aligned(128)));

static struct worker workers[THREADS];
static struct node ***table;
static size_t npages, window_pages;
static atomic_bool stopping;
static uint32_t *timeline;
static size_t nticks;
static long woken; /* sleepers, by anything */

/* Apart from the program's data, so that no collector scans it with them. */
static void *map(size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) abort();
  return p;
}

static struct node *make(uint64_t tag, struct node *other) {
  struct node *n = bench_need(bench_alloc(sizeof *n));
  n->tag = tag;
  bench_store(&n->other, other);
  for (int i = 0; i < 6; i++) n->fill[i] = tag;
  return n;
}

static void replace(struct worker *w, size_t first_page) {
  uint64_t r = bench_random(&w->random);
  struct node **page = table[first_page + (r >> 32) % window_pages];
  size_t i = (size_t)(r % PAGE_NODES);
  struct node *old = page[i];
  if (old->fill[5] != old->tag) {
    fputs("a node was overwritten\n", stderr);
    abort();
  }
  bench_store(&page[i], make(r, NULL));
  bench_free(old);
}

static void *work(void *arg) {
  struct worker *w = arg;
  /* Each its own half of the window. */
  size_t first_page = (size_t)(w - workers) * window_pages;
  uint64_t before = now_ns();
  while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
    replace(w, first_page);
    uint64_t after = now_ns(), ns = after - before;
    w->count[bucket_of(ns)]++;
    if (ns > w->max) w->max = ns;
    atomic_store_explicit(&w->done, atomic_load_explicit(&w->done, memory_order_relaxed) + 1, memory_order_relaxed);
    before = after;
  }
  return NULL;
}

static void build(size_t mib) {
  npages = (mib << 20) / (PAGE_NODES * sizeof(struct node));
  bench_store(&table, bench_need(bench_alloc(npages * sizeof *table)));
  for (size_t p = 0; p < npages; p++) {
    bench_store(&table[p], bench_need(bench_alloc(PAGE_NODES * sizeof **table)));
    for (size_t i = 0; i < PAGE_NODES; i++) bench_store(&table[p][i], make(p, NULL));
  }
}

static void keep_time(double seconds) {
  uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), before = 0;
  for (uint64_t now = start; now < end && nticks < MAX_TICKS; now = now_ns()) {
    sleep_until(start + (nticks + 1) * TICK_NS);
    uint64_t done = 0;
    for (int i = 0; i < THREADS; i++) done += atomic_load(&workers[i].done);
    /* Late after a stop: the operations belong to all the ticks that passed. */
    size_t ticks = (size_t)((now_ns() - start) / TICK_NS);
    if (ticks > MAX_TICKS) ticks = MAX_TICKS;
    for (size_t n = ticks > nticks ? ticks - nticks : 1; n > 0 && nticks < MAX_TICKS; n--) {
      timeline[nticks++] = (uint32_t)((done - before) / n);
      before += (done - before) / n;
    }
  }
  atomic_store(&stopping, true);
}

#ifdef BENCH_LIBGC
enum { MAX_STOPS = 1 << 16 };
static uint64_t stop_began, stops[MAX_STOPS];
static size_t nstops;

static void on_event(GC_EventType event) {
  if (event == GC_EVENT_PRE_STOP_WORLD) stop_began = now_ns();
  if (event == GC_EVENT_POST_START_WORLD && nstops < MAX_STOPS) stops[nstops++] = now_ns() - stop_began;
}

static void watch_stops(const char *mode) {
  GC_set_on_collection_event(on_event);
  if (mode && strcmp(mode, "incremental") == 0) GC_enable_incremental();
}
static void forget_stops(void) {
  nstops = 0;
}
static void print_stops(void) {
  printf(", \"stops_us\": [");
  for (size_t i = 0; i < nstops; i++) printf("%s%.1f", i ? ", " : "", (double)stops[i] / 1e3);
  printf("]");
}
#else
static void watch_stops(const char *mode) {}
static void forget_stops(void) {}
static void print_stops(void) {}
#endif

static uint64_t longer_than(const uint64_t *count, uint64_t ns) {
  uint64_t n = 0;
  for (unsigned b = bucket_of(ns); b < BUCKETS; b++) n += count[b];
  return n;
}

static void report(const char *load, size_t mib, double seconds, uint64_t main_ns, uint64_t started_ns) {
  static uint64_t count[BUCKETS];
  static const double shares[] = {0.5, 0.99, 0.999, 0.9999, 0.99999};
  uint64_t total = 0, max = 0;
  for (int i = 0; i < THREADS; i++) {
    for (unsigned b = 0; b < BUCKETS; b++) count[b] += workers[i].count[b];
    if (workers[i].max > max) max = workers[i].max;
  }
  for (unsigned b = 0; b < BUCKETS; b++) total += count[b];
  printf(
      "{\"load\": \"%s\", \"mib\": %zu, \"seconds\": %.1f, \"main_s\": %.6f, \"started_s\": %.6f, \"operations\": "
      "%" PRIu64,
      load, mib, seconds, (double)main_ns / 1e9, (double)started_ns / 1e9, total);
  for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
    printf(", \"p%g_us\": %.2f", shares[i] * 100, (double)percentile(count, total, shares[i]) / 1e3);
  printf(", \"max_us\": %.1f, \"over_1ms\": %" PRIu64 ", \"over_10ms\": %" PRIu64, (double)max / 1e3,
         longer_than(count, 1000000), longer_than(count, 10000000));
  print_stops();
  printf(", \"woken\": %ld", woken);
  printf(", \"tick_ms\": %g, \"timeline\": [", TICK_NS / 1e6);
  for (size_t i = 0; i < nticks; i++) printf("%s%" PRIu32, i ? "," : "", timeline[i]);
  puts("]}");
}

/* A third each in poll, on a condition variable and in read. */
struct sleeper {
  pthread_mutex_t mutex;
  pthread_cond_t never;
  int kind, fd;
  atomic_int tid;
};
static struct sleeper *sleepers;
static long nsleepers;

static void *asleep(void *arg) {
  struct sleeper *s = arg;
  char c;
  pthread_mutex_lock(&s->mutex);
  atomic_store(&s->tid, (int)syscall(SYS_gettid));
  for (;;) {
    if (s->kind == 0) poll(NULL, 0, -1);
    if (s->kind == 1) pthread_cond_wait(&s->never, &s->mutex);
    if (s->kind == 2 && read(s->fd, &c, 1) != 1) abort();
  }
}

/* How often the sleepers have gone to sleep since they began. */
static long count_sleeps(void) {
  char name[64], text[200];
  long all = 0, n;
  for (long i = 0; i < nsleepers; i++) {
    snprintf(name, sizeof name, "/proc/self/task/%d/status", atomic_load(&sleepers[i].tid));
    FILE *f = fopen(name, "r");
    if (!f) abort();
    while (fgets(text, sizeof text, f))
      if (sscanf(text, "voluntary_ctxt_switches: %ld", &n) == 1) all += n;
    fclose(f);
  }
  return all;
}

static void start_sleepers(long n) {
  pthread_attr_t attr;
  int ends[2];
  if (n <= 0) return;
  if (pipe(ends) != 0) abort();
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 65536);
  nsleepers = n;
  sleepers = map((size_t)n * sizeof *sleepers);
  for (long i = 0; i < n; i++) {
    pthread_t t;
    struct sleeper *s = &sleepers[i];
    *s = (struct sleeper){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, (int)(i % 3), ends[0], 0};
    if (pthread_create(&t, &attr, asleep, s) != 0) abort();
    while (atomic_load(&s->tid) == 0) sched_yield();
  }
  usleep(200000);
  woken = -count_sleeps();
}

int main(int argc, char **argv) {
  uint64_t main_ns = now_ns();
  pthread_t t[THREADS];
  if (argc < 4 || (strcmp(argv[1], "local") != 0 && strcmp(argv[1], "random") != 0)) {
    fprintf(stderr, "usage: %s local|random MIB SECONDS [SLEEPERS]\n", argv[0]);
    return 2;
  }
  size_t mib = (size_t)atol(argv[2]);
  double seconds = atof(argv[3]);
  bench_init();
  watch_stops(argc > 4 ? argv[4] : NULL);
  build(mib);
  if (argc > 4) start_sleepers(atol(argv[4]));
  window_pages = strcmp(argv[1], "local") == 0 ? npages / 100 / THREADS : npages / THREADS;
  if (window_pages == 0) window_pages = 1;
  forget_stops();
  timeline = map(MAX_TICKS * sizeof *timeline);
  uint64_t started = now_ns();
  for (int i = 0; i < THREADS; i++) {
    workers[i].random = (uint64_t)i + 1;
    if (pthread_create(&t[i], NULL, work, &workers[i]) != 0) abort();
  }
  keep_time(seconds);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  woken += count_sleeps();
  report(argv[1], mib, seconds, main_ns, started);
  return 0;
}
