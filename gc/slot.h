/* From an address to the slot that it points into. */
#ifndef TRI_GC_SLOT_H
#define TRI_GC_SLOT_H

#include "alloc/mheap.h"

struct tri_slot {
  struct tri_mspan *span;
  struct tri_bitgroup *group;
  uint64_t bit;
  uint32_t index;
};

/* For an address in a page of s. False: no slot there (a dead span, or the tail behind the last slot). */
TRI_INLINE bool tri_slot_in_span(struct tri_mspan *s, uintptr_t addr, struct tri_slot *ret) {
  if (tri_int_load_acq(&s->state) == TRI_SPAN_DEAD) return false;
  uint32_t i = tri_mspan_index(s, addr);
  if (i >= s->nelems) return false;
  *ret = (struct tri_slot){s, &s->bits[i / 64], (uint64_t)1 << (i % 64), i};
  return true;
}

/* False: no slot there (no span, or as above). */
TRI_INLINE bool tri_slot_find(uintptr_t addr, struct tri_slot *ret) {
  struct tri_mspan *s = tri_mheap_span_of(addr);
  return s && tri_slot_in_span(s, addr, ret);
}

/* In the program's hands: allocated, and not freed by another thread meanwhile. */
TRI_INLINE bool tri_slot_in_use(const struct tri_slot *s) {
  return (s->group->alloc & ~tri_load_rlx(&s->group->rfree) & s->bit) != 0;
}

TRI_INLINE uintptr_t tri_slot_start(const struct tri_slot *s) {
  return tri_mspan_slot(s->span, s->index);
}

#endif
