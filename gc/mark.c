/*
 * Marking. shade: word -> slot -> mark bit -> grey work; drain: grey object -> its words. Fed by gc/roots.c, run by the
 * cycle's runner and the workers (gc/worker.c) together, read by the sweep.
 *
 * Conservative: every aligned word of a scannable object counts, interior pointers too. In stacks and registers a word
 * that equals a slot's first byte keeps the slot before it as well (it may be that slot's end pointer).
 * An object of more than 128 KiB is scanned in pieces, each a grey entry (an address inside the object).
 * Grey objects go through a short first-in first-out window that prefetches them, so that a scan does not wait for the
 * memory of the object it has just discovered.
 *
 * Invariants:
 *   [MARK-1] a slot is pushed by the marker whose fetch-or set its mark bit, and by nobody else.
 *   [MARK-2] only allocated slots are marked, so the sweep's `alloc & mark` loses nothing and finds nothing free.
 *   [MARK-3] marking ends when every marker is idle and the global stack is empty; an idle marker holds no work.
 *   [MARK-4] out of memory for work buffers: the object stays marked, `overflow` is set, and tri_mark_recover rescans
 *            every marked object until nothing was dropped.
 *
 * No locks. Mark bits: relaxed fetch-or (each marker acts only on bits that it set itself; the end of marking is an
 * acquire/release on `idle`). Forbidden: recursion, allocation from the collected heap.
 */
#include "gc/mark.h"

#include <sched.h>

#include "alloc/mcentral.h"
#include "gc/roots.h"
#include "gc/slot.h"
#include "internal/check.h"

enum { WINDOW = 16, SHARE_INTERVAL = 256 };

static tri_aword next_root TRI_CACHE_ALIGNED; /* index of the next root range to take */
static tri_aint idle TRI_CACHE_ALIGNED;       /* markers without work */
static unsigned markers;                      /* constant during a marking */

TRI_INLINE void shade(struct tri_marker *m, uintptr_t w) {
  struct tri_slot s;
  if (!tri_slot_find(w, &s) || !tri_slot_in_use(&s)) return;
  if (tri_load_rlx(&s.group->mark) & s.bit) return;
  if (markers > 1) {
    if (tri_fetch_or_rlx(&s.group->mark, s.bit) & s.bit) return;
  } else {
    tri_store_rlx(&s.group->mark, tri_load_rlx(&s.group->mark) | s.bit);
  }
  m->marked_bytes += s.span->elemsize;
  if (tri_mspan_noscan(s.span)) return;
  tri_work_put(&m->work, tri_slot_start(&s));
}

/* The words are the program's, of any type, and may be written by a thread that the registry does not know. */
typedef uintptr_t __attribute__((may_alias)) tri_scan_word;

TRI_INLINE void scan_words(struct tri_marker *m, uintptr_t lo, uintptr_t hi) {
  uintptr_t base = tri_heap_range.base, used = tri_load_acq(&tri_heap_range.used_bytes);
  m->scanned_bytes += hi - lo;
  for (const volatile tri_scan_word *p = (const volatile tri_scan_word *)lo; (uintptr_t)p < hi; p++) {
    uintptr_t w = *p;
    if (w - base < used) shade(m, w);
  }
}

static void scan_stack_words(struct tri_marker *m, uintptr_t lo, uintptr_t hi) {
  for (const volatile tri_scan_word *p = (const volatile tri_scan_word *)lo; (uintptr_t)p < hi; p++) {
    uintptr_t w = *p;
    shade(m, w);
    struct tri_slot s;
    /* w may be one past the end of the slot before; that slot may also end in another span. */
    if (!tri_slot_find(w, &s) || tri_slot_start(&s) == w) shade(m, w - 1);
  }
}

static void scan_object(struct tri_marker *m, uintptr_t entry) {
  struct tri_slot s;
  if (!tri_slot_find(entry, &s)) return;
  uintptr_t start = tri_slot_start(&s), end = start + s.span->elemsize;
  if (s.span->elemsize <= TRI_OBLET_BYTES) {
    scan_words(m, start, end);
    return;
  }
  if (entry == start)
    for (uintptr_t piece = start + TRI_OBLET_BYTES; piece < end; piece += TRI_OBLET_BYTES)
      tri_work_put(&m->work, piece);
  scan_words(m, entry, tri_min(entry + TRI_OBLET_BYTES, end));
}

static bool scan_root(struct tri_marker *m) {
  struct tri_root_range r;
  if (!tri_roots_get(tri_fetch_add_rlx(&next_root, 1), &r)) return false;
  if (r.stack) {
    scan_stack_words(m, r.lo, r.hi);
  } else {
    scan_words(m, r.lo, r.hi);
  }
  return true;
}

/* Scans grey objects until this marker has none and the global stack none to take. */
static void drain(struct tri_marker *m) {
  uintptr_t window[WINDOW] = {0};
  unsigned at = 0, filled = 0, since_share = 0;
  for (;;) {
    uintptr_t fresh = tri_work_get(&m->work);
    if (!fresh && filled == 0) return;
    uintptr_t due = window[at];
    if (fresh) {
      __builtin_prefetch((const void *)fresh);
      filled++;
    }
    window[at] = fresh;
    at = (at + 1) % WINDOW;
    if (due) {
      filled--;
      scan_object(m, due);
    }
    if (++since_share >= SHARE_INTERVAL) {
      since_share = 0;
      if (tri_int_load_rlx(&idle) > 0 && !tri_work_available()) tri_work_share(&m->work);
    }
  }
}

/* Waits until there is work to take (true) or every marker waits (false). [MARK-3] */
static bool wait_for_work(void) {
  tri_int_fetch_add_acq_rel(&idle, 1);
  for (unsigned spins = 0;; spins++) {
    if (tri_int_load_acq(&idle) == markers) return false;
    if (tri_work_available()) {
      unsigned n = tri_int_load_acq(&idle);
      if (n != markers && tri_int_cas_acq_rel(&idle, n, n - 1)) return true;
    }
    if (spins < 100) {
      tri_spin_pause();
    } else {
      sched_yield();
    }
  }
}

void tri_mark_begin(unsigned nmarkers) {
  markers = nmarkers;
  tri_store_rlx(&next_root, 0);
  tri_int_store_rel(&idle, 0);
}

void tri_mark_run(struct tri_marker *m) {
  do {
    do {
      drain(m);
    } while (scan_root(m));
    drain(m);
  } while (wait_for_work());
  tri_work_dispose(&m->work);
}

static void shade_word(uintptr_t word, void *marker) {
  shade(marker, word);
  shade(marker, word - 1);
}

void tri_mark_words(struct tri_marker *m) {
  tri_roots_each_word(shade_word, m);
}

static void regrey_span(struct tri_mspan *s, void *marker) {
  struct tri_marker *m = marker;
  if (tri_mspan_noscan(s)) return;
  for (uint32_t g = 0; g < s->ngroups; g++)
    for (uint64_t b = tri_load_rlx(&s->bits[g].mark); b; b &= b - 1) {
      scan_object(m, tri_mspan_slot(s, g * 64 + (uint32_t)__builtin_ctzll(b)));
      drain(m);
    }
}

bool tri_mark_recover(struct tri_marker *m, unsigned n) {
  bool dropped = false;
  for (unsigned i = 0; i < n; i++) dropped |= m[i].work.overflow;
  if (!dropped) return false;
  for (unsigned i = 0; i < n; i++) m[i].work.overflow = false;
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) tri_mcentral_each(c, regrey_span, &m[0]);
  return true;
}
