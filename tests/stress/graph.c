/*
 * The stress program: threads that build checked graphs, hand them to each other, start short-lived threads, and verify
 * all the time, for a number of seconds.
 *
 *   graph free|garbage|mix [THREADS [SECONDS]]     TRI_SEED repeats a run's random choices
 *
 * "free" frees all that it lets go, "garbage" nothing, "mix" half. Hand-over goes through a static array of mailboxes,
 * so an object is freed, or becomes garbage, in another thread than the one that made it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "stress/checked.h"
#include "stress/memory.h"

#define MAILBOXES 64

static struct checked *mailbox[MAILBOXES];
static atomic_ullong next_range; /* of identities: each maker has its own */
static uint64_t seed;
static unsigned free_percent;
static time_t end;
static atomic_ulong made, freed, dropped, visited;

static struct maker maker_make(void) {
  uint64_t range = atomic_fetch_add(&next_range, 1) + 1;
  struct maker m = {.random = seed * 1000003 + range, .next_id = range << 32, .free_percent = free_percent};
  return m;
}

static void maker_count(const struct maker *m) {
  atomic_fetch_add(&made, m->made);
  atomic_fetch_add(&freed, m->freed);
  atomic_fetch_add(&dropped, m->dropped);
  atomic_fetch_add(&visited, m->visited);
}

static struct checked *chain(struct maker *m, unsigned length) {
  struct checked *list = NULL;
  for (; length > 0; length--) {
    struct checked *c = checked_new(m);
    checked_link(c, 0, list);
    list = c;
  }
  return list;
}

static void chain_let_go(struct maker *m, struct checked *list) {
  while (list != NULL) {
    struct checked *next = list->to[0];
    checked_verify(m, list);
    checked_let_go(m, list);
    list = next;
  }
}

static void hand_over(struct maker *m) {
  for (int i = 0; i < 100; i++) {
    struct checked *mine = chain(m, 1 + maker_below(m, 12));
    chain_let_go(m, memory_exchange(&mailbox[maker_below(m, MAILBOXES)], mine));
  }
}

/* A short-lived thread: gets a chain as argument, gives another as result. */
static void *short_lived(void *argument) {
  struct maker m = maker_make();
  chain_let_go(&m, argument);
  hand_over(&m);
  struct checked *result = chain(&m, 20);
  maker_count(&m);
  return result;
}

static void thread_churn(struct maker *m) {
  pthread_t t[3];
  int started = 0;
  for (int i = 0; i < 3; i++) started += pthread_create(&t[i], NULL, short_lived, chain(m, 20)) == 0;
  CHECK(started == 3, "pthread_create");
  stress_lists(m);
  for (int i = 0; i < 3; i++) {
    void *result;
    pthread_join(t[i], &result);
    chain_let_go(m, result);
  }
}

static void *work(void *unused) {
  static void (*const structures[])(struct maker *) = {stress_trees,  stress_lists, stress_hash, stress_graph,
                                                       stress_blocks, hand_over,    thread_churn};
  struct maker m = maker_make();
  struct checked *old = chain(&m, 200); /* lives through all */
  while (time(NULL) < end) {
    structures[maker_below(&m, sizeof(structures) / sizeof(structures[0]))](&m);
    for (const struct checked *c = old; c != NULL; c = c->to[0]) checked_verify(&m, c);
  }
  chain_let_go(&m, old);
  maker_count(&m);
  return unused;
}

int main(int argc, char **argv) {
  enum { MOST = 64 };
  pthread_t t[MOST];
  const char *mode = argc > 1 ? argv[1] : "mix", *given = getenv("TRI_SEED");
  int threads = argc > 2 ? atoi(argv[2]) : 2, seconds = argc > 3 ? atoi(argv[3]) : 2;
  CHECK(threads > 0 && threads <= MOST && seconds > 0, "usage: graph free|garbage|mix [THREADS [SECONDS]]");
  free_percent = strcmp(mode, "free") == 0 ? 100 : strcmp(mode, "garbage") == 0 ? 0 : 50;
  seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
  printf("mode %s, %d threads, %d s, TRI_SEED=%llu\n", mode, threads, seconds, (unsigned long long)seed);
  fflush(stdout);
  end = time(NULL) + seconds;
  for (int i = 0; i < threads; i++) CHECK(pthread_create(&t[i], NULL, work, NULL) == 0, "pthread_create");
  for (int i = 0; i < threads; i++) pthread_join(t[i], NULL);
  printf("%lu made, %lu freed, %lu dropped, %lu visits, %lu collections\nok\n", made, freed, dropped, visited,
         memory_cycles());
  return 0;
}
