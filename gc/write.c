/*
 * Pointer stores of programs that use the API: what is not inline of tricolor/barrier.h. The way of a store:
 *
 *   tri_write: publish slot and value -> state? -> tri_write_shade: *slot into the thread's buffer -> store
 *                                                    full: gc/shade.c marks what is in it
 *
 * Bulk forms go in pieces: each is shaded and stored inside the runtime, where no collection can begin. Exchange and
 * compare-and-swap publish like tri_write, and shade before they act: afterwards would be too late.
 *
 * Invariants:
 *   [WRITE-1] a pointer that is overwritten while the barrier is on is in a buffer, or shaded, before the store.
 *   [WRITE-2] the buffer is touched inside the runtime only. A handler that interrupts the runtime shades at once, by
 *             tri_shade_nested.
 *   [WRITE-3] whoever stores words that a marker may be reading stores them whole.
 *   [WRITE-4] a small object that is freed while the barrier is on has its words shaded before, and is marked: its slot
 *             may be handed out again. A large one is shaded itself, before its rfree bit hides it from markers.
 *
 * No locks. Memory order: the store is a release, so a marker or thread that finds the pointer finds the object's
 * memory and mark; the old pointer is loaded with acquire. errno is kept.
 */
#undef TRICOLOR_CHECKED /* who builds everything with it: here the functions themselves are made */
#include <string.h>

#include "gc/runtime.h"
#include "gc/slot.h"
#include "gc/stop.h"
#include "gc/write.h"
#include "internal/race.h"
#include "internal/state.h"

enum { PIECE = 4096 };
#define WORD sizeof(void *)

/* The calling thread, registered if it can be; its first store brings it here. */
static struct tri_thread *writer(void) {
  struct tri_thread *t = tri_self;
  if (!tri_thread_is_registered(t) && tri_runtime_init()) t = tri_thread_register_self();
  return t ? t : &tri_thread_none;
}

static void shade(struct tri_thread *t, uintptr_t pointer) {
  if (pointer - tri_heap_range.base >= tri_load_rlx(&tri_heap_range.used_bytes)) return;
  if (tri_likely(tri_wbbuf_put(&t->wbbuf, pointer))) return;
  tri_write_flush(t);
  tri_wbbuf_put(&t->wbbuf, pointer);
}

void tri_write_flush(struct tri_thread *t) {
  if (tri_int_load_rlx(&tri_state.barrier) != 0) tri_shade(&t->shader, t->wbbuf.entry, tri_load_rlx(&t->wbbuf.n));
  tri_wbbuf_empty(&t->wbbuf);
  tri_shade_put_up(&t->shader);
}

TRI_NOINLINE static void shade_store(void *slot, const void *value) {
  struct tri_thread *t = writer();
  bool entered = tri_runtime_enter(t);
  unsigned state = tri_int_load_rlx(&tri_state.barrier);
  uintptr_t old = tri_load_acq(slot), new_pointer = (uintptr_t)value;
  if (entered) {
    if (state & TRI_BARRIER_OLD) shade(t, old);
    if (state & TRI_BARRIER_NEW) shade(t, new_pointer);
    tri_runtime_leave(t);
  } else if (tri_thread_is_registered(t)) { /* no stop can come: a handler has interrupted the runtime */
    if (state & TRI_BARRIER_OLD) tri_shade_nested(old);
    if (state & TRI_BARRIER_NEW) tri_shade_nested(new_pointer);
  }
}

/* Most stores go to fresh objects: what they overwrite is no pointer. Like the store itself, the look at it may be
 * outside the runtime: a collection that begins after it shades what is published. */
TRI_NOINLINE void tri_write_shade(void *slot, const void *value) {
  if (tri_load_acq(slot) == 0 && tri_barrier_self.state == TRI_BARRIER_OLD) return;
  shade_store(slot, value);
}

/* Bulk forms. */

/* Also words of which only a part is meant: that ends them as pointers. */
static void shade_words(struct tri_thread *t, bool entered, const void *start, size_t size) {
  uintptr_t lo = tri_align_down((uintptr_t)start, WORD), hi = tri_align_up((uintptr_t)start + size, WORD);
  if (size == 0) return;
  for (; lo < hi; lo += WORD) {
    uintptr_t word = tri_load_rlx((const tri_aword *)lo);
    if (entered) {
      shade(t, word);
    } else if (tri_thread_is_registered(t)) {
      tri_shade_nested(word);
    }
  }
}

/* In pieces, as bulk forms: a collection may begin in between. */
void tri_write_shade_range(const void *start, size_t size) {
  for (size_t done = 0; done < size && tri_int_load_rlx(&tri_state.barrier) != 0; done += PIECE) {
    struct tri_thread *t = writer();
    bool entered = tri_runtime_enter(t);
    if (tri_int_load_rlx(&tri_state.barrier) != 0)
      shade_words(t, entered, (const char *)start + done, tri_min(size - done, PIECE));
    if (entered) tri_runtime_leave(t);
  }
}

/* A small object's memory may be handed out again at once; a large one stays as it is until the cycle ends, and is left
 * to the markers. */
void tri_write_before_free(struct tri_thread *t, void *p, bool nested) {
  struct tri_slot s;
  if (tri_likely(tri_int_load_rlx(&tri_state.barrier) == 0)) return;
  if (!tri_slot_find((uintptr_t)p, &s) || tri_slot_start(&s) != (uintptr_t)p || !tri_slot_in_use(&s)) return;
  if (tri_int_load_acq(&s.span->state) == TRI_SPAN_LARGE) {
    if (nested) {
      tri_shade_nested((uintptr_t)p);
    } else {
      shade(t, (uintptr_t)p);
      tri_write_flush(t);
    }
    return;
  }
  if (!tri_mspan_noscan(s.span)) shade_words(t, !nested, p, s.span->elemsize);
  TRI_RACE_POINT(SHADED);
  tri_fetch_or_rlx(&s.group->mark, s.bit);
}

void tri_write_new_root(struct tri_thread *t, const void *start, size_t size) {
  if (tri_int_load_rlx(&tri_state.barrier) & TRI_BARRIER_NEW) shade_words(t, true, start, size);
}

/* What is about to be overwritten, and with what. */
static void shade_piece(struct tri_thread *t, bool entered, const void *to, const void *from, size_t size) {
  unsigned state = tri_int_load_rlx(&tri_state.barrier);
  if (tri_likely(state == 0)) return;
  if (state & TRI_BARRIER_OLD) shade_words(t, entered, to, size);
  if ((state & TRI_BARRIER_NEW) && from) shade_words(t, entered, from, size);
}

/* [WRITE-3] Words that are aligned in both places are stored whole; others are no pointers. */
static void move_words(char *to, const char *from, size_t size, bool downwards) {
  size_t n = size / WORD, rest = size % WORD;
  tri_aword *out = (tri_aword *)(void *)to;
  const tri_aword *in = (const tri_aword *)(const void *)from;
  if (downwards) memmove(to + n * WORD, from + n * WORD, rest);
  for (size_t i = 0; i < n; i++) {
    size_t k = downwards ? n - 1 - i : i;
    tri_store_rel(&out[k], tri_load_rlx(&in[k]));
  }
  if (!downwards) memmove(to + n * WORD, from + n * WORD, rest);
}

static void zero_words(char *to, size_t size) {
  tri_aword *out = (tri_aword *)(void *)to;
  for (size_t i = 0; i < size / WORD; i++) tri_store_rlx(&out[i], 0);
  memset(to + size / WORD * WORD, 0, size % WORD);
}

static bool is_aligned(const void *p) {
  return ((uintptr_t)p & (WORD - 1)) == 0;
}

/* from NULL: zeroes. */
static void store_piece(char *to, const char *from, size_t size, bool downwards) {
  struct tri_thread *t = writer();
  bool entered = tri_runtime_enter(t);
  shade_piece(t, entered, to, from, size);
  TRI_RACE_POINT(SHADED);
  if (!is_aligned(to) || !is_aligned(from)) {
    if (from) {
      memmove(to, from, size);
    } else {
      memset(to, 0, size);
    }
  } else if (from) {
    move_words(to, from, size, downwards);
  } else {
    zero_words(to, size);
  }
  if (entered) tri_runtime_leave(t);
}

static void store_pieces(char *to, const char *from, size_t size, bool downwards) {
  size_t npieces = (size + PIECE - 1) / PIECE;
  for (size_t i = 0; i < npieces; i++) {
    size_t offset = (downwards ? npieces - 1 - i : i) * PIECE;
    store_piece(to + offset, from ? from + offset : NULL, tri_min(size - offset, PIECE), downwards);
  }
}

/* The bytes before the first aligned word go apart, so that no piece begins within a word. */
static void store_in_pieces(char *to, const char *from, size_t size) {
  size_t head = tri_min((0 - (uintptr_t)to) & (WORD - 1), size);
  bool downwards = from && to > from && to < from + size;
  if (!downwards) store_pieces(to, from, head, false);
  store_pieces(to + head, from ? from + head : NULL, size - head, downwards);
  if (downwards) store_pieces(to, from, head, true);
}

void *tri_memmove(void *to, const void *from, size_t size) {
  if (to != from) store_in_pieces(to, from, size);
  return to;
}

void *tri_memcpy(void *to, const void *from, size_t size) {
  return tri_memmove(to, from, size);
}

void tri_zero(void *to, size_t size) {
  store_in_pieces(to, NULL, size);
}

/* Atomic forms. */

static void publish(void *slot, const void *value) {
  tri_barrier_self.slot = slot;
  tri_barrier_self.value = value;
  tri_fence_sig();
}

/* Before the exchange: what the slot holds by then was put there by a store that has shaded it, or is this. */
void *tri_atomic_exchange(void *slot, const void *value) {
  publish(slot, value);
  for (;;) {
    void *old = (void *)tri_load_acq(slot);
    if (tri_barrier_self.state) tri_write_shade(slot, value);
    TRI_RACE_POINT(SHADED);
    if (tri_cas_acq_rel(slot, (uintptr_t)old, (uintptr_t)value)) return old;
  }
}

int tri_atomic_cas(void *slot, const void *expected, const void *value) {
  publish(slot, value);
  if (tri_barrier_self.state) {
    tri_write_shade(slot, value);
    tri_write_shade(&expected, NULL);
  }
  TRI_RACE_POINT(SHADED);
  return tri_cas_acq_rel(slot, (uintptr_t)expected, (uintptr_t)value);
}
