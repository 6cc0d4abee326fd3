/* Where the stress programs' memory comes from and how they store pointers: malloc's family, or the API. */
#ifndef TESTS_STRESS_MEMORY_H
#define TESTS_STRESS_MEMORY_H

#include "support/probe.h"

#ifdef STRESS_API
#include <tricolor/tricolor.h>

static inline void *memory_get(unsigned kind, unsigned align_shift, size_t size) {
  switch (kind) {
    case 0:
      return tri_realloc(tri_alloc(size / 2 + 1), size);
    case 1:
      return tri_realloc(tri_alloc(size * 2 + 1), size);
    default:
      return tri_alloc(size);
  }
}
static inline void *memory_get_data(size_t size) {
  return tri_alloc_noscan(size);
}
static inline void *memory_array(size_t pointers) {
  return tri_alloc(pointers * sizeof(void *));
}
static inline void *memory_resize(void *p, size_t size) {
  return tri_realloc(p, size);
}
static inline void memory_zero(void *p, size_t size) {
  tri_zero(p, size);
}
static inline void memory_free(void *p) {
  tri_free(p);
}
static inline void memory_store(void *slot, const void *pointer) {
  tri_write(slot, pointer);
}
static inline void *memory_exchange(void *slot, void *pointer) {
  return tri_atomic_exchange(slot, pointer);
}
static inline unsigned long memory_cycles(void) {
  struct tri_stats stats = {.size = sizeof stats};
  return tri_read_stats(&stats) == 0 ? stats.num_gc : 0;
}
#else
#include <malloc.h>

static inline void *memory_get(unsigned kind, unsigned align_shift, size_t size) {
  switch (kind) {
    case 0:
      return calloc(1, size);
    case 1:
      return memalign((size_t)16 << align_shift, size);
    case 2:
      return realloc(malloc(size / 2 + 1), size);
    default:
      return malloc(size);
  }
}
static inline void *memory_get_data(size_t size) {
  return malloc(size);
}
static inline void *memory_array(size_t pointers) {
  return calloc(pointers, sizeof(void *));
}
static inline void *memory_resize(void *p, size_t size) {
  return realloc(p, size);
}
static inline void memory_zero(void *p, size_t size) {
  memset(p, 0, size);
}
static inline void memory_free(void *p) {
  free(p);
}
static inline void memory_store(void *slot, void *pointer) {
  *(void **)slot = pointer;
}
static inline void *memory_exchange(void *slot, void *pointer) {
  return __atomic_exchange_n((void **)slot, pointer, __ATOMIC_SEQ_CST);
}
static inline unsigned long memory_cycles(void) {
  return probe_cycles();
}
#endif

#endif
