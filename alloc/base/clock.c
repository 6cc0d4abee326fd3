/*
 * Time. Both clocks come from the vDSO or a plain system call: no lock, no allocation, async-signal-safe, errno
 * preserved. A clock that fails is a broken kernel or a seccomp filter; the runtime cannot pace without one.
 */
#include "internal/clock.h"

#include <errno.h>
#include <time.h>

#include "internal/check.h"

static uint64_t read_clock(clockid_t id) {
  struct timespec ts;
  int saved = errno;
  tri_check(clock_gettime(id, &ts) == 0);
  errno = saved;
  return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t tri_now_ns(void) {
  return read_clock(CLOCK_MONOTONIC);
}

uint64_t tri_thread_cpu_ns(void) {
  return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
