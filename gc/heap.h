/* Allocation and free, whole: what malloc's family and the API are made of. */
#ifndef TRI_GC_HEAP_H
#define TRI_GC_HEAP_H

#include <string.h>

#include "alloc/mheap.h"
#include "gc/stop.h"

enum tri_alloc_flags {
  TRI_ALLOC_SCAN = 0,
  TRI_ALLOC_NOSCAN = 1,  /* the span class's low bit */
  TRI_ALLOC_ZERO = 2,    /* the memory reads as zero; without MALLOC16 the whole slot, so that no old word is left */
  TRI_ALLOC_MALLOC16 = 4 /* malloc's classes: 16-byte alignment from 9 bytes on */
};
/* A flag too, for one of ZERO: the object is of this type, a number of gc/types.h. */
#define TRI_ALLOC_TYPE(number) ((unsigned)(number) << 16)

/* NULL with errno ENOMEM. */
void *tri_heap_alloc(size_t size, unsigned flags);
void *tri_heap_alloc_aligned(size_t align, size_t size, unsigned flags); /* align: power of two */
/* Everything that tri_heap_alloc's inline part does not do. */
void *tri_heap_alloc_slow(size_t size, unsigned flags);
/* Everything that the inline free does not do, errors included; `caller` names the function for messages. */
void tri_heap_free_slow(void *p, const char *caller);
void *tri_heap_realloc(void *p, size_t size, unsigned flags);
size_t tri_heap_usable(const void *p, const char *caller);

/* p lies in the heap or in the emergency region. */
bool tri_heap_owns(const void *p);

/* free() does nothing: free=ignore. Set once. */
extern bool tri_heap_free_ignored TRI_INTERNAL;

TRI_INLINE void *tri_heap_alloc_class(unsigned spanclass) {
  struct tri_thread *t = tri_self;
  if (tri_unlikely(!tri_runtime_enter(t))) return NULL;
  void *p = tri_mcache_alloc(&t->mcache, spanclass);
  tri_runtime_leave(t);
  return p;
}

/* A few words are cleared faster here than by memset, which has to find out how many they are. The empty statement
 * keeps the compiler from making one of the loop. */
TRI_INLINE void tri_clear_slot(void *p, size_t size) {
  typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
  enum { FEW = 256 };
  if (size > FEW) {
    memset(p, 0, size);
    return;
  }
  char *from = p, *end = from + size;
  if (size % sizeof(pair)) {
    *(uint64_t *)(void *)from = 0;
    from += sizeof(uint64_t);
  }
  for (; from < end; from += sizeof(pair)) {
    *(pair *)(void *)from = (pair){0, 0};
    __asm__ __volatile__("");
  }
}

/* The whole slot reads as zero before the thread can be stopped. */
TRI_INLINE void *tri_heap_alloc_class_zeroed(unsigned spanclass) {
  struct tri_thread *t = tri_self;
  if (tri_unlikely(!tri_runtime_enter(t))) return NULL;
  void *p = tri_mcache_alloc(&t->mcache, spanclass);
  if (tri_likely(p != NULL)) tri_clear_slot(p, tri_class_size[spanclass >> 1]);
  tri_runtime_leave(t);
  return p;
}

/* The same with a type, a number of gc/types.h. Inside the runtime; NULL: no memory. [TYPE-1] */
TRI_INLINE void *tri_heap_take_typed(struct tri_thread *t, unsigned c, unsigned type) {
  void *p = tri_mcache_alloc(&t->mcache, tri_spanclass_typed(c));
  if (tri_unlikely(!p)) return NULL;
  struct tri_mspan *s = tri_heap_range.spans[((uintptr_t)p - tri_heap_range.base) >> TRI_PAGE_SHIFT];
  *tri_mspan_type_at(s, tri_mspan_index(s, (uintptr_t)p)) = (uint16_t)type;
  tri_fence_store();
  tri_clear_slot(p, tri_class_size[c]);
  return p;
}

/* A slot of a span that the calling thread, inside the runtime, does not own. False: not a plain case. */
bool tri_heap_free_other(struct tri_thread *t, struct tri_mspan *s, void *p);

/* Frees p if it is a plain case: the start of a live small object, the span swept. Inside the runtime. */
TRI_INLINE bool tri_heap_free_inside(struct tri_thread *t, void *p) {
  bool done = false;
  struct tri_mspan *s = tri_mheap_span_of((uintptr_t)p);
  if (tri_likely(s && tri_load_rlx(&s->owner) == tri_load_rlx(&t->mcache.token))) {
    uint32_t i = tri_mspan_index(s, (uintptr_t)p);
    struct tri_bitgroup *g = &s->bits[i / 64];
    uint64_t bit = (uint64_t)1 << (i % 64);
    uint64_t in_use = g->alloc & ~tri_load_rlx(&g->rfree) & bit;
    if (tri_likely(tri_mspan_slot(s, i) == (uintptr_t)p && in_use)) {
      tri_mcache_free(&t->mcache, s, g, bit, (uintptr_t)p);
      done = true;
    }
  } else if (s) {
    done = tri_heap_free_other(t, s, p);
  }
  return done;
}

TRI_INLINE bool tri_heap_free_fast(void *p) {
  struct tri_thread *t = tri_self;
  if (tri_unlikely(!tri_runtime_enter(t))) return false;
  bool done = tri_heap_free_inside(t, p);
  tri_runtime_leave(t);
  return done;
}

#endif
