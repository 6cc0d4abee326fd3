/*
 * Sweeping one span, beside the allocator that profits from it; when and by whom is decided in mcentral.c and
 * gc/cycle.c. Go swaps mark and alloc bitmaps; here both lie in one 32-byte group per 64 slots, so a sweep is one pass
 * of `alloc &= mark` over whole words, which also merges what other threads freed and remembers what was reclaimed
 * (free() of such a slot is then told apart from a double free).
 *
 * The span is nobody's while it is swept: its former owner's token was invalidated in the stop. Concurrent writers:
 * rfree only (atomic). With clobberfree=1 reclaimed slots are filled with 0xdeadbeef; nothing else here touches
 * object memory.
 */
#include "alloc/mspan_sweep.h"

#include "internal/state.h"

static void clobber_slot(const struct tri_mspan *s, uint32_t index) {
  uint32_t *w = (uint32_t *)tri_mspan_slot(s, index);
  for (size_t i = 0; i < s->elemsize / sizeof *w; i++) w[i] = 0xdeadbeef;
}

static void clobber_group(const struct tri_mspan *s, uint32_t g, uint64_t dead) {
  for (; dead; dead &= dead - 1) clobber_slot(s, g * 64 + (uint32_t)__builtin_ctzll(dead));
}

struct tri_sweep_result tri_mspan_sweep(struct tri_mspan *s) {
  struct tri_sweep_result r = {0, 0};
  for (uint32_t g = 0; g < s->ngroups; g++) {
    struct tri_bitgroup *b = &s->bits[g];
    uint64_t mark = tri_load_rlx(&b->mark);
    uint64_t freed = tri_load_rlx(&b->rfree) ? tri_exchange_acq_rel(&b->rfree, 0) : 0;
    uint64_t live = b->alloc & mark & ~freed;
    uint64_t dead = b->alloc & ~live & ~freed;
    if (tri_unlikely(tri_state.clobberfree)) clobber_group(s, g, dead);
    b->reclaimed |= dead;
    b->alloc = live;
    tri_store_rlx(&b->mark, 0);
    r.live += (uint32_t)__builtin_popcountll(live);
    r.freed += (uint32_t)__builtin_popcountll(dead);
  }
  s->needzero = 1;
  s->born_marked = 0;
  s->room = 0;
  s->full = 0;
  tri_store_rel(&s->owner, 0);
  return r;
}
