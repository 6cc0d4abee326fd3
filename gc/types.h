/* What the collector knows of types: descriptors become small numbers, kept for each object and carried by grey work.
 */
#ifndef TRI_GC_TYPES_H
#define TRI_GC_TYPES_H

#include "alloc/mspan.h"
#include "gc/work.h"
#include "internal/lock.h"
#include "tricolor/type.h"

enum {
  TRI_TYPE_UNKNOWN = 0, /* in mspan: none was noted */
  TRI_TYPE_BAD,         /* not a descriptor */
  TRI_TYPE_NOSCAN,      /* no pointers */
  TRI_TYPE_ANY,         /* no room for another type: scanned conservatively */
  TRI_TYPE_FIRST,       /* from here on: of tri_type_infos */
  TRI_TYPE_END = 1 << TRI_GREY_TYPE_BITS
};

/* A type with pointers. Constant once its number is known. */
struct tri_type_info {
  const uint64_t *tiled; /* bit i: the i-th word of an array is a pointer; for period + 64 words at least */
  uint64_t first;        /* tiled[0] */
  uint32_t period;       /* words in an element */
  uint32_t step;         /* 64 % period */
  size_t size;           /* bytes in an element */
  const char *name;
  uint64_t few[2]; /* `tiled`, where this is enough */
  bool all;        /* every word is a pointer */
} TRI_CACHE_ALIGNED;
extern struct tri_type_info tri_type_infos[TRI_TYPE_END] TRI_INTERNAL;

/* The number of a descriptor that was added before, or UNKNOWN. */
unsigned tri_types_find(const struct tri_type *type);
/* The same for any; inside the runtime. */
unsigned tri_types_add(const struct tri_type *type);
/* True unless tri_types_add would say BAD. */
bool tri_types_are_good(const struct tri_type *type);

void tri_types_lock(void); /* fork */
void tri_types_unlock(void);

/* The pointers among the 64 words that follow word `phase` of an element. */
TRI_INLINE uint64_t tri_type_mask(const struct tri_type_info *t, size_t phase) {
  const uint64_t *p = &t->tiled[phase / 64];
  unsigned shift = phase % 64;
  return shift ? p[0] >> shift | p[1] << (64 - shift) : p[0];
}

/* Of a slot's object; UNKNOWN: scanned conservatively, or not at all. */
TRI_INLINE unsigned tri_types_of_slot(const struct tri_mspan *s, uint32_t index) {
  return tri_mspan_typed(s) ? *tri_mspan_type_at(s, index) : s->type;
}
TRI_INLINE const struct tri_type_info *tri_types_info(const struct tri_mspan *s, uint32_t index) {
  unsigned type = tri_types_of_slot(s, index);
  return tri_unlikely(type) ? &tri_type_infos[type] : NULL;
}

/* The grey entry of a slot. */
TRI_INLINE uintptr_t tri_types_grey(const struct tri_mspan *s, uint32_t index) {
  uintptr_t start = tri_mspan_slot(s, index);
  if (tri_likely(!tri_mspan_typed(s))) return tri_grey(start, s->tag);
  return tri_grey_typed(start, s->tag, *tri_mspan_type_at(s, index));
}

#endif
