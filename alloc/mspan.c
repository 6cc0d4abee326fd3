/*
 * mspan: slots and their bits. A leaf: mheap makes the pages, mcentral and mcache hand spans around, mspan_sweep.c
 * frees what the collector did not reach.
 *
 * Invariants:
 *   [SPAN-1] bits past the last slot are 0 in all four words, so `alloc == 0` means an empty group and a conservative
 *            word that points into the tail finds a clear alloc bit.
 *   [SPAN-2] a free slot is in exactly one place: its alloc bit is 0, or it is 1 with the rfree bit set ([FREE-1]).
 *   [SPAN-3] state is stored last at birth and first at death, with release; lookups load it with acquire.
 *   [SPAN-4] alloc and reclaimed are both 1 in disowned slots only: who hands a slot out clears reclaimed first.
 *
 * Who may write: alloc and (but for disowning) reclaimed only the owner (owner == its token) or, while the span is
 * unowned, the thread that took it out of mcentral's lists; mark and rfree anyone, atomically. No locks are taken here.
 * Nothing here touches object memory.
 */
#include "alloc/mspan.h"

#include "internal/check.h"
#include "internal/state.h"

void tri_mspan_init(struct tri_mspan *s, unsigned spanclass, uint32_t sweepgen) {
  unsigned c = tri_spanclass_size_class(spanclass);
  bool typed = tri_spanclass_is_typed(spanclass);
  s->spanclass = (uint8_t)spanclass;
  unsigned special = typed ? TRI_TAG_TYPED | TRI_TAG_SPECIAL : spanclass & 1 ? TRI_TAG_NOSCAN | TRI_TAG_SPECIAL : 0;
  s->tag = (uint16_t)(c << 8 | special);
  s->elemsize = c ? tri_class_size[c] : s->npages << TRI_PAGE_SHIFT;
  s->divmul = c ? tri_class_divmul[c] : 0;
  s->nelems = c ? tri_class_nelems[c] : 1;
  s->ngroups = (uint8_t)((s->nelems + 63) / 64);
  s->room = 0;
  s->full = 0;
  s->clist = 0;
  s->cnext = s->cprev = s->tnext = s->tprev = NULL;
  tri_int_store_rlx(&s->whole_pieces, 0);
  tri_store_rlx(&s->asked, s->elemsize);
  tri_int_store_rlx(&s->fills_slots, 0);
  tri_store_rlx(&s->owner, 0);
  tri_int_store_rlx(&s->sweepgen, sweepgen);
  tri_int_store_rel(&s->state, c ? TRI_SPAN_SMALL : TRI_SPAN_LARGE);
}

bool tri_mspan_empty(const struct tri_mspan *s) {
  uint64_t any = 0;
  for (uint32_t g = 0; g < s->ngroups; g++) any |= s->bits[g].alloc;
  return any == 0;
}

bool tri_mspan_has_room(const struct tri_mspan *s) {
  for (uint32_t g = 0; g < s->ngroups; g++)
    if (s->bits[g].alloc != tri_mspan_valid(s, g)) return true;
  return false;
}

uint32_t tri_mspan_collect_rfree(struct tri_mspan *s) {
  uint32_t n = 0;
  for (uint32_t g = 0; g < s->ngroups; g++) {
    struct tri_bitgroup *b = &s->bits[g];
    if (tri_load_rlx(&b->rfree) == 0) continue;
    uint64_t freed = tri_exchange_acq_rel(&b->rfree, 0);
    n += (uint32_t)__builtin_popcountll(freed);
    if (tri_unlikely(tri_int_load_rlx(&tri_state.barrier))) tri_fetch_or_rlx(&b->mark, freed);
    b->alloc &= ~freed;
  }
  return n;
}

void tri_mspan_check(const struct tri_mspan *s) {
  unsigned state = tri_int_load_acq(&s->state);
  tri_check(state == TRI_SPAN_SMALL || state == TRI_SPAN_LARGE);
  tri_check(s->base % TRI_PAGE_SIZE == 0);
  tri_check(s->npages > 0 && s->nelems > 0 && s->bits != NULL);
  tri_check(s->ngroups == (s->nelems + 63) / 64);
  tri_check(s->nelems * s->elemsize <= s->npages << TRI_PAGE_SHIFT);
  tri_check((state == TRI_SPAN_LARGE) == (s->spanclass < 2));
  tri_check(tri_mspan_used_bytes(s) <= s->elemsize);
  tri_check(tri_mspan_typed(s) == tri_spanclass_is_typed(s->spanclass));
  tri_check(!tri_mspan_typed(s) || s->bits != &s->bits0);
  tri_check(state == TRI_SPAN_LARGE || s->type == 0);
  for (uint32_t g = 0; g < s->ngroups; g++) {
    const struct tri_bitgroup *b = &s->bits[g];
    uint64_t valid = tri_mspan_valid(s, g);
    tri_check((b->alloc & ~valid) == 0);                              /* [SPAN-1] */
    tri_check((tri_load_rlx(&b->mark) & ~valid) == 0);                /* [SPAN-1] */
    tri_check((tri_load_rlx(&b->rfree) & ~b->alloc) == 0);            /* [SPAN-2] */
    tri_check(tri_state.disowning || (b->reclaimed & b->alloc) == 0); /* [SPAN-4] */
  }
}
