/*
 * What the benchmark programs share: where memory comes from, a generator of fixed random numbers, and the result.
 *
 * Each program does a fixed amount of work (the first argument is a factor, 1.0 takes about a second) and prints one
 * line, "checksum NAME HEX", that does not depend on the allocator. The same source gives several programs: one with
 * malloc and free, which an allocator is preloaded into, and collected forms, in which nobody frees: BENCH_LIBGC with
 * objects from libgc, BENCH_API with tri_alloc and tri_write, BENCH_API_PLAIN with tri_alloc and plain stores (for
 * barrier=stw only). bench_store stores a pointer into an object.
 */
#ifndef BENCH_H
#define BENCH_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is dropped is given to bench_free. */
#if defined BENCH_LIBGC || defined BENCH_API || defined BENCH_API_PLAIN
enum { bench_frees = 0 };
#else
enum { bench_frees = 1 };
#endif

#ifdef BENCH_LIBGC
#define GC_THREADS
#include <gc/gc.h>
static inline void bench_init(void) {
  GC_INIT();
}
static inline void *bench_alloc(size_t size) {
  return GC_MALLOC(size);
}
static inline void *bench_alloc_data(size_t size) {
  return GC_MALLOC_ATOMIC(size);
} /* holds no pointers */
static inline void bench_free(void *p) {
  (void)p;
}
#elif defined BENCH_API || defined BENCH_API_PLAIN
#include <tricolor/tricolor.h>
static inline void bench_init(void) {
  tri_keep_alive(tri_alloc(1)); /* the runtime starts with the first call: its clock counts from here */
}
static inline void *bench_alloc(size_t size) {
  return tri_alloc(size);
}
static inline void *bench_alloc_data(size_t size) {
  return tri_alloc_noscan(size);
}
static inline void bench_free(void *p) {
  (void)p;
}
#else
static inline void bench_init(void) {}
static inline void *bench_alloc(size_t size) {
  return malloc(size);
}
static inline void *bench_alloc_data(size_t size) {
  return malloc(size);
}
static inline void bench_free(void *p) {
  free(p);
}
#endif

#ifdef BENCH_API
#define bench_store(slot, value) TRI_WRITE(*(slot), value)
#else
#define bench_store(slot, value) ((void)(*(slot) = (value)))
#endif

static inline void *bench_need(void *p) {
  if (p == NULL) {
    fputs("out of memory\n", stderr);
    abort();
  }
  return p;
}

/* xorshift64*: the numbers are the same on every machine. */
static inline uint64_t bench_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * UINT64_C(0x2545F4914F6CDD1D);
}

/* Log-uniform in whole octaves: as many sizes from 16 to 31 as from 512 to 1023. */
static inline size_t bench_size(uint64_t *state, unsigned low_bits, unsigned octaves) {
  uint64_t r = bench_random(state);
  size_t base = (size_t)1 << (low_bits + (unsigned)((r >> 32) % octaves));
  return base + (size_t)(r & (base - 1));
}

static inline uint64_t bench_mix(uint64_t sum, uint64_t value) {
  return (sum ^ value) * UINT64_C(0x9E3779B97F4A7C15);
}

static inline double bench_scale(int argc, char **argv) {
  double scale = argc > 1 ? strtod(argv[1], NULL) : 1.0;
  return scale > 0 ? scale : 1.0;
}

static inline int bench_result(const char *name, uint64_t sum) {
  printf("checksum %s %016" PRIx64 "\n", name, sum);
  return fflush(stdout) == 0 ? 0 : 1;
}

#endif
