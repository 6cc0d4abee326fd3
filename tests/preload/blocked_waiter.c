/*
 * What the C library does where it makes a thread for asynchronous I/O: with all signals blocked, by its own means, it
 * waits for a lock that a thread of its own may hold, which is first seen when it frees something under that lock. Such
 * a free waits while the world is stopped, and the waiter cannot be stopped until the lock is free: a stop must come to
 * an end all the same.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/probe.h"

enum { SECONDS = 4, PATIENCE_SECONDS = 30 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint waits, strangers;
static atomic_bool done;

static void *waiter(void *arg) {
  unsigned long all = ~0UL, old;
  while (!atomic_load(&done)) {
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &old, sizeof old);
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
    atomic_fetch_add(&waits, 1);
  }
  return arg;
}

static void *stranger(void *block) {
  pthread_mutex_lock(&lock);
  free(block);
  pthread_mutex_unlock(&lock);
  atomic_fetch_add(&strangers, 1);
  return NULL;
}

static void *make_strangers(void *arg) {
  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  CHECK(libc, "no libc.so.6: %s", dlerror());
  *(void **)&create = dlsym(libc, "pthread_create");
  CHECK(create && create != pthread_create, "no pthread_create but ours");
  while (!atomic_load(&done)) {
    pthread_t t;
    CHECK(create(&t, NULL, stranger, malloc(40)) == 0, "pthread_create");
    pthread_join(t, NULL);
  }
  return arg;
}

static void *leaker(void *arg) {
  while (!atomic_load(&done)) pattern_fill(malloc(3000), 3000, 3);
  return arg;
}

/* A stop that never ends ends both. */
static void goes_on_for(int seconds) {
  for (int i = 0; i < seconds; i++) {
    unsigned had_waited = atomic_load(&waits), had_come = atomic_load(&strangers), waited = 0;
    do {
      CHECK(sleep(1) == 0, "woken");
      CHECK(++waited < PATIENCE_SECONDS, "%u waits, %u strangers: no more of either", had_waited, had_come);
    } while (atomic_load(&waits) == had_waited || atomic_load(&strangers) == had_come);
  }
}

int main(void) {
  void *(*const work[])(void *) = {make_strangers, leaker, waiter, waiter};
  enum { THREADS = sizeof work / sizeof work[0] };
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
  goes_on_for(SECONDS);
  atomic_store(&done, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  puts("ok");
  return 0;
}
