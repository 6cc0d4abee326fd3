/*
 * A handler that runs a thousand times a second allocates, frees and hands objects to the program, while what it
 * interrupts is mostly malloc, free and collections themselves, in two threads. It must neither deadlock nor break the
 * heap.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

#include "support/probe.h"

static _Atomic(void *) mailbox;
static atomic_long handled;
static atomic_bool stop;

/* An empty block has no room for anything, wherever it came from. */
static void grow_an_empty_block(void) {
  char *empty = malloc(0), *beside = malloc(16);
  if (empty == NULL || beside == NULL) _exit(6);
  pattern_fill(beside, 16, 22);
  char *grown = realloc(empty, 1000);
  if (grown == NULL) _exit(7);
  pattern_fill(grown, 1000, 23);
  if (!pattern_holds(beside, 16, 22)) _exit(8);
  free(grown);
  free(beside);
}

static void on_signal(int signo) {
  (void)signo;
  char *p = malloc(150);
  if (p == NULL) _exit(3);
  pattern_fill(p, 150, 21);
  char *old = atomic_exchange(&mailbox, p);
  if (old != NULL && !pattern_holds(old, 150, 21)) _exit(4);
  free(old);
  char *volatile q = malloc(200 + (size_t)(handled % 9) * 100);
  if (q == NULL) _exit(5);
  q[0] = 1;
  free(q);
  grow_an_empty_block();
  atomic_fetch_add(&handled, 1);
}

static void *busy(void *arg) {
  uint64_t state = (uintptr_t)arg;
  unsigned char *mine[128] = {0};
  while (!atomic_load(&stop)) {
    unsigned i = probe_random(&state) % 128;
    CHECK(mine[i] == NULL || pattern_holds(mine[i], 24, i), "object %u was overwritten", i);
    free(mine[i]);
    mine[i] = malloc(24 + probe_random(&state) % (i == 0 ? 100000 : 1000));
    pattern_fill(mine[i], 24, i);
  }
  for (int i = 0; i < 128; i++) free(mine[i]);
  return NULL;
}

int main(int argc, char **argv) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  struct itimerval timer = {{0, 1000}, {0, 1000}};
  pthread_t t;
  time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 2);
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGPROF, &action, NULL);
  CHECK(pthread_create(&t, NULL, busy, (void *)1) == 0, "pthread_create");
  setitimer(ITIMER_REAL, &timer, NULL);
  setitimer(ITIMER_PROF, &timer, NULL);
  while (time(NULL) < end) {
    churn(500000);
    collect();
  }
  atomic_store(&stop, true);
  pthread_join(t, NULL);
  memset(&timer, 0, sizeof(timer));
  setitimer(ITIMER_REAL, &timer, NULL);
  setitimer(ITIMER_PROF, &timer, NULL);
  CHECK(handled > 100, "only %ld signals", handled);
  puts("ok");
  return 0;
}
