/*
 * How the collector is paced: two threads serve requests over a live heap of objects of many sizes, and the program's
 * own clock looks at its resident memory meanwhile.
 *
 *   bench_pacing steady|step|burst MIB TOTAL_MIB [RATE]
 *   bench_pacing limit MIB SECONDS
 *   bench_pacing drop MIB SECONDS
 *
 * MIB are live: the slots of each thread's table hold a node with a block each, whose sizes depend on the slot alone,
 * so that the live heap is the same size at any time. Half of the blocks are pointers, half are data. A request makes a
 * chain of such nodes, replaces the node of a random slot, looks at some, and computes something from the chain.
 * TOTAL_MIB are allocated in all, so the number of requests is fixed; RATE is how many each thread serves in a second,
 * 0 as many as it can. pacing.go is the same program, request by request; equal checksums say so.
 *
 * steady: nothing else. step: live data double after a third of the requests and are half again after two thirds.
 * burst: a few requests at a low rate, then many at once, several times. limit: threads make nodes, of which one in
 * eight stays in a slot, as fast as they can. drop: a sixteenth of MIB more is live; then MIB are dropped, one
 * collection is asked for, and nothing happens any more.
 *
 * Blocks are filled, so that none holds an old pointer by chance. Prints one line of JSON; `rss_kib` has an entry for
 * each tick since the clock began at `clock_s`. With `limit`, `memory_kib` is what a memory limit counts, as far as the
 * allocator tells.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "latency.h"
#include "tricolor/tricolor.h"

enum { THREADS = 2, ANCHORS = 64, GARBAGE = 8, LOOKS = 8, OCTAVES = 8, LEAST_WORDS = 4, KEPT_IN = 8, PASSES = 8 };
enum { BUFFER_WORDS = 8192, BUFFER_IN = 16, DROP_REST = 16 };
enum { BURSTS = 4, QUIET_REQUESTS = 1000, QUIET_RATE = 2000 };
enum { TICK_NS = 10000000, MAX_TICKS = 1 << 17, MAX_MARKS = 16, SLACK_NS = 2000000 };

struct node {
  uint64_t tag;
  struct node *other;
  struct node **links;
  uint64_t *data;
  size_t nlinks, ndata;
  uint64_t fill[2];
};

struct worker {
  struct node **slot;
  uint64_t *buffer;
  size_t nslots, first;  /* those from `first` on are replaced */
  size_t steady, all;    /* slots: without the step, with it */
  uint64_t bytes, share; /* allocated so far; where a phase ends */
  uint64_t interval;     /* between two requests; 0: none */
  uint64_t random, sum, requests, max;
  uint64_t count[BUCKETS];
} __attribute__((aligned(128)));

static struct worker workers[THREADS];
static struct node *anchors[ANCHORS];
static atomic_bool stopping, finished;

static struct mark {
  const char *name;
  uint64_t ns;
} marks[MAX_MARKS];
static size_t nmarks;

/* The clock's. */
static uint32_t *rss_kib, *memory_kib;
static size_t nticks;
static bool reads_memory;
static uint64_t clock_ns;

/* What the runtimes tell and do. Found by name, since the malloc form is not linked with ours. */
#ifdef BENCH_LIBGC
static uint64_t collect_began, collect_ns;

static void on_event(GC_EventType event) {
  if (event == GC_EVENT_START) collect_began = now_ns();
  if (event == GC_EVENT_END) collect_ns += now_ns() - collect_began;
}
static void runtime_init(void) {
  GC_set_on_collection_event(on_event);
}
static uint32_t limit_counts_kib(void) {
  return 0;
}
static void collect(void) {
  GC_gcollect();
}
static uint64_t collections(void) {
  return GC_get_gc_no();
}
#else
static const uint64_t collect_ns = 0;
static void (*ours_gc)(void);
static int (*ours_read)(struct tri_mem_stats *);

static void runtime_init(void) {
  void *gc = dlsym(RTLD_DEFAULT, "tri_gc"), *read_stats = dlsym(RTLD_DEFAULT, "tri_read_mem_stats");
  memcpy(&ours_gc, &gc, sizeof gc);
  memcpy(&ours_read, &read_stats, sizeof read_stats);
}
static uint32_t limit_counts_kib(void) {
  static struct tri_mem_stats m = {.size = sizeof m};
  if (!ours_read || ours_read(&m) != 0) return 0;
  return (uint32_t)((m.Sys - m.HeapReleased) >> 10);
}
static void collect(void) {
  if (ours_gc) ours_gc();
}
static uint64_t collections(void) {
  return 0;
}
#endif

static void mark(const char *name) {
  marks[nmarks++] = (struct mark){name, now_ns()};
}

static uint32_t resident_kib(int statm) {
  char text[128];
  ssize_t n = pread(statm, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = 0;
  char *end;
  strtoul(text, &end, 10);
  return (uint32_t)(strtoul(end, NULL, 10) * (unsigned long)sysconf(_SC_PAGESIZE) >> 10);
}

/* Late after a stop: what is found then belongs to all the ticks that passed. */
static void *keep_time(void *arg) {
  int statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (statm < 0) abort();
  while (!atomic_load(&finished) && nticks < MAX_TICKS) {
    sleep_until(clock_ns + (nticks + 1) * TICK_NS);
    uint32_t rss = resident_kib(statm), memory = reads_memory ? limit_counts_kib() : 0;
    size_t passed = (size_t)((now_ns() - clock_ns) / TICK_NS);
    do {
      rss_kib[nticks] = rss;
      memory_kib[nticks++] = memory;
    } while (nticks < passed && nticks < MAX_TICKS);
  }
  close(statm);
  return arg;
}

/* Shared memory is nobody's heap: no collector reads it. Pages that are not reached yet are not resident. */
static uint32_t *samples(void) {
  void *p = mmap(NULL, MAX_TICKS * sizeof(uint32_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) abort();
  return p;
}

/* Sizes that are size classes everywhere: powers of two, and those in the middle. */
static size_t words_of(uint64_t shape) {
  size_t words = (size_t)LEAST_WORDS << ((shape >> 32) % OCTAVES);
  return words + (shape >> 40) % 2 * (words / 2);
}

static uint64_t shape_of(size_t slot) {
  uint64_t state = (slot + 1) * UINT64_C(0x9E3779B97F4A7C15);
  return bench_random(&state);
}

static struct node **make_links(size_t n, uint64_t first) {
  struct node **links = bench_need(bench_alloc(n * sizeof *links));
  for (size_t i = 0; i < n; i++) links[i] = anchors[(first + i) % ANCHORS]; /* nobody else has seen it yet */
  return links;
}

static uint64_t *make_data(size_t n, uint64_t tag) {
  uint64_t *data = bench_need(bench_alloc_data(n * sizeof *data));
  for (size_t i = 0; i < n; i++) data[i] = tag;
  return data;
}

static struct node *make(struct worker *w, uint64_t tag, uint64_t shape, struct node *other) {
  struct node *n = bench_need(bench_alloc(sizeof *n));
  size_t words = words_of(shape);
  bool links = shape & 1;
  *n = (struct node){.tag = tag, .nlinks = links ? words : 0, .ndata = links ? 0 : words};
  bench_store(&n->other, other);
  if (links) {
    bench_store(&n->links, make_links(words, tag));
  } else {
    bench_store(&n->data, make_data(words, tag));
  }
  w->bytes += sizeof *n + words * sizeof(uint64_t);
  return n;
}

static void forget(struct node *n) {
  bench_free(n->links);
  bench_free(n->data);
  bench_free(n);
}

static uint64_t look(const struct node *n) {
  bool sound = n->nlinks ? n->links[n->nlinks - 1] == anchors[(n->tag + n->nlinks - 1) % ANCHORS]
                         : n->data[n->ndata - 1] == n->tag;
  if (!sound) {
    fputs("a node was overwritten\n", stderr);
    abort();
  }
  return n->tag;
}

static void replace(struct worker *w, uint64_t r) {
  size_t slot = w->first + (size_t)((r >> 20) % (w->nslots - w->first));
  struct node *old = w->slot[slot];
  w->sum += look(old);
  bench_store(&w->slot[slot], make(w, r, shape_of(slot), NULL));
  forget(old);
}

static void use_buffer(struct worker *w) {
  bench_free(w->buffer);
  bench_store(&w->buffer, make_data(BUFFER_WORDS, w->requests));
  w->bytes += BUFFER_WORDS * sizeof(uint64_t);
}

/* What a server would do with its data. */
static uint64_t digest(const struct node *n) {
  uint64_t sum = look(n);
  for (int pass = 0; pass < PASSES; pass++) {
    for (size_t i = 0; i < n->nlinks; i++) sum = bench_mix(sum, n->links[i]->tag);
    for (size_t i = 0; i < n->ndata; i++) sum = bench_mix(sum, n->data[i]);
  }
  return sum;
}

static void serve(struct worker *w) {
  struct node *chain = NULL;
  for (int i = 0; i < GARBAGE; i++) {
    uint64_t r = bench_random(&w->random);
    chain = make(w, r, r, chain);
  }
  replace(w, bench_random(&w->random));
  for (int i = 0; i < LOOKS; i++) w->sum += look(w->slot[bench_random(&w->random) % w->nslots]);
  if (w->requests++ % BUFFER_IN == 0) use_buffer(w);
  for (struct node *next; chain; chain = next) {
    next = chain->other;
    w->sum += digest(chain);
    forget(chain);
  }
}

static void record(struct worker *w, uint64_t ns) {
  w->count[bucket_of(ns)]++;
  if (ns > w->max) w->max = ns;
}

/* Phases of a load, by all threads at once. */

static void *fill_slots(void *arg) {
  struct worker *w = arg;
  for (; w->nslots < w->all; w->nslots++)
    bench_store(&w->slot[w->nslots], make(w, w->nslots, shape_of(w->nslots), NULL));
  return NULL;
}

static void *empty_slots(void *arg) {
  struct worker *w = arg;
  for (; w->nslots > w->steady; w->nslots--) {
    forget(w->slot[w->nslots - 1]);
    bench_store(&w->slot[w->nslots - 1], NULL);
  }
  return NULL;
}

/* Sleeping is left until it is worth it: short sleeps take longer than asked for. */
static void *churn(void *arg) {
  struct worker *w = arg;
  for (uint64_t due = now_ns(); w->bytes < w->share; due += w->interval) {
    uint64_t before = now_ns();
    if (w->interval && due > before + SLACK_NS) {
      sleep_until(due);
      before = now_ns();
    }
    serve(w);
    record(w, now_ns() - before);
  }
  return NULL;
}

static void *be_quiet(void *arg) {
  struct worker *w = arg;
  uint64_t due = now_ns();
  for (int i = 0; i < QUIET_REQUESTS; i++) {
    sleep_until(due += UINT64_C(1000000000) / QUIET_RATE);
    uint64_t before = now_ns();
    serve(w);
    record(w, now_ns() - before);
  }
  return NULL;
}

static void *press(void *arg) {
  struct worker *w = arg;
  uint64_t before = now_ns();
  while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
    uint64_t r = bench_random(&w->random);
    if (r % KEPT_IN == 0) {
      replace(w, r);
    } else {
      struct node *n = make(w, r, r, NULL);
      w->sum = bench_mix(w->sum, look(n));
      forget(n);
    }
    w->requests++;
    uint64_t after = now_ns();
    record(w, after - before);
    before = after;
  }
  return NULL;
}

static void start(pthread_t *thread, void *(*phase)(void *), void *arg) {
  if (pthread_create(thread, NULL, phase, arg) != 0) abort();
}

static void in_threads(void *(*phase)(void *)) {
  pthread_t t[THREADS];
  for (int i = 0; i < THREADS; i++) start(&t[i], phase, &workers[i]);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

static void churn_for(double total_mib) {
  for (int i = 0; i < THREADS; i++) workers[i].share = workers[i].bytes + (uint64_t)(total_mib * 0x1p20) / THREADS;
  in_threads(churn);
}

/* The live heap. */

static size_t slots_for(double mib) {
  size_t slots = 0, wanted = (size_t)(mib * 0x1p20) / THREADS;
  for (size_t bytes = 0; bytes < wanted; slots++) bytes += sizeof(struct node) + words_of(shape_of(slots)) * 8;
  return slots;
}

/* `least` MiB live at first, `most` at times; those below `kept` MiB are not replaced. */
static void build(double least, double most, double kept) {
  for (int i = 0; i < ANCHORS; i++) {
    bench_store(&anchors[i], bench_need(bench_alloc(sizeof *anchors[i])));
    *anchors[i] = (struct node){.tag = (uint64_t)i};
  }
  for (int i = 0; i < THREADS; i++) {
    struct worker *w = &workers[i];
    w->random = (uint64_t)i + 1;
    w->steady = w->all = slots_for(least);
    w->first = kept > 0 ? slots_for(kept) : 0;
    size_t room = slots_for(most);
    bench_store(&w->slot, bench_need(bench_alloc(room * sizeof(struct node *))));
  }
  in_threads(fill_slots);
}

/* Loads. */

static void set_rate(double rate) {
  for (int i = 0; i < THREADS; i++) workers[i].interval = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
}

static void set_slots(double mib, void *(*phase)(void *)) {
  for (int i = 0; i < THREADS; i++) workers[i].steady = workers[i].all = slots_for(mib);
  in_threads(phase);
}

static void steady(double mib, double total) {
  churn_for(total);
}

static void step(double mib, double total) {
  churn_for(total / 3);
  mark("grow");
  set_slots(mib * 2, fill_slots);
  churn_for(total / 3);
  mark("shrink");
  set_slots(mib, empty_slots);
  churn_for(total / 3);
}

static void burst(double mib, double total) {
  for (int i = 0; i < BURSTS; i++) {
    mark("quiet");
    in_threads(be_quiet);
    mark("burst");
    churn_for(total / BURSTS);
  }
}

static void limit(double mib, double seconds) {
  pthread_t t[THREADS];
  for (int i = 0; i < THREADS; i++) start(&t[i], press, &workers[i]);
  sleep_until(now_ns() + (uint64_t)(seconds * 1e9));
  atomic_store(&stopping, true);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

static void drop(double mib, double seconds) {
  churn_for(mib / 4);
  for (int i = 0; i < THREADS; i++) {
    workers[i].steady = workers[i].first;
    workers[i].first = 0;
  }
  in_threads(empty_slots);
  mark("drop");
  collect();
  mark("collected");
  sleep_until(now_ns() + (uint64_t)(seconds * 1e9));
}

static const struct load {
  const char *name;
  void (*run)(double mib, double amount);
  double live, most, kept; /* parts of MIB */
} loads[] = {{"steady", steady, 1, 1, 0},
             {"step", step, 1, 2, 0},
             {"burst", burst, 1, 1, 0},
             {"limit", limit, 1, 1, 0},
             {"drop", drop, 1 + 1.0 / DROP_REST, 1 + 1.0 / DROP_REST, 1.0 / DROP_REST}};

static const struct load *load_named(const char *name) {
  for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
    if (strcmp(name, loads[i].name) == 0) return &loads[i];
  return NULL;
}

static void print_latencies(void) {
  static uint64_t count[BUCKETS];
  static const double shares[] = {0.5, 0.99, 0.999, 0.9999};
  uint64_t total = 0, max = 0;
  for (int i = 0; i < THREADS; i++) {
    for (unsigned b = 0; b < BUCKETS; b++) count[b] += workers[i].count[b];
    if (workers[i].max > max) max = workers[i].max;
  }
  for (unsigned b = 0; b < BUCKETS; b++) total += count[b];
  for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
    printf(", \"p%g_us\": %.2f", shares[i] * 100, (double)percentile(count, total, shares[i]) / 1e3);
  printf(", \"max_us\": %.1f", (double)max / 1e3);
}

static void print_marks(void) {
  printf(", \"marks\": [");
  for (size_t i = 0; i < nmarks; i++)
    printf("%s[\"%s\", %.6f]", i ? ", " : "", marks[i].name, (double)marks[i].ns / 1e9);
  printf("]");
}

static void print_samples(const char *name, const uint32_t *kib, bool any) {
  printf(", \"%s\": [", name);
  for (size_t i = 0; any && i < nticks; i++) printf("%s%" PRIu32, i ? "," : "", kib[i]);
  printf("]");
}

static void report(const char *load, double mib, uint64_t main_ns, uint64_t started_ns, uint64_t cycles) {
  uint64_t sum = 0, requests = 0, bytes = 0, ended_ns = now_ns();
  for (int i = 0; i < THREADS; i++) {
    sum = bench_mix(sum, workers[i].sum);
    requests += workers[i].requests;
    bytes += workers[i].bytes;
  }
  printf("{\"load\": \"%s\", \"mib\": %g, \"main_s\": %.6f, \"clock_s\": %.6f, \"started_s\": %.6f, \"ended_s\": %.6f",
         load, mib, (double)main_ns / 1e9, (double)clock_ns / 1e9, (double)started_ns / 1e9, (double)ended_ns / 1e9);
  printf(", \"requests\": %" PRIu64 ", \"allocated_mib\": %.1f, \"checksum\": \"%016" PRIx64 "\"", requests,
         (double)bytes * 0x1p-20, sum);
  printf(", \"collections\": %" PRIu64 ", \"collect_s\": %.6f", cycles, (double)collect_ns / 1e9);
  print_latencies();
  print_marks();
  printf(", \"tick_ms\": %g", TICK_NS / 1e6);
  print_samples("rss_kib", rss_kib, true);
  print_samples("memory_kib", memory_kib, reads_memory);
  puts("}");
}

int main(int argc, char **argv) {
  uint64_t main_ns = now_ns();
  const struct load *load = argc > 3 ? load_named(argv[1]) : NULL;
  double mib = argc > 3 ? atof(argv[2]) : 0, amount = argc > 3 ? atof(argv[3]) : 0;
  if (!load || mib <= 0 || amount <= 0) {
    fprintf(stderr, "usage: %s steady|step|burst MIB TOTAL_MIB [RATE], or limit|drop MIB SECONDS\n", argv[0]);
    return 2;
  }
  bench_init();
  runtime_init();
  rss_kib = samples();
  memory_kib = samples();
  reads_memory = load->run == limit;
  clock_ns = now_ns();
  pthread_t clock;
  start(&clock, keep_time, NULL);
  build(mib * load->live, mib * load->most, mib * load->kept);
  set_rate(argc > 4 ? atof(argv[4]) : 0);
  uint64_t started = now_ns(), cycles = collections();
  load->run(mib, amount);
  atomic_store(&finished, true);
  pthread_join(clock, NULL);
  report(load->name, mib, main_ns, started, collections() - cycles);
  return 0;
}
