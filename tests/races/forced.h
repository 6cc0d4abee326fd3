/*
 * Interleavings, step by step. A script (the main thread, unknown to the runtime) tells actors, which are threads of
 * the program, what to do next, arms race points (internal/race.h) at which one of them will stand still, and lets it
 * go.
 *
 * An actor that is held does not sleep in a way that the runtime knows of: to the runtime it runs. What an actor keeps
 * in its `mine` is on its own stack, and nowhere else once forget() has been called.
 */
#ifndef TESTS_RACES_FORCED_H
#define TESTS_RACES_FORCED_H

#include "internal/race.h"

static void at_race_point(enum tri_race_place place);
#define TRI_WRITE_POINT() at_race_point(TRI_RACE_STORE)

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/probe.h"

enum { NOBODY, COLLECTOR, WRITER, HELPER, CHILD, ROLES };
enum { STEP_NS = 50 * 1000, LONG_MS = 10000, MOMENT_MS = 100 };

static _Thread_local int role;

/* Not the C library's sleep, which would be a safe region. */
static void nap(void) {
  struct timespec step = {0, STEP_NS};
  int saved_errno = errno;
  syscall(SYS_nanosleep, &step, NULL);
  errno = saved_errno;
}

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* False: it did not happen in time. */
static bool becomes_within(const atomic_bool *flag, uint64_t ms) {
  for (uint64_t end = now_ms() + ms; !atomic_load(flag);) {
    if (now_ms() > end) return false;
    nap();
  }
  return true;
}

/* Places. */

enum { IN_HANDLER = TRI_RACE_PLACES, PLACES }; /* and one of the tests' own */

static struct {
  atomic_int role;
  atomic_uint armed, held, released; /* numbers of holds */
} places[PLACES];

static void (*before_holding)(void); /* in the thread that is going to be held */

/* A thread that the program has not begun yet is CHILD. */
static void at_race_point(enum tri_race_place place) {
  int wanted = role ? role : CHILD;
  if (!atomic_compare_exchange_strong(&places[place].role, &wanted, NOBODY)) return;
  unsigned number = atomic_load(&places[place].armed);
  if (before_holding) before_holding();
  atomic_store(&places[place].held, number);
  while (atomic_load(&places[place].released) < number) nap();
}

/* The next time that the thread comes by, it stays. It may be there already, for the hold before. */
static void hold(int who, int place) {
  atomic_fetch_add(&places[place].armed, 1);
  atomic_store(&places[place].role, who);
}

static bool is_held_within(int place, uint64_t ms) {
  for (uint64_t end = now_ms() + ms; atomic_load(&places[place].held) != atomic_load(&places[place].armed);) {
    if (now_ms() > end) return false;
    nap();
  }
  return true;
}

#define wait_held(place) CHECK(is_held_within(place, LONG_MS), "nobody came by")

static void let_go(int place) {
  atomic_store(&places[place].released, atomic_load(&places[place].held));
}

/* Actors. */

struct actor {
  pthread_t thread;
  void (*volatile step)(struct actor *);
  void *volatile *mine; /* a pointer on its stack */
  atomic_bool busy, done, ready;
  int role;
};

static struct actor actors[ROLES];

/* What the last store has published, and what lies below on the stack. */
UNUSED NOINLINE static void forget(void) {
  static void *volatile nowhere;
  tri_write((void *)&nowhere, NULL);
  wipe();
}

static void *act(void *self) {
  struct actor *a = self;
  void *volatile mine = NULL;
  role = a->role;
  a->mine = &mine;
  atomic_store(&a->ready, true);
  for (;;) {
    while (!atomic_load(&a->busy)) nap();
    a->step(a);
    forget();
    atomic_store(&a->busy, false);
    atomic_store(&a->done, true);
  }
  return NULL;
}

/* By the script, which stays unknown to the runtime: it holds nothing, and must not be stopped. */
static void start_actor(int who) {
  struct actor *a = &actors[who];
  a->role = who;
  CHECK(pthread_create(&a->thread, NULL, act, a) == 0, "pthread_create");
  CHECK(becomes_within(&a->ready, LONG_MS), "an actor does not begin");
  CHECK(tri_thread_unregister() == 0, "the main thread cannot be unregistered");
}

static void begin(int who, void (*step)(struct actor *)) {
  struct actor *a = &actors[who];
  a->step = step;
  atomic_store(&a->done, false);
  atomic_store(&a->busy, true);
}

#define finish(who) CHECK(becomes_within(&actors[who].done, LONG_MS), "the step does not end")

#define act_now(who, step) \
  do {                     \
    begin(who, step);      \
    finish(who);           \
  } while (0)

static void collect_step(struct actor *a) {
  tri_gc();
}

/* Up to this place of the runner's; and to the end. */
UNUSED static void collect_to(int place) {
  hold(COLLECTOR, place);
  begin(COLLECTOR, collect_step);
  wait_held(place);
}

UNUSED static void collect_from(int place) {
  let_go(place);
  finish(COLLECTOR);
}

struct scenario {
  const char *name;
  void (*run)(void);
};

static int run_scenario(const struct scenario *all, size_t n, const char *name) {
  tri_race_hook = at_race_point;
  for (size_t i = 0; i < n; i++) {
    if (strcmp(all[i].name, name) != 0) continue;
    start_actor(COLLECTOR);
    start_actor(WRITER);
    start_actor(HELPER);
    all[i].run();
    puts("ok");
    fflush(stdout);
    _exit(0);
  }
  fprintf(stderr, "no scenario %s\n", name);
  return 2;
}

#endif
