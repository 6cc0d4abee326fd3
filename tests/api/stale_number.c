/*
 * New threads while a collection begins, for gccheckmark=1. A thread that is not registered yet is not stopped: it
 * stores its number where its maker wants it, over a pointer to garbage. The check must not take that for a store that
 * forgot tri_write. A list makes the first stop long. Forced, with a sleeper: "read over stack" of
 * tests/races/hybrid.c.
 */
#include <pthread.h>

#include "support/probe.h"

enum { MAKERS = 4, LENGTH = 50000, SIZE = 96, SECONDS = 2 };

struct link {
  struct link *next;
  char fill[56];
};

static struct link *list;
static volatile int ended;

static void build(void) {
  for (int i = 0; i < LENGTH; i++) {
    struct link *l = tri_alloc(sizeof *l);
    tri_write(&l->next, list);
    tri_write(&list, l);
  }
}

static void *make(void *seed) {
  void *p = tri_alloc(SIZE);
  pattern_fill(p, SIZE, (unsigned)(uintptr_t)seed);
  return p;
}

static void *make_one_after_the_other(void *unused) {
  for (unsigned seed = 0; !ended; seed++) {
    union {
      pthread_t number;
      void *stale;
    } volatile t = {.stale = tri_alloc(SIZE)};
    void *result;
    CHECK(pthread_create((pthread_t *)&t.number, NULL, make, (void *)(uintptr_t)seed) == 0, "pthread_create");
    CHECK(pthread_join(t.number, &result) == 0, "pthread_join");
    CHECK(pattern_holds(result, SIZE, seed), "a thread's result is gone");
  }
  return unused;
}

int main(void) {
  pthread_t t[MAKERS];
  build();
  for (int i = 0; i < MAKERS; i++)
    CHECK(pthread_create(&t[i], NULL, make_one_after_the_other, NULL) == 0, "pthread_create");
  for (time_t end = time(NULL) + SECONDS; time(NULL) < end;)
    for (int i = 0; i < 1000; i++) tri_keep_alive(tri_alloc(256));
  ended = 1;
  for (int i = 0; i < MAKERS; i++) pthread_join(t[i], NULL);
  puts("ok");
  return 0;
}
