/*
 * Race points (internal/race.h). Only in builds that ask for them; any thread comes by here, at any place, signal
 * handlers and the stopped world included: no locks, errno kept, no memory.
 */
#include "internal/race.h"

#ifdef TRI_RACE_POINTS
#include <errno.h>
#include <sched.h>
#include <stdint.h>

#include "internal/clock.h"

void (*tri_race_hook)(enum tri_race_place);
bool tri_race_yields;

static TRI_TLS uint64_t random_state, may_yield_at;

static bool every_sixteenth(void) {
  if (random_state == 0) random_state = (uintptr_t)&random_state;
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return random_state >> 60 == 0;
}

/* Threads that never sleep keep what they are given for a whole time slice. Who gave the CPU away runs for twice as
 * long as it was gone before it does so again, or a program with busy threads would do little else. */
static void give_away(void) {
  uint64_t begun = tri_now_ns();
  if (begun < may_yield_at) return;
  sched_yield();
  uint64_t back = tri_now_ns();
  may_yield_at = back + 2 * (back - begun);
}

void tri_race_point(enum tri_race_place place) {
  int saved_errno = errno;
  if (tri_race_hook) {
    tri_race_hook(place);
  } else if (tri_race_yields && every_sixteenth()) {
    give_away();
  }
  errno = saved_errno;
}
#endif
