/* Grey work: buffers of grey entries, shared between markers in whole buffers. */
#ifndef TRI_GC_WORK_H
#define TRI_GC_WORK_H

#include "internal/atomic.h"

enum { TRI_WORKBUF_ENTRIES = 253 };

struct tri_workbuf {
  tri_aword next; /* packed; while on a global stack */
  uint64_t n;
  uint64_t pad;
  uintptr_t entry[TRI_WORKBUF_ENTRIES];
};

/* A marker's end of the work: it fills and empties `cur`, and keeps `spare` so that work near a buffer's edge does not
 * go back and forth to the global stacks. */
struct tri_work {
  struct tri_workbuf *cur, *spare;
  bool overflow; /* no memory for a buffer: a grey object was dropped, see gc/mark.c */
};

/*
 * A grey entry, never 0: what scanning a small object needs to know, so that it looks nothing up.
 *
 *   63    62        56 55       49 48 47             3 2      0
 *   typed | size class | type, high | 0 | address / 8  | type, low
 *
 * The class is 0 for large objects; the type's number is 0 for them and for those that are scanned conservatively.
 */
enum { TRI_GREY_TYPE_BITS = 10 };

/* tag: mspan's. If the result is not plain it is no entry, only an address with its tag. */
TRI_INLINE uintptr_t tri_grey(uintptr_t address, unsigned tag) {
  return address | (uintptr_t)tag << 48;
}
/* Of a span with types; type 0: none is known, all words count. */
TRI_INLINE uintptr_t tri_grey_typed(uintptr_t address, unsigned tag, unsigned type) {
  uintptr_t c = tag & 0x7f00, typed = (uintptr_t)(type != 0) << 63;
  return address | (type & 7) | (uintptr_t)(type >> 3) << 49 | c << 48 | typed;
}
TRI_INLINE uintptr_t tri_grey_address(uintptr_t grey) {
  return grey & (((uintptr_t)1 << 48) - 8);
}
/* The size class, and TRI_GREY_TYPED with a type. */
enum { TRI_GREY_TYPED = 128, TRI_GREY_CLASSES = 256 };
TRI_INLINE unsigned tri_grey_class(uintptr_t grey) {
  return (unsigned)(grey >> 56);
}
TRI_INLINE unsigned tri_grey_type(uintptr_t grey) {
  return (unsigned)(grey >> 46 & 0x3f8) | (unsigned)(grey & 7);
}
TRI_INLINE bool tri_grey_noscan(uintptr_t grey) {
  return grey >> 48 & 1;
}
/* Neither typed nor without pointers. */
TRI_INLINE bool tri_grey_is_plain(uintptr_t grey) {
  return (intptr_t)grey >= 0;
}

bool tri_work_put_slow(struct tri_work *w, uintptr_t grey);
uintptr_t tri_work_get_slow(struct tri_work *w);

/* False: dropped for want of memory. */
TRI_INLINE bool tri_work_put(struct tri_work *w, uintptr_t grey) {
  struct tri_workbuf *b = w->cur;
  if (tri_unlikely(!b || b->n == TRI_WORKBUF_ENTRIES)) return tri_work_put_slow(w, grey);
  b->entry[b->n++] = grey;
  return true;
}

/* 0 when neither this marker nor the global stack has work. */
TRI_INLINE uintptr_t tri_work_get(struct tri_work *w) {
  struct tri_workbuf *b = w->cur;
  if (tri_unlikely(!b || b->n == 0)) return tri_work_get_slow(w);
  return b->entry[--b->n];
}

/* The same for many. put: false when some were dropped. get: how many, at most `max`; fewer do not mean that there are
 * no more, but 0 does. */
bool tri_work_put_many(struct tri_work *w, const uintptr_t *grey, unsigned n);
unsigned tri_work_get_many(struct tri_work *w, uintptr_t *ret, unsigned max);

/* Gives half of a well-filled buffer to the global stack, for markers that wait. */
void tri_work_share(struct tri_work *w);
/* End of marking: buffers go back empty. `overflow` stays, for tri_mark_recover. */
void tri_work_dispose(struct tri_work *w);
/* Leaves all grey entries to whoever marks next. */
void tri_work_put_up(struct tri_work *w);
/* Grey entries that were put up are forgotten; no marker is at work. */
void tri_work_drop_all(void);
/* True when some marker put full buffers up. */
bool tri_work_available(void);

#endif
