/*
 * Shading: what the write barrier hands over is marked and put among the grey work, like what a marker finds. Between
 * the barrier's buffers (barrier/wbbuf.c) and marking (gc/mark.c).
 *
 * Invariants:
 *   [SHADE-1] who sets a mark bit puts the object among the grey work before its thread can be stopped: it is inside
 *             the runtime, or a handler that interrupted it there. Otherwise a stop could end marking with an object
 *             marked and not scanned.
 *   [SHADE-2] only slots in use are marked: a free one that is handed out while the barrier is on is marked already
 *             (alloc/mcache.c).
 *
 * In three passes, as markers do: each asks for the memory that the next one reads. No locks; mark bits by fetch-or.
 * Forbidden: recursion, scanning, much stack (a program's coroutine may have little).
 */
#include "gc/shade.h"

#include "gc/slot.h"
#include "gc/types.h"

enum { BATCH = 32, NESTED = 256 };

static tri_aword nested_grey[NESTED];
static tri_aword nnested;
static tri_aword shaded_bytes;
static tri_aint dropped;

static unsigned find_spans(const tri_aword *words, unsigned n, uintptr_t *word, struct tri_mspan **span) {
  unsigned found = 0;
  for (unsigned i = 0; i < n; i++) {
    word[found] = tri_load_rlx(&words[i]);
    span[found] = tri_mheap_span_of(word[found]);
    __builtin_prefetch(span[found]);
    found += span[found] != NULL;
  }
  return found;
}

static unsigned find_slots(const uintptr_t *word, struct tri_mspan **span, unsigned n, struct tri_slot *slot) {
  unsigned found = 0;
  for (unsigned i = 0; i < n; i++) {
    if (!tri_slot_in_span(span[i], word[i], &slot[found])) continue;
    __builtin_prefetch(slot[found].group, 1);
    found++;
  }
  return found;
}

/* The grey entry, if this call has marked the slot; else 0. */
static uintptr_t mark(const struct tri_slot *s) {
  if ((tri_load_rlx(&s->group->mark) & s->bit) || !tri_slot_in_use(s)) return 0;
  if (tri_fetch_or_acq_rel(&s->group->mark, s->bit) & s->bit) return 0;
  return tri_types_grey(s->span, s->index);
}

static void shade_batch(struct tri_shader *sh, const tri_aword *words, unsigned n) {
  uintptr_t word[BATCH];
  struct tri_mspan *span[BATCH];
  struct tri_slot slot[BATCH];
  n = find_spans(words, n, word, span);
  n = find_slots(word, span, n, slot);
  for (unsigned i = 0; i < n; i++) {
    uintptr_t grey = mark(&slot[i]);
    if (!grey) continue;
    sh->marked_bytes += slot[i].span->elemsize;
    if (!tri_grey_noscan(grey)) tri_work_put(&sh->work, grey);
  }
}

void tri_shade(struct tri_shader *sh, const tri_aword *words, size_t n) {
  for (size_t i = 0; i < n; i += BATCH) shade_batch(sh, words + i, (unsigned)tri_min(n - i, BATCH));
}

void tri_shade_word(struct tri_shader *sh, uintptr_t word) {
  tri_aword w = word;
  shade_batch(sh, &w, 1);
}

void tri_shade_put_up(struct tri_shader *sh) {
  if (sh->work.cur || sh->work.spare) tri_work_put_up(&sh->work);
  if (tri_unlikely(sh->work.overflow)) tri_shade_tell_dropped();
  sh->work.overflow = false;
  tri_fetch_add_rlx(&shaded_bytes, sh->marked_bytes);
  sh->marked_bytes = 0;
}

void tri_shade_add_bytes(uint64_t bytes) {
  tri_fetch_add_rlx(&shaded_bytes, bytes);
}

uint64_t tri_shade_take_bytes(void) {
  return tri_exchange_acq_rel(&shaded_bytes, 0);
}

void tri_shade_nested(uintptr_t word) {
  struct tri_slot s;
  if (!tri_slot_find(word, &s)) return;
  uintptr_t grey = mark(&s);
  if (!grey || tri_grey_noscan(grey)) return;
  uint64_t i = tri_fetch_add_acq_rel(&nnested, 1);
  if (i < NESTED) tri_store_rel(&nested_grey[i], grey);
}

void tri_shade_take_nested(struct tri_shader *sh) {
  uint64_t n = tri_load_acq(&nnested);
  for (uint64_t i = 0; i < tri_min(n, NESTED); i++) tri_work_put(&sh->work, tri_load_acq(&nested_grey[i]));
  tri_store_rel(&nnested, 0);
  if (n > NESTED) tri_int_store_rel(&dropped, 1);
}

void tri_shade_tell_dropped(void) {
  tri_int_store_rel(&dropped, 1);
}

bool tri_shade_take_dropped(void) {
  return tri_int_exchange_acq_rel(&dropped, 0) != 0;
}
