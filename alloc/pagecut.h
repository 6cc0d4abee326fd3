/*
 * How a page is cut into slots, in one word: what marking asks about an address, so that it reads no span.
 *
 *   63       62        56 55               50 49    48      47        0
 *   special | size class | page in its span | typed | noscan | bit groups
 *
 * 0: nothing is said (no span of small slots, or one that is being born); ask the span.
 */
#ifndef TRI_ALLOC_PAGECUT_H
#define TRI_ALLOC_PAGECUT_H

#include "alloc/mspan.h"

enum { TRI_PAGECUT_TAG = 48, TRI_PAGECUT_PAGE = 50, TRI_PAGECUT_PAGE_MASK = 63 };

TRI_INLINE uint64_t tri_pagecut(const struct tri_mspan *s, size_t page) {
  return (uint64_t)(uintptr_t)s->bits | (uint64_t)s->tag << TRI_PAGECUT_TAG | (uint64_t)page << TRI_PAGECUT_PAGE;
}
TRI_INLINE struct tri_bitgroup *tri_pagecut_bits(uint64_t cut) {
  return (struct tri_bitgroup *)(uintptr_t)(cut & (((uint64_t)1 << TRI_PAGECUT_TAG) - 1));
}
TRI_INLINE unsigned tri_pagecut_class(uint64_t cut) {
  return (unsigned)(cut >> 56) & 127;
}
/* mspan's tag. */
TRI_INLINE unsigned tri_pagecut_tag(uint64_t cut) {
  return (unsigned)(cut >> TRI_PAGECUT_TAG) & ~((unsigned)TRI_PAGECUT_PAGE_MASK << 2);
}
/* First byte of the span, given an address in the page. */
TRI_INLINE uintptr_t tri_pagecut_span(uint64_t cut, uintptr_t addr) {
  return tri_align_down(addr, TRI_PAGE_SIZE) - ((cut >> TRI_PAGECUT_PAGE & TRI_PAGECUT_PAGE_MASK) << TRI_PAGE_SHIFT);
}

#endif
