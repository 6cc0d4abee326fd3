/* Where the stress programs' memory comes from and how they store pointers: malloc's family, or the API. */
#ifndef TESTS_STRESS_MEMORY_H
#define TESTS_STRESS_MEMORY_H

#include "support/probe.h"

#ifdef STRESS_API
#include <tricolor/tricolor.h>

#ifdef STRESS_TYPED
/* Objects of stress/checked.h: the pointers are the words 3 to 6. One type for each power of two. */
#define MEMORY_EDGES UINT64_C(0x78)
#define MEMORY_TYPE(bits) \
  { "checked", (size_t)1 << (bits), TRI_TYPE_WORDS((size_t)1 << (bits)), memory_edges }
static const uint64_t memory_edges[1024] = {MEMORY_EDGES};
static const struct tri_type memory_types[] = {MEMORY_TYPE(7),  MEMORY_TYPE(8),  MEMORY_TYPE(9),  MEMORY_TYPE(10),
                                               MEMORY_TYPE(11), MEMORY_TYPE(12), MEMORY_TYPE(13), MEMORY_TYPE(14),
                                               MEMORY_TYPE(15), MEMORY_TYPE(16), MEMORY_TYPE(17), MEMORY_TYPE(18),
                                               MEMORY_TYPE(19)};
static const struct tri_type memory_pointer = {"pointer", sizeof(void *), 1, (const uint64_t[]){1}};

static inline void *memory_object(size_t size) {
  const struct tri_type *type = memory_types;
  while (type->size < size) type++;
  return tri_alloc_typed(type, 1);
}
static inline void *memory_array(size_t pointers) {
  return tri_alloc_typed(&memory_pointer, pointers);
}
#else
static inline void *memory_object(size_t size) {
  return tri_alloc(size);
}
static inline void *memory_array(size_t pointers) {
  return tri_alloc(pointers * sizeof(void *));
}
#endif

static inline void *memory_get(unsigned kind, unsigned align_shift, size_t size) {
  switch (kind) {
    case 0:
      return tri_realloc(memory_object(size / 2 + 1), size);
    case 1:
      return tri_realloc(memory_object(size * 2 + 1), size);
    default:
      return memory_object(size);
  }
}
static inline void *memory_get_data(size_t size) {
  return tri_alloc_noscan(size);
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
