/*
 * A program makes its first thread and goes to sleep at once. The thread registers only when it runs, and collects as
 * the first thing that it does: the sleep of its maker lasts as long as it should all the same. In a child of fork each
 * time, where no thread but one has ever been. The thread may also be one that the C library makes, for a timer.
 */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "support/probe.h"

enum { ROUNDS = 30, MILLISECONDS = 60 };

static sem_t collected;

static void *collects(void *arg) {
  for (int i = 0; i < 5; i++) {
    memset(malloc(4000), 0x41, 4000);
    collect();
  }
  sem_post(&collected);
  return arg;
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void make_thread(void) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, collects, NULL) == 0, "pthread_create");
  pthread_detach(t);
}
static void on_time(union sigval value) {
  collects(value.sival_ptr);
}
static void make_timer(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_time};
  struct itimerspec soon = {.it_value.tv_nsec = MILLISECONDS / 3 * 1000000L};
  CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
  CHECK(timer_settime(timer, 0, &soon, NULL) == 0, "timer_settime");
}
static void (*const makers[])(void) = {make_thread, make_timer};

static void by_nanosleep(void) {
  struct timespec time = {0, MILLISECONDS * 1000000L}, left;
  CHECK(nanosleep(&time, &left) == 0, "nanosleep: %s", strerror(errno));
}
static void by_poll(void) {
  CHECK(poll(NULL, 0, MILLISECONDS) == 0, "poll: %s", strerror(errno));
}
static void by_semaphore(void) {
  sem_t never;
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += MILLISECONDS * 1000000L;
  if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
  sem_init(&never, 0, 0);
  CHECK_FAILS(sem_timedwait(&never, &until), ETIMEDOUT);
}
static void (*const ways[])(void) = {by_nanosleep, by_poll, by_semaphore};

static void sleep_at_once(int round) {
  uint64_t start = now_ns();
  sem_init(&collected, 0, 0);
  makers[round % 2]();
  ways[round / 2 % 3]();
  CHECK(now_ns() - start > (MILLISECONDS - 5) * (uint64_t)1000000, "woken early in round %d", round);
  while (sem_wait(&collected) != 0) continue;
}

int main(void) {
  for (int round = 0; round < ROUNDS; round++) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
      sleep_at_once(round);
      _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0, "round %d: status %d", round, status);
  }
  puts("ok");
  return 0;
}
