/*
 * Threads that the C library makes for itself, for timers with SIGEV_THREAD: many of them begin and end beside
 * collections, more than it keeps stacks for, so that it unmaps some. The timers' functions allocate, or do nothing
 * with the heap at all. Each sets its timer anew when it has run: where there is no CPU for so many threads, fewer are
 * made.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "support/probe.h"

enum { TIMERS = 20, LEAKERS = 2, SECONDS = 2, MOST_WAITS = 20000 };

static timer_t timers[TIMERS];
static atomic_bool ending, done;
static atomic_uint calls, going;

static void *leaker(void *arg) {
  while (!atomic_load(&done)) pattern_fill(malloc(300), 300, 3);
  return arg;
}

static void set_timer(int number) {
  struct itimerspec soon = {.it_value = {0, 1000000}};
  CHECK(timer_settime(timers[number], 0, &soon, NULL) == 0, "timer_settime");
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
  if (atomic_load(&ending)) {
    atomic_fetch_sub(&going, 1);
  } else {
    set_timer(value.sival_int);
  }
}

static void start_timer(int number) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_time};
  event.sigev_value.sival_int = number;
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timers[number]) == 0, "timer_create");
  atomic_fetch_add(&going, 1);
  set_timer(number);
}

static void end_timers(void) {
  struct timespec moment = {0, 1000000};
  atomic_store(&ending, true);
  for (int i = 0; i < MOST_WAITS && atomic_load(&going) > 0; i++) nanosleep(&moment, NULL);
  CHECK(atomic_load(&going) == 0, "%u timers have not called", atomic_load(&going));
  for (int i = 0; i < TIMERS; i++) timer_delete(timers[i]);
}

int main(void) {
  pthread_t leakers[LEAKERS];
  struct timespec some = {SECONDS, 0};
  for (int i = 0; i < LEAKERS; i++) CHECK(pthread_create(&leakers[i], NULL, leaker, NULL) == 0, "pthread_create");
  for (int i = 0; i < TIMERS; i++) start_timer(i);
  CHECK(nanosleep(&some, NULL) == 0, "nanosleep: %s", strerror(errno));
  end_timers();
  atomic_store(&done, true);
  for (int i = 0; i < LEAKERS; i++) pthread_join(leakers[i], NULL);
  CHECK(atomic_load(&calls) > TIMERS, "%u calls only", atomic_load(&calls));
  puts("ok");
  return 0;
}
