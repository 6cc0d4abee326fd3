/*
 * mspan: a run of pages cut into slots of one size, and the bits that say what each slot is. All state lies here, off
 * the heap; a free slot holds nothing of ours.
 */
#ifndef TRI_ALLOC_MSPAN_H
#define TRI_ALLOC_MSPAN_H

#include "alloc/sizeclass.h"
#include "internal/atomic.h"
#include "internal/state.h"

/*
 * The bits of 64 slots, side by side so that malloc and free touch one cache line.
 *   alloc      1: in the program's hands. Bits past the last slot are always 0. Owner, or sweeper.
 *   reclaimed  1: the collector freed the slot and nobody got it since. Owner clears, sweeper sets.
 *   mark       1: reached in this cycle. Any marker, fetch-or.
 *   rfree      1: freed by a thread that does not own the span. Any thread, fetch-or; owner or sweeper collects.
 * Where free is ignored, a slot in use with its reclaimed bit set is disowned: free was called for it. Any thread sets
 * it, fetch-or; when the sweeper's plain store undoes that, a hint is lost, no more. See [SPAN-4].
 */
struct tri_bitgroup {
  uint64_t alloc;
  tri_aword reclaimed;
  tri_aword mark;
  tri_aword rfree;
};

/* Slots in use, as another thread than the owner may read it: what was done before they were handed out is seen. */
TRI_INLINE uint64_t tri_bitgroup_alloc(const struct tri_bitgroup *g) {
  return tri_load_acq((const tri_aword *)&g->alloc);
}
/* A slot that was reclaimed is about to be handed out. Other threads may be disowning its neighbours. Owner only. */
TRI_INLINE void tri_bitgroup_take_up(struct tri_bitgroup *g, uint64_t bit) {
  if (tri_unlikely(tri_state.disowning)) {
    tri_fetch_and_acq_rel(&g->reclaimed, ~bit);
  } else {
    g->reclaimed &= ~bit;
  }
}
TRI_INLINE void tri_bitgroup_disown(struct tri_bitgroup *g, uint64_t bit) {
  tri_fetch_or_rlx(&g->reclaimed, bit);
}
/* Of slots that tri_bitgroup_alloc said were in use, those that are disowned. */
TRI_INLINE uint64_t tri_bitgroup_disowned(const struct tri_bitgroup *g, uint64_t in_use) {
  return in_use & tri_load_rlx(&g->reclaimed);
}

enum tri_mspan_state {
  TRI_SPAN_DEAD = 0, /* no pages: the struct lies in mheap's pool */
  TRI_SPAN_SMALL,    /* slots of a size class */
  TRI_SPAN_LARGE,    /* one object */
};

struct tri_mspan {
  /* Constant while state != DEAD. First line: all that free needs, and marking where a page has no cut. */
  uintptr_t base;            /* first byte */
  size_t elemsize;           /* bytes in a slot; large: npages * TRI_PAGE_SIZE */
  struct tri_bitgroup *bits; /* ngroups of them; bits0 when one is enough; typed: the slots' types lie before them */
  uint32_t divmul;           /* slot index = (offset * divmul) >> 32; 0 for large spans */
  uint32_t nelems;
  uint8_t spanclass; /* class * 2 + noscan, or a typed one */
  uint8_t ngroups;
  uint16_t tag;      /* size class * 256, and enum tri_mspan_tag: what marking asks of a span */
  tri_aint state;    /* enum tri_mspan_state; stored (release) last at birth, first at death */
  tri_aword owner;   /* token of the owning mcache, or 0; see alloc/mcache.h */
  tri_aint sweepgen; /* relative to the heap's h: h-2 to be swept, h-1 being swept, h swept */
  tri_aint rpending; /* 1 while linked in a remote-free stack through rnext; survives death and rebirth */
  uint8_t full;      /* owner only: 1 when the owner found no free slot and moved on */

  /* Second line: the rest that marking, sweeping and mcentral's lists touch. */
  struct tri_bitgroup bits0 TRI_CACHE_ALIGNED;
  struct tri_mspan *cnext, *cprev; /* mcentral's lists; guarded by the central's lock */
  struct tri_mspan *rnext;         /* a remote-free stack; whoever set rpending, then the stack's taker */
  uint8_t clist;                   /* enum tri_central_list; guarded by the central's lock */
  uint8_t room;                    /* owner only: enum tri_mcache_room */
  uint8_t needzero;                /* 1: may hold old data */
  uint8_t born_marked;             /* 1: made, with all slots marked, since the last flip; see mcentral.c */
  uint16_t type;                   /* large: what set_type would note, or 0; constant while state != DEAD */

  /* Third line: seldom touched. */
  size_t npages;
  struct tri_mspan *tnext, *tprev; /* the owner's list of spans with room, while room is not NONE; owner only */
  tri_aint whole_pieces;           /* large: pieces without an untouched page; markers only, see gc/mark.c */
  tri_aword asked;                 /* large: bytes that the program may use; whoever makes or resizes it, read by any */
  tri_aint fills_slots;            /* small: 1 when malloc may have given slots out whole; see gc/heap.c */
};
static_assert(offsetof(struct tri_mspan, bits0) == TRI_CACHE_LINE, "freeing in a small span touches two lines");
static_assert(offsetof(struct tri_mspan, npages) == 2 * TRI_CACHE_LINE, "sweeping a small span touches two lines");

enum tri_mspan_tag {
  TRI_TAG_NOSCAN = 1,
  TRI_TAG_TYPED = 2,
  TRI_TAG_SPECIAL = 0x8000 /* either */
};

TRI_INLINE unsigned tri_mspan_noscan(const struct tri_mspan *s) {
  return s->tag & TRI_TAG_NOSCAN;
}
TRI_INLINE bool tri_mspan_typed(const struct tri_mspan *s) {
  return (s->tag & TRI_TAG_TYPED) != 0;
}
/* Of a typed span: the number that says what words of the slot are pointers; its meaning is gc/types.h's. 0 as long as
 * the slot was never handed out. Written by the owner when it hands the slot out, before it fills it; read by anyone.
 */
TRI_INLINE volatile uint16_t *tri_mspan_type_at(const struct tri_mspan *s, uint32_t index) {
  return (volatile uint16_t *)(void *)s->bits - 1 - index;
}
/* Bytes of a slot that the program may use and that marking reads, in whole words. Less than elemsize in large objects:
 * what lies behind would keep what it held before. */
TRI_INLINE size_t tri_mspan_used_bytes(const struct tri_mspan *s) {
  return s->divmul ? s->elemsize : tri_align_up(tri_load_rlx(&s->asked), sizeof(void *));
}
/* Bits of group `g` that stand for slots. */
TRI_INLINE uint64_t tri_mspan_valid(const struct tri_mspan *s, uint32_t g) {
  uint32_t left = s->nelems - g * 64;
  return left >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1;
}
/* The slot that holds addr; addr must lie in the span. May be nelems or more in the tail: its alloc bit is then 0 or
 * lies in the last group's unused bits, since nelems is rounded up to whole groups (checked by test_sizeclass). */
TRI_INLINE uint32_t tri_mspan_index(const struct tri_mspan *s, uintptr_t addr) {
  return (uint32_t)(((uint64_t)(addr - s->base) * s->divmul) >> 32);
}
TRI_INLINE uintptr_t tri_mspan_slot(const struct tri_mspan *s, uint32_t index) {
  return s->base + index * s->elemsize;
}

/* Prepares a span fresh from mheap (base, npages, needzero set, `bits` set when nelems > 64) for slots of a size
 * class, or for one large object (spanclass 0 or 1). All slots free and unmarked; state is stored last. */
void tri_mspan_init(struct tri_mspan *s, unsigned spanclass, uint32_t sweepgen);

/* True when no slot is in use. Owner or sole holder only. */
bool tri_mspan_empty(const struct tri_mspan *s);
/* True when some slot is free. Owner or sole holder only. */
bool tri_mspan_has_room(const struct tri_mspan *s);
/* Moves what other threads freed into the alloc bits; returns the number of slots. While the write barrier is on they
 * are marked: they may be handed out again. Owner or sole holder only. */
uint32_t tri_mspan_collect_rfree(struct tri_mspan *s);

/* Every invariant of the struct, for -Dchecks=full and tests. Fatal when broken. Sole holder or stopped world. */
void tri_mspan_check(const struct tri_mspan *s);

#endif
