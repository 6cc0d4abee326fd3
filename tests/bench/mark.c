/*
 * Marking: how fast a collection goes through a live heap of 64-byte nodes, beside the plainest traversal of the same
 * graph that prefetches, by one thread with a mark bitmap of its own: that is the limit.
 *
 *   mark [tree|lists|interleaved [MIB [ROUNDS [CPUS]]]]
 *
 * tree: one binary tree, built depth first. lists: 65,536 lists, each built in one go, so that its nodes are adjacent.
 * interleaved: the same lists built in turn, a node of each. CPUS: how many the process, and so the collector, may use.
 * The times, medians of ROUNDS, go to stderr; a malloc without a collector shows the traversal alone.
 */
#include "bench.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <time.h>

enum { LISTS = 1 << 16, WINDOW = 16, MAX_ROUNDS = 101 };

struct node {
  struct node *left, *right; /* lists use left only */
  uint64_t data[6];
};

static struct node *head[LISTS];
static size_t nodes;
static uintptr_t lowest = UINTPTR_MAX, highest;

static struct node *new_node(struct node *left, struct node *right) {
  struct node *n = bench_need(bench_alloc(sizeof *n));
  *n = (struct node){.left = left, .right = right, .data = {nodes++}};
  if ((uintptr_t)n < lowest) lowest = (uintptr_t)n;
  if ((uintptr_t)n > highest) highest = (uintptr_t)n;
  return n;
}

static struct node *build_tree(unsigned depth) {
  struct node *n = new_node(NULL, NULL);
  if (depth > 0) {
    n->left = build_tree(depth - 1);
    n->right = build_tree(depth - 1);
  }
  return n;
}

static void build(const char *shape, size_t count) {
  size_t length = count / LISTS > 0 ? count / LISTS : 1;
  if (strcmp(shape, "tree") == 0) {
    unsigned depth = 0;
    while (((size_t)4 << depth) - 1 <= count) depth++;
    head[0] = build_tree(depth);
  } else if (strcmp(shape, "lists") == 0) {
    for (size_t l = 0; l < LISTS; l++)
      for (size_t i = 0; i < length; i++) head[l] = new_node(head[l], NULL);
  } else {
    for (size_t i = 0; i < length; i++)
      for (size_t l = 0; l < LISTS; l++) head[l] = new_node(head[l], NULL);
  }
}

/* Not from malloc: it must be neither object nor root. */
struct traversal {
  uint64_t *seen; /* a bit for each 16 bytes from `lowest` */
  struct node **stack;
  size_t depth, found, bytes;
};

static void *map(size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return bench_need(p == MAP_FAILED ? NULL : p);
}

static void visit(struct traversal *t, struct node *n) {
  if (n == NULL) return;
  size_t i = ((uintptr_t)n - lowest) / 16;
  uint64_t bit = UINT64_C(1) << (i % 64);
  if (t->seen[i / 64] & bit) return;
  t->seen[i / 64] |= bit;
  t->found++;
  t->stack[t->depth++] = n;
}

static void traverse(struct traversal *t) {
  struct node *window[WINDOW] = {NULL};
  unsigned waiting = 0;
  for (unsigned at = 0; t->depth > 0 || waiting > 0; at = (at + 1) % WINDOW) {
    struct node *due = window[at];
    window[at] = t->depth > 0 ? t->stack[--t->depth] : NULL;
    if (window[at] != NULL) {
      __builtin_prefetch(window[at]);
      waiting++;
    }
    if (due == NULL) continue;
    waiting--;
    visit(t, due->right);
    visit(t, due->left);
  }
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double time_traversal(size_t *ret_found) {
  struct traversal t = {.bytes = (highest - lowest) / 128 + 64};
  size_t stack_bytes = (nodes + 1) * sizeof *t.stack;
  t.seen = map(t.bytes);
  t.stack = map(stack_bytes);
  memset(t.seen, 0, t.bytes);
  double from = now();
  for (size_t l = 0; l < LISTS; l++) visit(&t, head[l]);
  traverse(&t);
  double seconds = now() - from;
  *ret_found = t.found;
  munmap(t.seen, t.bytes);
  munmap(t.stack, stack_bytes);
  return seconds;
}

static void find_collection(void (**ret)(void)) {
#ifdef BENCH_LIBGC
  *ret = GC_gcollect;
#else
  void *found = dlsym(RTLD_DEFAULT, "tri_gc");
  memcpy(ret, &found, sizeof found);
#endif
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void report(const char *what, double *seconds, unsigned rounds) {
  qsort(seconds, rounds, sizeof *seconds, by_value);
  double median = seconds[rounds / 2];
  fprintf(stderr, "%s %.1f ms (%.1f to %.1f), %.1f million objects/s\n", what, median * 1e3, seconds[0] * 1e3,
          seconds[rounds - 1] * 1e3, (double)nodes / median / 1e6);
}

static void use_cpus(int wanted) {
  cpu_set_t all, some;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  CPU_ZERO(&some);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < wanted; cpu++)
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &some);
  sched_setaffinity(0, sizeof some, &some);
}

int main(int argc, char **argv) {
  static double traversal[MAX_ROUNDS], collection[MAX_ROUNDS];
  void (*collect)(void) = NULL;
  const char *shape = argc > 1 ? argv[1] : "tree";
  size_t mib = argc > 2 ? strtoul(argv[2], NULL, 10) : 16, found = 0;
  unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
  if (rounds < 1 || rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
  if (argc > 4) use_cpus(atoi(argv[4]));
  bench_init();
  find_collection(&collect);
  build(shape, (mib << 20) / sizeof(struct node));
  for (unsigned i = 0; i < rounds; i++) {
    traversal[i] = time_traversal(&found);
    if (collect == NULL) continue;
    double from = now();
    collect();
    collection[i] = now() - from;
  }
  report("traversal", traversal, rounds);
  if (collect != NULL) report("collection", collection, rounds);
  if (found != nodes) {
    fprintf(stderr, "%zu of %zu nodes were reached\n", found, nodes);
    return 1;
  }
  return bench_result("mark", bench_mix(nodes, found));
}
