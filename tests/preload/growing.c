/*
 * A live heap that grows while it is marked: objects on memory that the heap has just grown by are linked into old
 * ones, and moved from one to another, while the collector marks beside the program.
 */
#include <pthread.h>

#include "support/probe.h"

enum { THREADS = 2, LISTS = 64, NODES = 250000 };

struct node {
  struct node *next;
  unsigned long tag;
  char fill[80];
};

struct grower {
  struct node *list[LISTS];
  unsigned long length[LISTS];
  uint64_t random;
};

static struct node *make(unsigned long tag) {
  struct node *n = malloc(sizeof *n);
  CHECK(n, "malloc");
  n->tag = tag;
  n->next = NULL;
  return n;
}

/* The newest of one list becomes the newest of another: for a moment only a register knows it. */
static void move(struct grower *g, unsigned from, unsigned to) {
  struct node *n = g->list[from];
  if (!n || from == to) return;
  g->list[from] = n->next;
  n->tag = g->length[to]++;
  g->length[from]--;
  n->next = g->list[to];
  g->list[to] = n;
}

static void *grow(void *grower) {
  struct grower *g = grower;
  for (int i = 0; i < NODES; i++) {
    unsigned l = (unsigned)(probe_random(&g->random) % LISTS);
    struct node *n = make(g->length[l]++);
    n->next = g->list[l];
    g->list[l] = n;
    move(g, (unsigned)(probe_random(&g->random) % LISTS), (unsigned)(probe_random(&g->random) % LISTS));
  }
  return NULL;
}

static void check(const struct grower *g) {
  for (int l = 0; l < LISTS; l++) {
    unsigned long left = g->length[l];
    for (const struct node *n = g->list[l]; n; n = n->next) CHECK(n->tag == --left, "list %d, %lu left", l, left);
    CHECK(left == 0, "list %d ends %lu too early", l, left);
  }
}

int main(void) {
  pthread_t t[THREADS];
  struct grower *g[THREADS];
  for (int i = 0; i < THREADS; i++) {
    g[i] = calloc(1, sizeof *g[i]);
    CHECK(g[i], "calloc");
    g[i]->random = (uint64_t)i + 1;
    CHECK(pthread_create(&t[i], NULL, grow, g[i]) == 0, "pthread_create");
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(t[i], NULL);
    check(g[i]);
  }
  puts("ok");
  return 0;
}
