/*
 * setuid waits, with the C library's lock of cached stacks in its hands, until each thread has taken a signal of the C
 * library's. Threads that end wait for that lock with signals blocked, and a stop waits for them: a thread that forks,
 * and waits for the collection, must take the signal meanwhile.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "support/progress.h"

enum { SECONDS = 4, DEPTH = 20, SIZE = 4096, LEAKS_AT_ONCE = 16 };

struct node {
  struct node *left, *right;
};

static struct node *root;
static atomic_uint setuids, forks;
static atomic_bool done;

static void pause_us(long us) {
  nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static void *sets_user(void *arg) {
  while (!atomic_load(&done)) {
    CHECK(setuid(getuid()) == 0, "setuid: %s", strerror(errno));
    atomic_fetch_add(&setuids, 1);
    pause_us(400);
  }
  return arg;
}

static void *forker(void *arg) {
  while (!atomic_load(&done)) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(child > 0 && waitpid(child, NULL, 0) == child, "fork: %s", strerror(errno));
    atomic_fetch_add(&forks, 1);
    pause_us(500);
  }
  return arg;
}

static void *brief(void *us) {
  pause_us((long)us);
  return NULL;
}

static void *make_brief(void *arg) {
  pthread_attr_t detached;
  pthread_t t;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&detached, 64 << 10);
  for (long i = 0; !atomic_load(&done); i++) {
    pthread_create(&t, &detached, brief, (void *)(1 + i % 37 * 100));
    pause_us(100);
  }
  return arg;
}

static void *leaker(void *arg) {
  for (unsigned i = 1; !atomic_load(&done); i++) {
    pattern_fill(malloc(SIZE), 64, 3);
    if (i % LEAKS_AT_ONCE == 0) pause_us(100);
  }
  return arg;
}

/* What makes a collection last. */
static struct node *make_tree(int depth) {
  if (depth == 0) return NULL;
  struct node *n = malloc(sizeof *n);
  CHECK(n, "malloc");
  *n = (struct node){make_tree(depth - 1), make_tree(depth - 1)};
  return n;
}

int main(void) {
  void *(*const work[])(void *) = {sets_user, forker, make_brief, leaker};
  enum { THREADS = sizeof work / sizeof work[0] };
  pthread_t threads[THREADS];
  root = make_tree(DEPTH);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
  both_go_on_for(SECONDS, &setuids, &forks, true);
  atomic_store(&done, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  puts("ok");
  return 0;
}
