/* Mutual exclusion, waking, errno, and with full checks the ranks. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "internal/check.h"
#include "internal/clock.h"
#include "internal/lock.h"

#define THREADS 4
#define ROUNDS 50000

static struct tri_lock lock = TRI_LOCK_INIT(TRI_RANK_HEAP);
static unsigned long counter;

static void *count(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    tri_lock_acquire(&lock);
    unsigned long v = counter;
    if (i % 64 == 0) sched_yield();
    counter = v + 1;
    tri_lock_release(&lock);
  }
  return arg;
}

Test(lock, excludes, .timeout = 60) {
  pthread_t t[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, count, NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  cr_assert_eq(counter, (unsigned long)THREADS * ROUNDS);
  cr_assert_eq(tri_int_load_rlx(&lock.word), 0);
}

static void *take_and_set(void *arg) {
  errno = EXDEV;
  tri_lock_acquire(&lock);
  *(int *)arg = errno;
  tri_lock_release(&lock);
  return NULL;
}

Test(lock, sleeper_is_woken_and_keeps_errno, .timeout = 20) {
  int seen = 0;
  pthread_t t;
  tri_lock_acquire(&lock);
  pthread_create(&t, NULL, take_and_set, &seen);
  while (tri_int_load_rlx(&lock.word) != 2) usleep(100);
  usleep(2000);
  tri_lock_release(&lock);
  pthread_join(t, NULL);
  cr_assert_eq(seen, EXDEV);
}

static void *count_in_turns(void *arg) {
  for (int i = 0; i < ROUNDS / 10; i++) {
    while (!tri_lock_acquire_within(&lock, 20 * 1000)) *(unsigned long *)arg += 1;
    unsigned long v = counter;
    if (i % 64 == 0) usleep(50);
    counter = v + 1;
    tri_lock_release(&lock);
  }
  return arg;
}

/* Those that give up and those that wait for good lose no wake of each other's. */
Test(lock, within_a_time_excludes_and_gives_up, .timeout = 60) {
  pthread_t t[THREADS];
  unsigned long given_up[THREADS] = {0};
  for (int i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, i % 2 ? count_in_turns : count, &given_up[i]);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  cr_assert_eq(counter, (unsigned long)THREADS / 2 * (ROUNDS + ROUNDS / 10));
}

static void *want_within(void *arg) {
  uint64_t start = tri_now_ns();
  bool taken = tri_lock_acquire_within(&lock, 5 * 1000 * 1000);
  *(uint64_t *)arg = taken ? 0 : tri_now_ns() - start;
  return NULL;
}

Test(lock, that_is_held_is_given_up_in_time, .timeout = 20) {
  uint64_t waited = 0;
  pthread_t t;
  tri_lock_acquire(&lock);
  pthread_create(&t, NULL, want_within, &waited);
  pthread_join(t, NULL);
  cr_assert_geq(waited, 5 * 1000 * 1000);
  tri_lock_release(&lock);
  cr_assert(tri_lock_acquire_within(&lock, 1));
  tri_lock_release(&lock);
}

static void *try_it(void *arg) {
  *(bool *)arg = tri_lock_try(&lock);
  if (*(bool *)arg) tri_lock_release(&lock);
  return NULL;
}

Test(lock, try_fails_while_held) {
  bool got = true;
  pthread_t t;
  tri_lock_acquire(&lock);
  pthread_create(&t, NULL, try_it, &got);
  pthread_join(t, NULL);
  cr_assert_not(got);
  tri_lock_release(&lock);
  pthread_create(&t, NULL, try_it, &got);
  pthread_join(t, NULL);
  cr_assert(got);
}

Test(lock, futex_wait_returns_on_value_and_timeout, .timeout = 20) {
  tri_aint word = 5;
  errno = EXDEV;
  tri_futex_wait(&word, 4, 0);
  uint64_t start = tri_now_ns();
  tri_futex_wait(&word, 5, 20000000);
  cr_assert_geq(tri_now_ns() - start, 15000000);
  cr_assert_eq(errno, EXDEV);
}

Test(clock, runs_forward_and_counts_cpu) {
  uint64_t wall = tri_now_ns(), cpu = tri_thread_cpu_ns();
  usleep(30000);
  uint64_t slept = tri_now_ns() - wall, used = tri_thread_cpu_ns() - cpu;
  cr_assert_geq(slept, 30000000);
  cr_assert_lt(used, slept / 2);
  volatile unsigned spin = 0;
  while (tri_thread_cpu_ns() - cpu < 5000000) spin = spin + 1;
  cr_assert_geq(tri_now_ns() - wall, 5000000);
}

#ifdef TRI_CHECKS_FULL

static struct tri_lock inner = TRI_LOCK_INIT(TRI_RANK_LOG);

Test(ranks, rising_order_and_any_release_order) {
  tri_lock_assert_none();
  tri_lock_acquire(&lock);
  tri_lock_acquire(&inner);
  tri_lock_assert_held(&lock);
  tri_lock_release(&lock);
  tri_lock_assert_held(&inner);
  tri_lock_release(&inner);
  tri_lock_assert_none();
}

Test(ranks, falling_order_is_fatal, .signal = SIGABRT) {
  tri_lock_acquire(&inner);
  tri_lock_acquire(&lock);
}

Test(ranks, falling_order_is_fatal_for_try_too, .signal = SIGABRT) {
  tri_lock_acquire(&inner);
  tri_lock_try(&lock);
}

Test(ranks, twice_is_fatal, .signal = SIGABRT, .timeout = 10) {
  tri_lock_acquire(&lock);
  tri_lock_acquire(&lock);
}

Test(ranks, release_of_a_free_lock_is_fatal, .signal = SIGABRT) {
  tri_lock_release(&lock);
}

Test(ranks, assert_held_is_fatal_without, .signal = SIGABRT) {
  tri_lock_assert_held(&lock);
}

Test(ranks, assert_none_is_fatal_with, .signal = SIGABRT) {
  tri_lock_acquire(&lock);
  tri_lock_assert_none();
}

#endif
