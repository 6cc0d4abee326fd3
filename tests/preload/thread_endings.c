/*
 * Threads that end while others are stopped. A detached thread, past its last destructor, blocks its signals and takes
 * the C library's lock of cached stacks; threads that create and join hold that lock with signals open, and may be
 * stopped there; and free() is called with it held, so that nothing in there may make a thread, as a process does for
 * its first collection. The first thread of a process stays a zombie when it ends by itself, in a fork's child too,
 * where it may be one that was not the first of its parent.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "support/probe.h"
#include "support/zombie.h"

#define SECONDS 3
#define CHILDREN 30
#define CHILD_NS 60000000

static atomic_bool done;

static void *find_number(void *number) {
  CHECK(number == NULL || pthread_equal(*(pthread_t *)number, pthread_self()), "the thread does not find its number");
  return number;
}

static void *creator(void *detached) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  if (detached) pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  while (!atomic_load(&done)) {
    pthread_t t[8];
    int n = 0;
    for (int i = 0; i < 8; i++) n += pthread_create(&t[n], &attr, find_number, detached ? NULL : &t[n]) == 0;
    if (!detached)
      for (int i = 0; i < n; i++) pthread_join(t[i], NULL);
  }
  return NULL;
}

static void allocate(int n) {
  for (int i = 0; i < n; i++) {
    volatile char *p = malloc(2000);
    CHECK(p != NULL, "malloc");
    p[0] = 1;
  }
}

static void *leaker(void *arg) {
  while (!atomic_load(&done)) allocate(100);
  return arg;
}

static void start_creators(pthread_t t[4]) {
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, creator, i < 2 ? &done : NULL) == 0, "pthread_create");
}

static void cached_stacks(void) {
  pthread_t t[5];
  start_creators(t);
  CHECK(pthread_create(&t[4], NULL, leaker, NULL) == 0, "pthread_create");
  struct timespec second = {SECONDS, 0};
  while (nanosleep(&second, &second) != 0) continue;
  atomic_store(&done, true);
  for (int i = 0; i < 5; i++) pthread_join(t[i], NULL);
  CHECK(!probe_live() || probe_cycles() > 1, "%lu collections", probe_cycles());
}

static pid_t first; /* the thread whose end the survivor waits for */

static void *survivor(void *arg) {
  while (!is_zombie(first)) continue;
  allocate(100000);
  _exit(arg == NULL ? 7 : 8);
}

static void start_survivor(void) {
  pthread_t t;
  alarm(20);
  first = getpid();
  CHECK(pthread_create(&t, NULL, survivor, NULL) == 0, "pthread_create");
}

static void expect_seven(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) continue;
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7, "status %#x", (unsigned)status);
}

static void *fork_and_end(void *raw) {
  pid_t child = fork();
  CHECK(child >= 0, "fork");
  if (child != 0) {
    expect_seven(child);
    return NULL;
  }
  start_survivor();
  if (raw != NULL) syscall(SYS_exit, 0);
  pthread_exit(NULL);
}

/* All that allocates and frees here is the making and ending of threads. */
static void first_collection_among_endings(void) {
  pid_t child = fork();
  CHECK(child >= 0, "fork");
  if (child == 0) {
    pthread_t t[4];
    struct timespec moment = {0, CHILD_NS};
    alarm(20);
    start_creators(t);
    nanosleep(&moment, NULL);
    atomic_store(&done, true);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    _exit(7);
  }
  expect_seven(child);
}

int main(void) {
  for (int raw = 0; raw < 2; raw++) {
    pthread_t t;
    CHECK(pthread_create(&t, NULL, fork_and_end, raw ? &first : NULL) == 0, "pthread_create");
    pthread_join(t, NULL);
    fork_and_end(raw ? &first : NULL);
  }
  for (int i = 0; i < CHILDREN; i++) first_collection_among_endings();
  cached_stacks();
  puts("ok");
  return 0;
}
