/*
 * Threads that have blocked all signals behind the C library's back cannot be stopped: the stop waits, says so after
 * five seconds in one line, however many they are, and the others run on meanwhile. When they listen again it ends.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/probe.h"

enum { DEAF = 2, SECONDS = 6, LEAST_CALLS = 100 };

static atomic_uint deaf;
static atomic_bool over, collected;

static void *be_deaf(void *arg) {
  uint64_t all = UINT64_MAX, old;
  struct timespec moment = {0, 1000000};
  free(malloc(40));
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &old, sizeof old);
  atomic_fetch_add(&deaf, 1);
  while (!atomic_load(&over)) syscall(SYS_nanosleep, &moment, NULL);
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
  return arg;
}

static void *ask_for_it(void *arg) {
  probe.gc();
  atomic_store(&collected, true);
  return arg;
}

static unsigned run_on_for(int seconds) {
  unsigned n = 0;
  struct timespec moment = {0, 1000000};
  for (time_t end = time(NULL) + seconds; time(NULL) <= end; n++) {
    free(malloc(100));
    syscall(SYS_nanosleep, &moment, NULL);
  }
  return n;
}

int main(void) {
  if (!probe_live()) return 77;
  pthread_t threads[DEAF], collector;
  for (int i = 0; i < DEAF; i++) CHECK(pthread_create(&threads[i], NULL, be_deaf, NULL) == 0, "pthread_create");
  while (atomic_load(&deaf) < DEAF) usleep(1000);
  CHECK(pthread_create(&collector, NULL, ask_for_it, NULL) == 0, "pthread_create");
  unsigned calls = run_on_for(SECONDS);
  CHECK(!atomic_load(&collected), "a collection with threads that run");
  CHECK(calls >= LEAST_CALLS, "%u calls only", calls);
  atomic_store(&over, true);
  pthread_join(collector, NULL);
  for (int i = 0; i < DEAF; i++) pthread_join(threads[i], NULL);
  puts("ok");
  return 0;
}
