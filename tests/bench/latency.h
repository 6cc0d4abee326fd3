/* Clock and histogram of the programs that time each operation. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <errno.h>
#include <stdint.h>
#include <time.h>

enum { SUB = 32, BUCKETS = 40 * SUB };

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void sleep_until(uint64_t ns) {
  struct timespec until = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
}

/* Buckets of one part in SUB. */
static inline unsigned bucket_of(uint64_t ns) {
  if (ns < SUB) return (unsigned)ns;
  unsigned exponent = 63 - (unsigned)__builtin_clzll(ns) - 5;
  unsigned b = (exponent + 1) * SUB + (unsigned)(ns >> exponent) % SUB;
  return b < BUCKETS ? b : BUCKETS - 1;
}

static inline uint64_t value_of(unsigned bucket) {
  unsigned exponent = bucket / SUB;
  return exponent == 0 ? bucket : (uint64_t)(SUB + bucket % SUB) << (exponent - 1);
}

static inline uint64_t percentile(const uint64_t *count, uint64_t total, double share) {
  uint64_t seen = 0, wanted = (uint64_t)((double)total * share);
  for (unsigned b = 0; b < BUCKETS; b++) {
    seen += count[b];
    if (seen > wanted) return value_of(b);
  }
  return value_of(BUCKETS - 1);
}

#endif
