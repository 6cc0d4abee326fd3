/*
 * Threads come and go by the thousand: joined, detached, C11, cancelled, and those that end by pthread_exit; each frees
 * what another allocated, and its thread-specific data have destructors that allocate and free, in two rounds.
 * Collections run all the time. What a thread hands on must survive it, and its cache must not keep memory.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>

#include "support/probe.h"

#define ROUNDS 1500

static pthread_key_t key_one, key_two;
static atomic_int destroyed, detached_done;

static void destroy_one(void *value) {
  CHECK(pattern_holds(value, 333, 5), "specific data overwritten before its destructor");
  free(value);
  char *p = malloc(500);
  pattern_fill(p, 500, 6);
  pthread_setspecific(key_two, p); /* makes a second round of destructors */
  atomic_fetch_add(&destroyed, 1);
}

static void destroy_two(void *value) {
  CHECK(pattern_holds(value, 500, 6), "specific data of the second round overwritten");
  churn(2000);
  free(value);
}

static void *work(void *handed) {
  char *p = malloc(333);
  pattern_fill(p, 333, 5);
  pthread_setspecific(key_one, p);
  CHECK(pattern_holds(handed, 200, 9), "the start argument was overwritten");
  free(handed);
  churn(20000);
  char *result = malloc(700);
  pattern_fill(result, 700, 11);
  return result;
}

static void *work_exit(void *handed) {
  pthread_exit(work(handed));
}

static void *work_detached(void *handed) {
  free(work(handed));
  atomic_fetch_add(&detached_done, 1);
  return NULL;
}

static int work_c11(void *handed) {
  free(work(handed));
  return 17;
}

static void *work_cancelled(void *handed) {
  free(work(handed));
  for (;;) pause();
  return NULL;
}

static void *handed_object(void) {
  void *p = malloc(200);
  pattern_fill(p, 200, 9);
  return p;
}

static int detached_round(void) {
  pthread_t t;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  CHECK(pthread_create(&t, &attr, work_detached, handed_object()) == 0, "pthread_create detached");
  pthread_attr_destroy(&attr);
  return 1;
}

static void c11_round(void) {
  thrd_t t;
  int result = 0;
  CHECK(thrd_create(&t, work_c11, handed_object()) == thrd_success, "thrd_create");
  CHECK(thrd_join(t, &result) == thrd_success && result == 17, "thrd_join gave %d", result);
}

static void cancelled_round(void) {
  pthread_t t;
  void *result;
  CHECK(pthread_create(&t, NULL, work_cancelled, handed_object()) == 0, "pthread_create");
  pthread_cancel(t);
  pthread_join(t, &result);
  CHECK(result == PTHREAD_CANCELED, "a cancelled thread gave %p", result);
}

static void joined_round(int n) {
  pthread_t t[3];
  for (int i = 0; i < 3; i++) {
    CHECK(pthread_create(&t[i], NULL, (n + i) % 2 ? work : work_exit, handed_object()) == 0, "pthread_create");
  }
  if (n % 16 == 0) collect();
  for (int i = 0; i < 3; i++) {
    void *result;
    pthread_join(t[i], &result);
    CHECK(pattern_holds(result, 700, 11), "the result of a thread was overwritten");
    free(result);
  }
}

int main(void) {
  int detached = 0, started = 0;
  pthread_key_create(&key_one, destroy_one);
  pthread_key_create(&key_two, destroy_two);
  for (int n = 0; n < ROUNDS; n += 3, started += 3) {
    joined_round(n);
    if (n % 5 == 0) detached += detached_round();
    if (n % 7 == 0) c11_round();
    if (n % 11 == 0) cancelled_round();
  }
  for (int i = 0; i < 5000 && atomic_load(&detached_done) < detached; i++) usleep(1000);
  CHECK(atomic_load(&detached_done) == detached, "%d of %d detached threads ended", detached_done, detached);
  CHECK(atomic_load(&destroyed) >= started, "%d destructors ran for %d threads", destroyed, started);
  puts("ok");
  return 0;
}
