/* Random numbers for model and stress tests: splitmix64. The seed is printed, and TRI_SEED sets it to repeat a run. */
#ifndef TRI_TESTS_RANDOM_H
#define TRI_TESTS_RANDOM_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct test_random {
  uint64_t state;
};

static inline uint64_t test_random_next(struct test_random *r) {
  uint64_t z = (r->state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/* A number below n. */
static inline size_t test_random_below(struct test_random *r, size_t n) {
  return (size_t)(test_random_next(r) % n);
}

/* Mostly small, sometimes up to max: 1 <= result <= max. */
static inline size_t test_random_size(struct test_random *r, size_t max) {
  size_t bits = test_random_below(r, 64 - (size_t)__builtin_clzll(max) + 1);
  size_t n = 1 + test_random_below(r, (size_t)1 << bits);
  return n < max ? n : max;
}

static inline struct test_random test_random_seeded(const char *test) {
  const char *set = getenv("TRI_SEED");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t seed = set != NULL ? strtoull(set, NULL, 0) : ((uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec);
  fprintf(stderr, "%s: TRI_SEED=%llu\n", test, (unsigned long long)seed);
  return (struct test_random){seed};
}

#endif
