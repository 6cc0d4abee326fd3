/*
 * A store that a collection interrupts half way: the thread has published slot and value and has seen the barrier off;
 * the first stop comes; then it stores. What it overwrites is shaded by nobody but the collector, in that stop.
 *
 * The inline tri_write is written out, with a wait for the barrier in its middle. The object that the store takes away
 * hangs on the far end of a long list, which no marker reaches before. Three forms: from the main program; with a
 * signal handler in the middle that stores through the barrier itself, elsewhere; and with the stop in that handler.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "support/probe.h"

enum { LENGTH = 300000, ROUNDS = 12, SIZE = 192 };

struct link {
  struct link *next;
  void *field;
  char fill[48];
};

static struct link *first, *last;
static atomic_bool collecting;

static void build(void) {
  for (int i = 0; i < LENGTH; i++) {
    struct link *l = tri_alloc(sizeof *l);
    if (last) {
      tri_write(&last->next, l);
    } else {
      first = l;
    }
    last = l;
  }
  last = NULL; /* a global would let markers begin at the end */
}

NOINLINE static uintptr_t hidden_end(void) {
  struct link *l = first;
  while (l->next) l = l->next;
  return HIDE(l);
}

NOINLINE static void hang_up(uintptr_t end, unsigned seed) {
  void *p = tri_alloc(SIZE);
  pattern_fill(p, SIZE, seed);
  tri_write(&((struct link *)UNHIDE(end))->field, p);
}

static void *collect_once(void *unused) {
  atomic_store(&collecting, true);
  tri_gc();
  return unused;
}

static struct link *elsewhere;
static bool collect_in_handler;

static void wait_for_barrier(void) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, collect_once, NULL) == 0, "pthread_create");
  pthread_detach(t);
  for (unsigned waited = 0; tri_barrier_self.state == 0 && waited < 1000000; waited++) {
    sched_yield();
    __asm__ __volatile__("" : : : "memory");
  }
}

static void on_signal(int sig) {
  tri_write(&elsewhere->field, elsewhere);
  if (collect_in_handler) wait_for_barrier();
}

/* True when the barrier went on between the look at it and the store. */
NOINLINE static bool store_half_way(uintptr_t end, bool with_signal, void **ret_taken) {
  void **slot = &((struct link *)UNHIDE(end))->field;
  struct tri_barrier *b = &tri_barrier_self;
  while (b->state != 0) sched_yield();
  b->slot = slot;
  b->value = NULL;
  __asm__ __volatile__("" : : : "memory");
  if (b->state != 0) return false;
  if (with_signal) raise(SIGUSR1);
  if (!with_signal || !collect_in_handler) wait_for_barrier();
  bool on = b->state != 0;
  *ret_taken = *slot; /* read after the stop: the collector has not seen it in a register */
  *(void *volatile *)slot = NULL;
  return on;
}

static int round_of(unsigned seed, bool with_signal) {
  uintptr_t end = hidden_end();
  void *taken = NULL;
  hang_up(end, seed);
  wipe();
  atomic_store(&collecting, false);
  bool forced = store_half_way(end, with_signal, &taken);
  while (tri_barrier_self.state != 0 || !atomic_load(&collecting)) sched_yield();
  tri_gc();
  if (forced) CHECK(pattern_holds(taken, SIZE, seed), "the object that a half-done store took away is gone");
  return forced;
}

int main(void) {
  int forced = 0;
  elsewhere = tri_alloc(sizeof *elsewhere);
  signal(SIGUSR1, on_signal);
  build();
  for (unsigned i = 0; i < ROUNDS; i++) {
    collect_in_handler = i % 3 == 2;
    forced += round_of(i, i % 3 != 0);
  }
  printf("%d of %d stores were interrupted\n", forced, ROUNDS);
  CHECK(forced > 0, "no store was interrupted");
  puts("ok");
  return 0;
}
