/*
 * mcache: a thread's own spans, one current per span class and any number with room behind it. The fast paths of
 * malloc and free; no lock, no atomic read-modify-write.
 */
#ifndef TRI_ALLOC_MCACHE_H
#define TRI_ALLOC_MCACHE_H

#include "alloc/mspan.h"
#include "internal/check.h"

enum { TRI_MCACHE_HINTS = 16 };

/* A slot that this thread freed a moment ago, one of the first since the hints were used up: its memory is still in the
 * processor's cache, so malloc takes it first. Only a hint: the slot is free in its bitmap too ([FREE-1]). [CACHE-5] */
struct tri_mcache_hint {
  struct tri_bitgroup *group;
  uint64_t bit; /* of the slot in the group */
  uintptr_t slot;
};

/* The group of 64 slots that malloc takes from. Without a current span: a constant group with no valid slot. */
struct tri_mcache_hot {
  struct tri_bitgroup *group;
  uint64_t valid;               /* bits of the group that are slots */
  uintptr_t first;              /* address of the group's slot 0 */
  uint32_t size;                /* bytes in a slot */
  struct tri_mcache_hint *top;  /* the latest of the class's hints */
  struct tri_mcache_hint *last; /* when there is no room for another */
};

enum tri_mcache_room {
  TRI_ROOM_NONE = 0, /* not on the room list */
  TRI_ROOM_LISTED,
  TRI_ROOM_EMPTY, /* listed, no slot in use, counted in empty_bytes */
};

struct tri_mcache_class {
  struct tri_mspan *span; /* current, or NULL */
  struct tri_mspan *room; /* owned spans with room, most recently freed into first; linked by tnext, tprev */
  uint32_t group_index;   /* of hot.group in span */
  uint32_t batch;         /* spans that the central was asked for last; 0 since the last discard */
};

struct tri_mcache {
  /* Names this cache in mspan.owner: its address and, in the top 16 bits, an epoch that changes when all its spans are
   * taken from it at once. Owner writes (or the stopped world); others read. */
  tri_aword token;
  tri_aword inbox;      /* spans of ours that others freed into; linked by rnext; others push, the owner takes all */
  int64_t live_delta;   /* bytes handed out minus bytes freed since the last flush */
  uint64_t gross_bytes; /* bytes taken up since the last flush, whole groups at a time */
  size_t empty_bytes;   /* in listed spans without a slot in use */
  uint64_t used[(TRI_NUM_SPANCLASSES + 63) / 64]; /* span classes touched since the last discard */
  struct tri_mcache_hot hot[TRI_NUM_SPANCLASSES];
  struct tri_mcache_class cls[TRI_NUM_SPANCLASSES];
  /* The first of each class is never written: its bit is 0. Last: most of it is never touched. */
  struct tri_mcache_hint hints[TRI_NUM_SPANCLASSES][1 + TRI_MCACHE_HINTS];
};

void tri_mcache_init(struct tri_mcache *c); /* memory zeroed or used as an mcache before */
/* Thread exit: every span with room goes to its central, the others become unowned. */
void tri_mcache_release(struct tri_mcache *c);
/* World stopped, before the flip of the centrals: forgets every span. O(classes used). */
void tri_mcache_discard_stw(struct tri_mcache *c);
/* World stopped, the write barrier just on: what is handed out from now on is marked. O(classes used). */
void tri_mcache_blacken_stw(struct tri_mcache *c);
/* Adds the counters to tri_state and calls tri_port_heap_grew when a cycle is due. */
void tri_mcache_flush(struct tri_mcache *c);
/* The same if the counters have moved by 64 KiB or more. */
void tri_mcache_flush_if_due(struct tri_mcache *c);

/* What tri_mcache_take does not do: finds room for the class and allocates from it. NULL: no memory. */
void *tri_mcache_alloc_slow(struct tri_mcache *c, unsigned spanclass);
/* After a free that emptied a group or went into a span taken for full. */
void tri_mcache_freed_slow(struct tri_mcache *c, struct tri_mspan *s);

/* A free slot of a group of the class of h is in the program's hands. */
TRI_INLINE void tri_mcache_hand_out(struct tri_mcache *c, const struct tri_mcache_hot *h, struct tri_bitgroup *g,
                                    uint64_t bit) {
  if (tri_load_rlx(&g->reclaimed) & bit) tri_bitgroup_take_up(g, bit);
  tri_assert(!(tri_load_rlx(&g->reclaimed) & bit)); /* [SPAN-4] */
  tri_store_rel((tri_aword *)&g->alloc, g->alloc | bit);
  c->live_delta += (int64_t)h->size;
}

/* The latest hint. One that leads to a group without a slot in use is left to the slow path, and so would be one that
 * is stale. */
TRI_INLINE void *tri_mcache_take_hint(struct tri_mcache *c, struct tri_mcache_hot *h, struct tri_mcache_hint *hint) {
  uint64_t before = hint->group->alloc;
  if (tri_unlikely(before == 0 || (before & hint->bit) != 0)) return NULL;
  h->top = hint - 1;
  tri_mcache_hand_out(c, h, hint->group, hint->bit);
  if (hint->slot == 0) __builtin_unreachable(); /* spares malloc's look for NULL */
  return (void *)hint->slot;
}

/* A free slot that is at hand, or NULL. Calls nothing. */
TRI_INLINE void *tri_mcache_take(struct tri_mcache *c, size_t spanclass) {
  struct tri_mcache_hot *h = &c->hot[spanclass];
  TRI_ONCE(h);
  struct tri_mcache_hint *top = h->top;
  TRI_ONCE(top);
  if (top->bit) return tri_mcache_take_hint(c, h, top);
  struct tri_bitgroup *g = h->group;
  uint64_t free_slots = ~g->alloc & h->valid;
  if (tri_unlikely(free_slots == 0)) return NULL;
  unsigned i = (unsigned)__builtin_ctzll(free_slots);
  uint64_t bit = free_slots & -free_slots;
  tri_mcache_hand_out(c, h, g, bit);
  uint64_t rest = free_slots ^ bit;
  if (rest) __builtin_prefetch((const void *)(h->first + (uintptr_t)__builtin_ctzll(rest) * h->size), 1);
  return (void *)(h->first + (uintptr_t)i * h->size);
}

TRI_INLINE void *tri_mcache_alloc(struct tri_mcache *c, unsigned spanclass) {
  void *p = tri_mcache_take(c, spanclass);
  return tri_likely(p != NULL) ? p : tri_mcache_alloc_slow(c, spanclass);
}

/* Frees a slot of a span that c owns; the caller has checked that its alloc bit is set. `bit`: of the slot in g. True:
 * tri_mcache_freed_slow must follow. Calls nothing. */
TRI_INLINE bool tri_mcache_put(struct tri_mcache *c, struct tri_mspan *s, struct tri_bitgroup *g, uint64_t bit,
                               uintptr_t slot) {
  size_t spanclass = s->spanclass;
  struct tri_mcache_hot *h = &c->hot[spanclass];
  TRI_ONCE(h);
  struct tri_mcache_hint *top = h->top;
  if (top != h->last) {
    top[1] = (struct tri_mcache_hint){g, bit, slot};
    h->top = top + 1;
  }
  c->live_delta -= (int64_t)s->elemsize;
  return (g->alloc ^= bit) == 0 || s->full;
}

TRI_INLINE void tri_mcache_free(struct tri_mcache *c, struct tri_mspan *s, struct tri_bitgroup *g, uint64_t bit,
                                uintptr_t slot) {
  if (tri_unlikely(tri_mcache_put(c, s, g, bit, slot))) tri_mcache_freed_slow(c, s);
}

#endif
