/*
 * Grey work buffers of 2 KiB, after Go's mgcwork: each marker fills and empties its own and passes whole ones through
 * two global stacks, full and empty. Between shade (which puts) and drain (which gets), gc/mark.c.
 *
 * The stacks are lock-free: the head packs a buffer's address (2 KiB aligned, 48 bits, so 37 are kept) and a 27-bit
 * tag that changes with every push, against the ABA problem. Buffers are persistent and type-stable, so reading `next`
 * of a buffer that another marker has just taken is harmless: the tag makes the exchange fail.
 * Ordering: a push releases the buffer's entries, a pop acquires them (both compare-and-swap, acq_rel).
 */
#include "gc/work.h"

#include <string.h>

#include "alloc/fixalloc.h"
#include "internal/check.h"

enum { BUF_BYTES = 2048, TAG_BITS = 27, CHUNK_BUFS = 16 };

static_assert(sizeof(struct tri_workbuf) == BUF_BYTES, "work buffers are 2 KiB");

static tri_aword full_stack TRI_CACHE_ALIGNED, empty_stack TRI_CACHE_ALIGNED;

static struct tri_workbuf *unpack(uint64_t head) {
  return (struct tri_workbuf *)(uintptr_t)(head >> TAG_BITS << 11);
}

static void push(tri_aword *stack, struct tri_workbuf *b) {
  uint64_t old, head;
  do {
    old = tri_load_acq(stack);
    tri_store_rlx(&b->next, old);
    head = (uint64_t)(uintptr_t)b >> 11 << TAG_BITS | ((old + 1) & (((uint64_t)1 << TAG_BITS) - 1));
  } while (!tri_cas_acq_rel(stack, old, head));
}

static struct tri_workbuf *pop(tri_aword *stack) {
  for (;;) {
    uint64_t old = tri_load_acq(stack);
    struct tri_workbuf *b = unpack(old);
    if (!b) return NULL;
    uint64_t next = tri_load_rlx(&b->next);
    uint64_t head = (next & ~(((uint64_t)1 << TAG_BITS) - 1)) | ((old + 1) & (((uint64_t)1 << TAG_BITS) - 1));
    if (tri_cas_acq_rel(stack, old, head)) return b;
  }
}

static struct tri_workbuf *get_empty(void) {
  struct tri_workbuf *b = pop(&empty_stack);
  if (b) return b;
  char *chunk = tri_persistent_alloc((CHUNK_BUFS + 1) * BUF_BYTES);
  if (!chunk) return NULL;
  chunk = (char *)tri_align_up((uintptr_t)chunk, BUF_BYTES);
  for (int i = 1; i < CHUNK_BUFS; i++) push(&empty_stack, (struct tri_workbuf *)(chunk + i * BUF_BYTES));
  return (struct tri_workbuf *)chunk;
}

bool tri_work_put_slow(struct tri_work *w, uintptr_t grey) {
  if (w->cur && w->spare && w->spare->n < TRI_WORKBUF_ENTRIES) {
    struct tri_workbuf *b = w->cur;
    w->cur = w->spare;
    w->spare = b;
  } else {
    struct tri_workbuf *b = get_empty();
    if (!b) {
      w->overflow = true;
      return false;
    }
    b->n = 0;
    if (w->spare) push(&full_stack, w->spare);
    w->spare = w->cur;
    w->cur = b;
  }
  w->cur->entry[w->cur->n++] = grey;
  return true;
}

uintptr_t tri_work_get_slow(struct tri_work *w) {
  if (w->spare && w->spare->n > 0) {
    struct tri_workbuf *b = w->cur;
    w->cur = w->spare;
    w->spare = b;
  } else {
    struct tri_workbuf *b = pop(&full_stack);
    if (!b) return 0;
    if (w->cur) push(&empty_stack, w->cur);
    w->cur = b;
  }
  return w->cur->entry[--w->cur->n];
}

bool tri_work_put_many(struct tri_work *w, const uintptr_t *grey, unsigned n) {
  struct tri_workbuf *b = w->cur;
  if (tri_likely(b && TRI_WORKBUF_ENTRIES - b->n >= n)) {
    memcpy(&b->entry[b->n], grey, n * sizeof grey[0]);
    b->n += n;
    return true;
  }
  bool all = true;
  for (unsigned i = 0; i < n; i++) all &= tri_work_put(w, grey[i]);
  return all;
}

unsigned tri_work_get_many(struct tri_work *w, uintptr_t *ret, unsigned max) {
  struct tri_workbuf *b = w->cur;
  if (tri_likely(b && b->n > 0)) {
    unsigned n = (unsigned)tri_min(b->n, max);
    b->n -= n;
    for (unsigned i = 0; i < n; i++) ret[i] = b->entry[b->n + n - 1 - i];
    return n;
  }
  ret[0] = tri_work_get_slow(w);
  return ret[0] != 0;
}

void tri_work_share(struct tri_work *w) {
  if (w->spare && w->spare->n > 0) {
    push(&full_stack, w->spare);
    w->spare = NULL;
    return;
  }
  if (!w->cur || w->cur->n < 4) return;
  struct tri_workbuf *b = get_empty();
  if (!b) return;
  /* The oldest: what hangs on them is the most. */
  b->n = w->cur->n / 2;
  w->cur->n -= b->n;
  memcpy(b->entry, w->cur->entry, b->n * sizeof b->entry[0]);
  memmove(w->cur->entry, w->cur->entry + b->n, w->cur->n * sizeof b->entry[0]);
  push(&full_stack, b);
}

static void give_back(struct tri_workbuf *b) {
  if (!b) return;
  tri_check(b->n == 0);
  push(&empty_stack, b);
}

void tri_work_dispose(struct tri_work *w) {
  give_back(w->cur);
  give_back(w->spare);
  *w = (struct tri_work){.overflow = w->overflow};
}

static void put_up(struct tri_workbuf *b) {
  if (b) push(b->n > 0 ? &full_stack : &empty_stack, b);
}

void tri_work_put_up(struct tri_work *w) {
  put_up(w->cur);
  put_up(w->spare);
  *w = (struct tri_work){.overflow = w->overflow};
}

void tri_work_drop_all(void) {
  struct tri_workbuf *b;
  while ((b = pop(&full_stack))) push(&empty_stack, b);
}

bool tri_work_available(void) {
  return unpack(tri_load_acq(&full_stack)) != NULL;
}
