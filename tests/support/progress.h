/* For programs that a stop which never ends would hold up. */
#ifndef TESTS_SUPPORT_PROGRESS_H
#define TESTS_SUPPORT_PROGRESS_H

#include <stdatomic.h>
#include <time.h>

#include "support/probe.h"

enum { PATIENCE_SECONDS = 30 };

/* A collection does not wake a sleeper; signals_come: other signals do. */
UNUSED static void sleep_for_a_second(bool signals_come) {
  struct timespec left = {1, 0};
  while (nanosleep(&left, &left) != 0) CHECK(errno == EINTR && signals_come, "woken");
}

/* Other threads count a and b: in each of so many steps of a second or more, both grow. */
UNUSED static void both_go_on_for(int seconds, atomic_uint *a, atomic_uint *b, bool signals_come) {
  for (int i = 0; i < seconds; i++) {
    unsigned had_a = atomic_load(a), had_b = atomic_load(b), waited = 0;
    do {
      sleep_for_a_second(signals_come);
      CHECK(++waited < PATIENCE_SECONDS, "%u and %u: no more of either", had_a, had_b);
    } while (atomic_load(a) == had_a || atomic_load(b) == had_b);
  }
}

#endif
