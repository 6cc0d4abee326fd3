/* Allocation and free, whole: what malloc's family and the API are made of. */
#ifndef TRI_GC_HEAP_H
#define TRI_GC_HEAP_H

#include <string.h>

#include "alloc/mheap.h"
#include "gc/stop.h"

enum tri_alloc_flags {
  TRI_ALLOC_SCAN = 0,
  TRI_ALLOC_NOSCAN = 1,  /* the span class's low bit */
  TRI_ALLOC_ZERO = 2,    /* the memory reads as zero, the whole slot, so that no old word is left */
  TRI_ALLOC_MALLOC16 = 4 /* malloc's classes: 16-byte alignment from 8 bytes on, and a byte to spare */
};
/* A flag too, for one of ZERO: the object is of this type, a number of gc/types.h. */
#define TRI_ALLOC_TYPE(number) ((unsigned)(number) << 16)

/* NULL with errno ENOMEM. */
void *tri_heap_alloc(size_t size, unsigned flags);
void *tri_heap_alloc_aligned(size_t align, size_t size, unsigned flags); /* align: power of two */
/* Everything that tri_heap_alloc's inline part does not do. */
void *tri_heap_alloc_slow(size_t size, unsigned flags);
/* malloc's, from TRI_HEAP_MEDIUM bytes to TRI_MAX_SMALL_MALLOC: what lies behind them in the slot reads as zero. The
 * program does not write there, but marking reads it, and what was left there would keep garbage. In smaller slots
 * it is a few words, which would cost each malloc some time. */
enum { TRI_HEAP_MEDIUM = 1024 };
void *tri_heap_alloc_medium(size_t size, unsigned flags);
/* Everything that the inline free does not do, errors included; `caller` names the function for messages. */
void tri_heap_free_slow(void *p, const char *caller);
void *tri_heap_realloc(void *p, size_t size, unsigned flags);
size_t tri_heap_usable(const void *p, const char *caller);
/* The same for malloc_usable_size: without malloc's spare byte. */
size_t tri_heap_usable_malloc(const void *p, const char *caller);

/* p lies in the heap or in the emergency region. */
bool tri_heap_owns(const void *p);

/* free=ignore: free() frees nothing. Set once. */
extern bool tri_heap_free_ignored TRI_INTERNAL;

/* The rest of tri_heap_alloc_small, the calling thread being inside the runtime: no slot is at hand, or more is to be
 * cleared than a few words. At most TRI_MAX_SMALL bytes. */
void *tri_heap_alloc_refill(size_t size, unsigned flags);

TRI_INLINE unsigned tri_heap_class(size_t size, unsigned flags) {
  return flags & TRI_ALLOC_MALLOC16 ? tri_size_class_malloc(size) : tri_size_class(size ? size : 1);
}

/* A few words are cleared faster here than by memset, which has to find out how many they are. The empty statement
 * keeps the compiler from making one of the loop. */
enum { TRI_CLEAR_FEW = 256 };
TRI_INLINE void tri_clear_few(void *p, size_t size) {
  typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
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

TRI_INLINE void tri_clear_slot(void *p, size_t size) {
  if (size > TRI_CLEAR_FEW) {
    memset(p, 0, size);
  } else {
    tri_clear_few(p, size);
  }
}

/* At most TRI_MAX_SMALL bytes, with MALLOC16 TRI_MAX_SMALL_MALLOC; with ZERO the whole slot reads as zero before the
 * thread can be stopped. All that this calls it calls last, so that the compiler saves no register. */
TRI_INLINE void *tri_heap_alloc_small(size_t size, unsigned flags) {
  struct tri_thread *t = tri_self;
  unsigned c = tri_heap_class(size, flags);
  if (tri_unlikely(!tri_runtime_enter(t))) return tri_heap_alloc_slow(size, flags);
  if ((flags & TRI_ALLOC_ZERO) && tri_unlikely(size > TRI_CLEAR_FEW)) return tri_heap_alloc_refill(size, flags);
  void *p = tri_mcache_take(&t->mcache, (size_t)c * 2 + (flags & TRI_ALLOC_NOSCAN));
  if (tri_unlikely(!p)) return tri_heap_alloc_refill(size, flags);
  if (flags & TRI_ALLOC_ZERO) tri_clear_few(p, tri_class_size[c]);
  return tri_runtime_leave_with(t, p);
}

/* A cleared slot with a type, a number of gc/types.h. Inside the runtime; NULL: no memory. [TYPE-1] */
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

/* p is the start of a live slot of s. The low half of the product is below divmul at the start of a slot, and only
 * there (sizeclass.h); divmul is 0 for large objects. */
TRI_INLINE bool tri_heap_is_live_slot(const struct tri_mspan *s, const void *p, struct tri_bitgroup **ret_group,
                                      uint64_t *ret_bit) {
  uint64_t product = ((uintptr_t)p - s->base) * (uint64_t)s->divmul;
  uint32_t i = (uint32_t)(product >> 32);
  struct tri_bitgroup *g = *ret_group = &s->bits[i / 64];
  uint64_t bit = *ret_bit = (uint64_t)1 << (i % 64);
  return (uint32_t)product < s->divmul && (g->alloc & bit) != 0 && (tri_load_rlx(&g->rfree) & bit) == 0;
}

TRI_INLINE bool tri_heap_owns_span(const struct tri_thread *t, const struct tri_mspan *s) {
  return tri_load_rlx(&s->owner) == tri_load_rlx(&t->mcache.token);
}

/* Frees p if it is a plain case: the start of a live small object, the span swept. Inside the runtime. */
TRI_INLINE bool tri_heap_free_inside(struct tri_thread *t, void *p) {
  struct tri_bitgroup *g;
  uint64_t bit;
  struct tri_mspan *s = tri_mheap_span_of((uintptr_t)p);
  if (tri_unlikely(!s)) return false;
  if (tri_unlikely(!tri_heap_owns_span(t, s))) return tri_heap_free_other(t, s, p);
  if (tri_unlikely(!tri_heap_is_live_slot(s, p, &g, &bit))) return false;
  tri_mcache_free(&t->mcache, s, g, bit, (uintptr_t)p);
  return true;
}

/* The rest of tri_heap_free, the calling thread being inside the runtime: not in an own span, or wrong; or freed, and
 * tri_mcache_freed_slow is due. */
void tri_heap_free_hard(void *p, const char *caller);
void tri_heap_freed(struct tri_thread *t, struct tri_mspan *s);

/* free(): all that it calls it calls last. */
TRI_INLINE void tri_heap_free(void *p, const char *caller) {
  struct tri_thread *t = tri_self;
  struct tri_bitgroup *g;
  uint64_t bit;
  if (tri_unlikely(tri_heap_free_ignored || !tri_runtime_enter(t))) {
    tri_heap_free_slow(p, caller);
    return;
  }
  struct tri_mspan *s = tri_mheap_span_of((uintptr_t)p);
  if (tri_unlikely(!s || !tri_heap_owns_span(t, s) || !tri_heap_is_live_slot(s, p, &g, &bit))) {
    tri_heap_free_hard(p, caller);
  } else if (tri_unlikely(tri_mcache_put(&t->mcache, s, g, bit, (uintptr_t)p))) {
    tri_heap_freed(t, s);
  } else {
    tri_runtime_leave(t);
  }
}

#endif
