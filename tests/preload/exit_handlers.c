/*
 * malloc at the edges of a process: in constructors before main, in atexit and on_exit handlers and destructors after
 * it, while another thread goes on allocating. The last handler prints "ok".
 */
#include <pthread.h>

#include "support/probe.h"

static char *early[100];
static char *late;

__attribute__((constructor(102))) static void before_main(void) {
  for (unsigned i = 0; i < 100; i++) {
    early[i] = malloc(50 + i);
    pattern_fill(early[i], 50 + i, i);
  }
  collect();
}

static void check_all(void) {
  for (unsigned i = 0; i < 100; i++)
    CHECK(pattern_holds(early[i], 50 + i, i), "object %u of a constructor was lost", i);
  CHECK(pattern_holds(late, 70000, 3), "the object of main was lost");
}

static void last(void) {
  churn(200000);
  collect();
  check_all();
  for (int i = 0; i < 100; i++) free(early[i]);
  free(late);
  puts("ok");
}

static void first(void) {
  churn(200000);
  check_all();
}

static void with_argument(int status, void *arg) {
  CHECK(status == 0 && pattern_holds(arg, 90, 8), "the argument of on_exit was lost");
  free(arg);
}

__attribute__((destructor)) static void after_main(void) {
  churn(100000);
}

static void *endless(void *unused) {
  (void)unused;
  for (;;) churn(100000);
  return NULL;
}

NOINLINE static void register_on_exit(void) {
  char *p = malloc(90);
  pattern_fill(p, 90, 8);
  on_exit(with_argument, p);
}

int main(void) {
  pthread_t t;
  late = malloc(70000);
  pattern_fill(late, 70000, 3);
  atexit(last);
  register_on_exit();
  atexit(first);
  CHECK(pthread_create(&t, NULL, endless, NULL) == 0, "pthread_create");
  churn(1000000);
  collect();
  check_all();
  return 0;
}
