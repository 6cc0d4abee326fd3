/*
 * Threads that the C library makes for itself, for timers with SIGEV_THREAD: many of them begin and end beside
 * collections, more than it keeps stacks for, so that it unmaps some. The timers' functions allocate, or do nothing
 * with the heap at all.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "support/probe.h"

enum { TIMERS = 20, LEAKERS = 2, SECONDS = 2 };

static atomic_bool done;
static atomic_uint calls;

static void *leaker(void *arg) {
  while (!atomic_load(&done)) pattern_fill(malloc(300), 300, 3);
  return arg;
}

static void on_time(union sigval value) {
  struct timespec half = {0, 500000};
  if (value.sival_int % 2) {
    unsigned char *p = malloc(300);
    pattern_fill(p, 300, 5);
    nanosleep(&half, NULL);
    CHECK(pattern_holds(p, 300, 5), "an object of a timer's thread was reclaimed");
    free(p);
  } else {
    nanosleep(&half, NULL);
  }
  atomic_fetch_add(&calls, 1);
}

static timer_t start_timer(int number) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_time};
  struct itimerspec often = {{0, 1000000}, {0, 1000000}};
  event.sigev_value.sival_int = number;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
  CHECK(timer_settime(timer, 0, &often, NULL) == 0, "timer_settime");
  return timer;
}

int main(void) {
  pthread_t leakers[LEAKERS];
  timer_t timers[TIMERS];
  struct timespec some = {SECONDS, 0};
  for (int i = 0; i < LEAKERS; i++) CHECK(pthread_create(&leakers[i], NULL, leaker, NULL) == 0, "pthread_create");
  for (int i = 0; i < TIMERS; i++) timers[i] = start_timer(i);
  CHECK(nanosleep(&some, NULL) == 0, "nanosleep: %s", strerror(errno));
  for (int i = 0; i < TIMERS; i++) timer_delete(timers[i]);
  atomic_store(&done, true);
  for (int i = 0; i < LEAKERS; i++) pthread_join(leakers[i], NULL);
  CHECK(atomic_load(&calls) > TIMERS, "%u calls only", atomic_load(&calls));
  puts("ok");
  return 0;
}
