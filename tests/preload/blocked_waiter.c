/*
 * What the C library does where it makes a thread for asynchronous I/O: with all signals blocked, by its own means, it
 * waits for a lock that a thread of its own may hold, which is first seen when it frees something under that lock. Such
 * a free waits while the world is stopped, and the waiter cannot be stopped until the lock is free: a stop must come to
 * an end all the same.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/libc.h"
#include "support/progress.h"

enum { SECONDS = 4 };

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
  *(void **)&create = libc_own("pthread_create");
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

int main(void) {
  void *(*const work[])(void *) = {make_strangers, leaker, waiter, waiter};
  enum { THREADS = sizeof work / sizeof work[0] };
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
  both_go_on_for(SECONDS, &waits, &strangers, false);
  atomic_store(&done, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  puts("ok");
  return 0;
}
