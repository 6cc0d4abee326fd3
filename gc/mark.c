/*
 * Marking. drain: grey object -> scan -> candidate words -> spans -> slots -> mark bits -> grey work. Fed by
 * gc/roots.c, run by the cycle's runner and the workers (gc/worker.c) together, read by the sweep.
 *
 * Conservative: every aligned word of a scannable object counts, interior pointers too. In stacks and registers a word
 * that equals a slot's first byte keeps the slot before it as well (it may be that slot's end pointer).
 * An object of more than 128 KiB is scanned in pieces, each a grey entry (an address inside the object). Pages of large
 * objects that the program never touched are left out.
 *
 * No step waits for memory that it has only just learnt of. Grey objects are taken in batches of 16, and while those of
 * one batch are prefetched the one before is scanned. Words in the heap's range are gathered as candidates, some 16,
 * and go to their slots' bits and to grey work in two passes (gc/candidates.c).
 * A grey entry carries the size class and the type, so scanning a small object looks nothing up. Pointer-free objects
 * are marked and never queued. Of objects with a type (gc/types.c) only the words in its bitmap are looked at, also in
 * pieces, on dirty pages and where pages are missing; the bitmap begins anew with each element.
 *
 * Invariants:
 *   [MARK-1] a slot is pushed by the marker that set its mark bit, and by nobody else.
 *   [MARK-2] in the stopped world only allocated slots are marked. The sweep keeps `alloc & mark`.
 *   [MARK-3] marking ends when every marker is idle and the global stack is empty; an idle marker holds no work: no
 *            entry in buffers or batches, no candidate.
 *   [MARK-4] out of memory for work buffers: the object stays marked, `overflow` is set, and tri_mark_recover rescans
 *            every marked object until nothing was dropped.
 *   [MARK-5] with the page barrier, before the last stop free slots are marked and scanned like others: one may be
 * handed out later, while the word that points to it stays as it is, on a page that nobody writes to. Spans born
 * meanwhile are marked whole (alloc/mcentral.c).
 *   [MARK-6] free=ignore with malloc replaced: what the program called free for is marked where something still points
 *            to it, but not scanned; no program that frees rightly reads on there. Whatever it took out of the object
 *            before, it has in a root or in a page that the last stop looks at; the hybrid barrier has no such stop,
 *            so nothing is disowned there.
 *
 * No locks. Mark bits: relaxed fetch-or, or a plain store when one marker alone sets any, since no thread shades or
 * assists meanwhile, [ASSIST-3] (each acts only on bits that it set itself; the end of marking is an acquire/release on
 * `idle`). Idle markers are given the oldest half of a buffer by whoever has one, at the next round of candidates.
 * Forbidden: recursion, allocation from the collected heap.
 */
#include "gc/mark.h"

#include <sched.h>

#include "alloc/mcentral.h"
#include "barrier/page.h"
#include "gc/assist.h"
#include "gc/beside.h"
#include "gc/candidates.h"
#include "gc/pages.h"
#include "gc/roots.h"
#include "gc/runtime.h"
#include "gc/scan.h"
#include "gc/shade.h"
#include "gc/slot.h"
#include "gc/types.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/lock.h"
#include "internal/state.h"

enum { BATCH = TRI_CANDIDATES_AT_ONCE / TRI_SCAN_SMALL, CHUNK_WORDS = 64, SPINS = 2000 };
/* In a round BESIDE: how often the cut is looked for, and the CPU given up; design.md section 5. */
enum { BREATH_STEPS = 4, BREATH_BYTES = 32 << 10, BREATH_NS = 50 * 1000 };
enum { SLEEP_MIN_NS = 20 * 1000, SLEEP_MAX_NS = 400 * 1000 };
/* Asleep, not yielding in a loop: gc/stop.c says why. */
enum { IDLE_NS = 20 * 1000 };
enum { CONTENDED_NS = 50 * 1000, CONTENDED_BREATHS = 128 };
enum { ASSIST_RANGES = 16 };
enum { PREFETCH_BYTES = 512, STEP_BYTES = 8 << 10 };
static const size_t SCAN_AHEAD = 1024;
/* Reading so much takes ten times as long as asking which of its pages were ever touched. */
#define SPARSE_BYTES ((size_t)64 << 10)
#define ALL_WHOLE UINT32_MAX /* in whole_pieces: every piece is, for good */

static tri_aword next_root TRI_CACHE_ALIGNED; /* index of the next root range to take */
static tri_aint idle TRI_CACHE_ALIGNED;       /* markers without work */
static tri_aint dirty_left;                   /* dirty pages that no marker has taken yet; only a hint */
static tri_aint hungry;                       /* a thread wanted to assist, and found nothing */
static tri_aint put_off;                      /* pieces of large objects come again: they are not counted */
static tri_aint cut;                          /* the round BESIDE ends */
/* By tri_grey_class: bytes to prefetch. Constant after the first tri_mark_begin. */
static uint16_t prefetch_bytes[TRI_GREY_CLASSES];
/* Constant during a round. */
static unsigned markers, cpus;
static enum tri_round round_kind;
static uintptr_t round_used;
static uint64_t free_too; /* all ones: free slots are marked, too [MARK-5] */
static bool marks_are_shared;

/* An object, for those who scan parts of it. */
struct whole {
  const struct tri_type_info *type; /* NULL: conservative */
  uintptr_t start;
};

/* Grey entries that were taken together, and whose objects were prefetched. Small ones are scanned at one go, of the
 * others as many as make a step. */
struct batch {
  unsigned nsmall, nother;
  bool has_large;
  size_t small_bytes;
  uintptr_t small[BATCH]; /* for tri_scan_small */
  uintptr_t other[BATCH];
};

/* What a marker has at hand; on its stack, which is no root. */
struct hand {
  struct tri_marker *m;
  bool careful;                    /* some pages of the heap cannot be read */
  bool asks_nothing, gave_up;      /* makes no system call ([ASSIST-4]); has met what needs one */
  struct whole run_of;             /* what scan_run is given parts of */
  uint64_t breath_bytes;           /* a round BESIDE: scanned_bytes when the cut was last looked for */
  uint64_t breath_ns;              /* and when the CPU was last given up */
  uint64_t start_ns, start_cpu_ns; /* of the round BESIDE, or of contention in it */
  unsigned contended;              /* so many breaths long others are taken to wait for this CPU */
  bool goes_on;                    /* it did not give way the last time */
  unsigned due;                    /* which batch is scanned next; the other one is filled */
  struct batch batch[2];
  struct tri_candidates candidates;
};

static uint64_t disowned_mask(void) {
  return tri_state.disowning ? UINT64_MAX : 0;
}

/* Marked slots whose contents count. */
static uint64_t marks_to_scan(const struct tri_bitgroup *g) {
  uint64_t disowned = tri_bitgroup_disowned(g, tri_bitgroup_alloc(g)) & disowned_mask();
  return tri_load_rlx(&g->mark) & ~disowned;
}

static void init_hand(struct hand *h, struct tri_marker *m) {
  h->m = h->candidates.m = m;
  h->candidates.base = tri_heap_range.base;
  h->candidates.used = round_used;
  h->candidates.free_too = free_too;
  h->candidates.disowned = disowned_mask();
  h->candidates.shared = marks_are_shared;
  h->candidates.n = 0;
  h->careful = tri_roots_any_protected();
  h->run_of = (struct whole){0};
  h->asks_nothing = h->gave_up = h->goes_on = false;
  h->breath_bytes = 0;
  h->breath_ns = 0;
  h->contended = 0;
  h->start_ns = h->start_cpu_ns = 0;
  h->due = 0;
  for (int i = 0; i < 2; i++) h->batch[i].nsmall = h->batch[i].nother = 0;
}

static void share_if_asked(struct hand *h) {
  if ((tri_int_load_rlx(&idle) == 0 && !tri_int_load_rlx(&hungry)) || tri_work_available()) return;
  tri_work_share(&h->m->work);
  tri_int_store_rlx(&hungry, 0);
}

TRI_NOINLINE static void mark_candidates(struct hand *h) {
  tri_candidates_mark(&h->candidates);
  share_if_asked(h);
}

TRI_INLINE void added_candidates(struct hand *h, size_t n) {
  h->candidates.n += (unsigned)n;
  if (tri_candidates_are_many(&h->candidates)) mark_candidates(h);
}

TRI_INLINE void add_candidate(struct hand *h, uintptr_t w) {
  if (w - h->candidates.base >= h->candidates.used) return;
  h->candidates.word[h->candidates.n] = w;
  added_candidates(h, 1);
}

/* The processor's own prefetching ends with each page, and is late where two markers stream. */
TRI_INLINE void prefetch_ahead(uintptr_t lo, uintptr_t hi) {
  uintptr_t end = tri_min(lo + SCAN_AHEAD + CHUNK_WORDS * sizeof(void *), hi);
  for (uintptr_t p = lo + SCAN_AHEAD; p < end; p += TRI_CACHE_LINE) __builtin_prefetch((const void *)p);
}

TRI_INLINE void scan_words(struct hand *h, uintptr_t lo, uintptr_t hi) {
  struct tri_candidates *c = &h->candidates;
  h->m->scanned_bytes += hi - lo;
  while (lo < hi) {
    size_t n = tri_min((hi - lo) / sizeof(void *), CHUNK_WORDS);
    if (hi - lo > SCAN_AHEAD) prefetch_ahead(lo, hi);
    added_candidates(h, tri_scan_words((const void *)lo, n, c->base, c->used, c->word + c->n));
    lo += n * sizeof(void *);
  }
}

/* At most CHUNK_WORDS words, of which those in the mask count. */
TRI_INLINE void scan_mask(struct hand *h, uintptr_t lo, uint64_t mask) {
  struct tri_candidates *c = &h->candidates;
  unsigned found = 0;
  for (; mask; mask &= mask - 1) {
    uintptr_t w = ((const volatile tri_scan_word *)lo)[__builtin_ctzll(mask)];
    c->word[c->n + found] = w;
    found += w - c->base < c->used;
  }
  added_candidates(h, found);
}

TRI_INLINE uint64_t low_bits(size_t n) {
  return n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0;
}

/* A part of an object whose pointers are known. */
static void scan_typed(struct hand *h, struct whole o, uintptr_t lo, uintptr_t hi) {
  const struct tri_type_info *t = o.type;
  if (t->all) {
    scan_words(h, lo, hi);
    return;
  }
  h->m->scanned_bytes += hi - lo;
  size_t phase = (lo - o.start) / sizeof(void *) % t->period;
  while (lo < hi) {
    size_t n = tri_min((hi - lo) / sizeof(void *), CHUNK_WORDS);
    scan_mask(h, lo, tri_type_mask(t, phase) & low_bits(n));
    lo += n * sizeof(void *);
    phase += t->step;
    if (phase >= t->period) phase -= t->period;
  }
}

static void scan_part(struct hand *h, struct whole o, uintptr_t lo, uintptr_t hi) {
  if (o.type) {
    scan_typed(h, o, lo, hi);
  } else {
    scan_words(h, lo, hi);
  }
}

/* A small object with a type. */
TRI_NOINLINE static void scan_small_typed(struct hand *h, uintptr_t grey) {
  const struct tri_type_info *t = &tri_type_infos[tri_grey_type(grey)];
  uintptr_t start = tri_grey_address(grey);
  size_t bytes = tri_class_size[tri_grey_class(grey) - TRI_GREY_TYPED], n = bytes / sizeof(void *);
  if (n <= CHUNK_WORDS && !t->all) {
    h->m->scanned_bytes += bytes;
    scan_mask(h, start, t->first & low_bits(n));
  } else {
    scan_typed(h, (struct whole){t, start}, start, start + bytes);
  }
}

/* w may be one past the end of the slot before; that slot may also end in another span, or at the end of the heap. For
 * other words w - 1 lies in the same slot, and changes nothing. */
static void scan_stack_words(struct hand *h, uintptr_t lo, uintptr_t hi) {
  uintptr_t words[CHUNK_WORDS + TRI_SCAN_SLACK];
  while (lo < hi) {
    size_t n = tri_min((hi - lo) / sizeof(void *), CHUNK_WORDS);
    size_t in = tri_scan_words((const void *)lo, n, h->candidates.base, h->candidates.used + 1, words);
    lo += n * sizeof(void *);
    for (size_t i = 0; i < in; i++) {
      add_candidate(h, words[i]);
      add_candidate(h, words[i] - 1);
    }
  }
}

static void scan_run(uintptr_t lo, uintptr_t hi, void *hand) {
  struct hand *h = hand;
  scan_part(h, h->run_of, lo, hi);
}

static struct whole whole_slot(const struct tri_mspan *s, uint32_t index) {
  return (struct whole){tri_types_info(s, index), tri_mspan_slot(s, index)};
}

static bool all_touched(struct tri_mspan *s) {
  return tri_int_load_rlx(&s->whole_pieces) == ALL_WHOLE;
}

/* A page that was touched stays so: an object found without a hole is not asked about again. */
static void found_whole(struct tri_mspan *s) {
  if (tri_int_load_acq(&put_off)) return;
  unsigned pieces = (unsigned)tri_min((s->elemsize + TRI_OBLET_BYTES - SPARSE_BYTES) / TRI_OBLET_BYTES, ALL_WHOLE - 1);
  if (tri_int_fetch_add_acq_rel(&s->whole_pieces, 1) + 1 == pieces) tri_int_store_rlx(&s->whole_pieces, ALL_WHOLE);
}

/* The kernel does not say which pages can be read. Beside the program that is put off: somebody has closed our
 * descriptor, which the last stop opens again. */
static void scan_unasked(struct hand *h, struct tri_mspan *s, uintptr_t lo, uintptr_t hi) {
  if (round_kind == TRI_ROUND_BESIDE && tri_pages_may_be_guarded()) {
    tri_int_store_rel(&put_off, 1);
    tri_work_put(&h->m->work, tri_grey(lo, s->tag));
    tri_mark_cut();
  } else {
    scan_part(h, h->run_of, lo, hi);
  }
}

/* Only the pages that the program ever touched: the others would become present, and are many in sparse objects. */
static void scan_touched(struct hand *h, struct tri_mspan *s, uintptr_t lo, uintptr_t hi) {
  uint64_t before = h->m->scanned_bytes;
  h->run_of = whole_slot(s, 0);
  if (!tri_pages_each(lo, hi, false, scan_run, h)) {
    scan_unasked(h, s, lo, hi);
  } else if (h->m->scanned_bytes - before == hi - lo) {
    found_whole(s);
  }
}

TRI_NOINLINE static void scan_large(struct hand *h, uintptr_t entry) {
  struct tri_slot s;
  if (!tri_slot_find(entry, &s)) return;
  uintptr_t start = tri_slot_start(&s), end = start + tri_mspan_used_bytes(s.span);
  size_t left = s.span->elemsize - (entry - start);
  if (h->asks_nothing && left >= SPARSE_BYTES && !all_touched(s.span)) {
    tri_work_put(&h->m->work, tri_grey(entry, s.span->tag));
    h->gave_up = true;
    return;
  }
  if (entry == start) {
    if (!all_touched(s.span)) tri_int_store_rlx(&s.span->whole_pieces, 0);
    for (uintptr_t piece = start + TRI_OBLET_BYTES; piece < end; piece += TRI_OBLET_BYTES)
      tri_work_put(&h->m->work, tri_grey(piece, s.span->tag));
  }
  if (entry >= end) return; /* realloc has taken it off meanwhile */
  end = tri_min(entry + TRI_OBLET_BYTES, end);
  if (left < SPARSE_BYTES || all_touched(s.span)) {
    scan_part(h, whole_slot(s.span, 0), entry, end);
  } else {
    scan_touched(h, s.span, entry, end);
  }
}

/* Where the program has taken rights from pages of the heap. */
static void scan_readable_part(struct hand *h, struct whole o, uintptr_t lo, uintptr_t end) {
  if (tri_likely(!h->careful)) {
    scan_part(h, o, lo, end);
    return;
  }
  while (lo < end) {
    size_t n = tri_roots_next_readable(&lo, end);
    scan_part(h, o, lo, lo + n);
    lo += n;
  }
}

TRI_NOINLINE static void scan_readable(struct hand *h, uintptr_t entry) {
  struct tri_slot s;
  if (!tri_slot_find(entry, &s)) return;
  uintptr_t end = tri_slot_start(&s) + tri_mspan_used_bytes(s.span);
  if (entry < end) scan_readable_part(h, whole_slot(s.span, s.index), entry, end);
}

/* Of any size, but meant for those that are not for tri_scan_small. */
static void scan_other(struct hand *h, uintptr_t grey) {
  uintptr_t start = tri_grey_address(grey);
  unsigned c = tri_grey_class(grey);
  if (tri_unlikely(h->careful)) {
    scan_readable(h, start);
  } else if (tri_unlikely(c == 0)) {
    scan_large(h, start);
  } else if (c & TRI_GREY_TYPED) {
    scan_small_typed(h, grey);
  } else {
    scan_words(h, start, start + tri_class_size[c]);
  }
}

/* At least one object of it, and not many bytes more than STEP_BYTES. */
static void scan_batch(struct hand *h, struct batch *b) {
  struct tri_candidates *c = &h->candidates;
  uint64_t enough = h->m->scanned_bytes + STEP_BYTES;
  if (b->nsmall > 0) {
    size_t n = tri_scan_small(b->small, b->nsmall, c->base, c->used, c->word + c->n);
    h->m->scanned_bytes += b->small_bytes;
    b->nsmall = 0;
    added_candidates(h, n);
  }
  while (b->nother > 0 && h->m->scanned_bytes < enough) scan_other(h, b->other[--b->nother]);
}

/* The marked objects on the pages [lo, hi) of a span, as far as they lie there. Whether they are still allocated is not
 * asked: a slot may be handed out and filled before the allocation is seen here. */
static void scan_marked_on(struct hand *h, struct tri_mspan *s, uintptr_t lo, uintptr_t hi) {
  uint32_t last = tri_mspan_index(s, hi - 1);
  if (last >= s->nelems) last = s->nelems - 1;
  for (uint32_t i = tri_mspan_index(s, lo); i <= last; i++) {
    uint64_t marks = marks_to_scan(&s->bits[i / 64]) >> (i % 64);
    if (!marks) {
      i |= 63;
      continue;
    }
    i += (uint32_t)__builtin_ctzll(marks);
    if (i > last) return;
    uintptr_t object = tri_mspan_slot(s, i);
    scan_readable_part(h, whole_slot(s, i), tri_max(object, lo), tri_min(object + s->elemsize, hi));
  }
}

/* A large object may have pages among them that were never touched or that cannot be read. */
static void scan_marked_large(struct hand *h, struct tri_mspan *s, uintptr_t lo, uintptr_t hi) {
  if (!(marks_to_scan(&s->bits[0]) & 1)) return;
  hi = tri_min(hi, s->base + tri_mspan_used_bytes(s));
  if (lo >= hi) return;
  h->run_of = whole_slot(s, 0);
  if (!tri_pages_each(lo, hi, false, scan_run, h)) scan_readable_part(h, h->run_of, lo, hi);
}

/* Pages that were written to since their marked objects were scanned. */
static void scan_dirty(struct hand *h, uintptr_t lo, uintptr_t hi) {
  while (lo < hi) {
    uintptr_t end = tri_min(tri_align_down(lo, TRI_PAGE_SIZE) + TRI_PAGE_SIZE, hi);
    struct tri_mspan *s = tri_mheap_span_of(lo);
    if (s && tri_int_load_acq(&s->state) != TRI_SPAN_DEAD) {
      end = tri_max(end, tri_min(s->base + (s->npages << TRI_PAGE_SHIFT), hi));
      if (s->spanclass == 0 && !h->asks_nothing) scan_marked_large(h, s, lo, end);
      if (s->spanclass > 1 && !tri_mspan_noscan(s)) scan_marked_on(h, s, lo, end);
    }
    lo = end;
  }
}

static void scan_written(uintptr_t lo, uintptr_t hi, void *hand) {
  struct hand *h = hand;
  h->m->dirty_bytes += hi - lo;
  scan_dirty(h, lo, hi);
}

static void scan_untold(struct hand *h, uintptr_t lo, uintptr_t hi) {
  if (!tri_pages_each(lo, hi, false, scan_written, h)) scan_dirty(h, lo, hi);
}

static bool scan_root(struct hand *h) {
  struct tri_root_range r;
  if (!tri_roots_get(tri_fetch_add_rlx(&next_root, 1), &r)) return false;
  if (r.stack) {
    scan_stack_words(h, r.lo, r.hi);
  } else if (r.dirty) {
    scan_dirty(h, r.lo, r.hi);
  } else if (r.untold) {
    scan_untold(h, r.lo, r.hi);
  } else if (r.ask) {
    if (!tri_page_each_written_at_last(r.lo, r.hi, scan_written, h)) scan_untold(h, r.lo, r.hi);
  } else if (r.code) {
    for (uintptr_t lo = r.lo; lo < r.lo + sizeof(void *); lo++)
      scan_words(h, lo, lo + (r.hi - lo) / sizeof(void *) * sizeof(void *));
  } else {
    scan_words(h, r.lo, r.hi);
  }
  return true;
}

/* The first lines of an object: the processor sees a stream only after some misses. */
TRI_INLINE void prefetch_object(uintptr_t grey) {
  const char *p = (const char *)tri_grey_address(grey), *end = p + prefetch_bytes[tri_grey_class(grey)];
  do {
    __builtin_prefetch(p);
    p += TRI_CACHE_LINE;
  } while (p < end);
}

/* Not for tri_scan_small. One piece of a large object is enough at a time: other markers may want the next. */
TRI_NOINLINE static void fill_other(struct hand *h, struct batch *b, uintptr_t grey) {
  if (tri_grey_class(grey) == 0 && b->has_large) {
    tri_work_put(&h->m->work, grey);
    return;
  }
  prefetch_object(grey);
  b->has_large |= tri_grey_class(grey) == 0;
  b->other[b->nother++] = grey;
}

/* Of an empty batch. */
TRI_INLINE void fill_batch(struct hand *h, struct batch *b) {
  uintptr_t grey[BATCH];
  unsigned n = tri_work_get_many(&h->m->work, grey, BATCH), nsmall = 0;
  size_t words = 0;
  b->has_large = false;
  for (unsigned i = 0; i < n; i++) {
    unsigned w = tri_scan_small_words[tri_grey_class(grey[i])];
    if (tri_likely(w && !h->careful)) {
      __builtin_prefetch((const void *)tri_grey_address(grey[i]));
      b->small[nsmall++] = grey[i];
      words += w;
    } else {
      fill_other(h, b, grey[i]);
    }
  }
  b->nsmall = nsmall;
  b->small_bytes = words * sizeof(void *);
}

TRI_INLINE bool batch_is_empty(const struct batch *b) {
  return b->nsmall + b->nother == 0;
}

/* Asks for the next grey objects, then scans those that it has asked for a step ago. False: this marker has no grey
 * object and no candidate, and the global stack nothing to take. */
TRI_INLINE bool drain_step(struct hand *h) {
  struct batch *due = &h->batch[h->due], *next = &h->batch[h->due ^ 1];
  if (batch_is_empty(next)) fill_batch(h, next);
  if (!batch_is_empty(due)) {
    scan_batch(h, due);
  } else if (batch_is_empty(next)) {
    if (h->candidates.n == 0) return false;
    mark_candidates(h);
  }
  if (batch_is_empty(due)) h->due ^= 1;
  return true;
}

/* Scans grey objects until this marker has none and the global stack none to take. */
static void drain(struct hand *h) {
  while (drain_step(h)) continue;
}

static void sleep_ns(uint64_t ns) {
  static tri_aint never;
  tri_futex_wait(&never, 0, ns);
}

/* Waits until there is work to take (true) or every marker waits or leaves (false). [MARK-3] */
static bool wait_for_work(void) {
  tri_int_fetch_add_acq_rel(&idle, 1);
  for (unsigned spins = 0;; spins++) {
    if (tri_int_load_acq(&idle) == markers) return false;
    if (round_kind == TRI_ROUND_BESIDE && tri_int_load_acq(&cut)) return false;
    if (tri_work_available()) {
      unsigned n = tri_int_load_acq(&idle);
      if (n != markers && tri_int_cas_acq_rel(&idle, n, n - 1)) return true;
    }
    if (spins < SPINS) {
      tri_spin_pause();
    } else {
      sleep_ns(IDLE_NS);
    }
  }
}

/* So much later the markers will have had a quarter of all CPUs since the start. */
static uint64_t ns_ahead_of_quarter(const struct hand *h, uint64_t now) {
  uint64_t due_ns = (tri_thread_cpu_ns() - h->start_cpu_ns) * 4 * markers / cpus, wall_ns = now - h->start_ns;
  return due_ns > wall_ns ? due_ns - wall_ns : 0;
}

/* [ASSIST-3] */
static void let_assist(struct hand *h) {
  h->candidates.shared = true;
  if (!marks_are_shared) marks_are_shared = true; /* who assists reads it */
  tri_assist_open();
}

/* CPU time that was idle until now is not held against the markers. */
static void begin_contention(struct hand *h) {
  h->contended = CONTENDED_BREATHS;
  if (ns_ahead_of_quarter(h, h->breath_ns) == 0) return;
  h->start_ns = h->breath_ns;
  h->start_cpu_ns = tri_thread_cpu_ns();
}

/* Where nobody waits for this CPU a yield comes back at once. Where somebody does it comes back a time slice later,
 * which would leave next to nothing for marking; a short sleep lets the other run as well, and the marker, whose own
 * slice is short (gc/worker.c), gets the CPU back when it wakes. One that has had less than its share sleeps every
 * other time. */
static void give_way(struct hand *h) {
  uint64_t before = tri_now_ns();
  share_if_asked(h);
  if (tri_assist_is_wanted() && !tri_assist_is_open()) let_assist(h);
  if (tri_beside_is_waited_for(before)) {
    h->breath_ns = before;
    return;
  }
  if (h->contended > 0 && !tri_beside_is_far_outrun()) {
    h->contended--;
    uint64_t ahead = ns_ahead_of_quarter(h, before);
    h->goes_on = ahead <= SLEEP_MIN_NS && !h->goes_on;
    if (!h->goes_on) sleep_ns(tri_min(tri_max(ahead, SLEEP_MIN_NS), SLEEP_MAX_NS));
    h->breath_ns = tri_now_ns();
  } else {
    sched_yield();
    h->breath_ns = tri_now_ns();
    if (h->breath_ns - before > CONTENDED_NS) begin_contention(h);
  }
}

/* The kernel would take the CPU away only at its tick. False: the round is cut. */
TRI_NOINLINE static bool breathe(struct hand *h) {
  tri_beside_did(h->m->scanned_bytes - h->breath_bytes);
  h->breath_bytes = h->m->scanned_bytes;
  if (tri_int_load_acq(&cut)) return false;
  if (tri_now_ns() - h->breath_ns < BREATH_NS) return true;
  if (!tri_beside_may_go_on()) tri_mark_cut();
  give_way(h);
  return true;
}

/* drain, but false when the round was cut. */
static bool drain_beside(struct hand *h) {
  for (unsigned n = 1;; n++) {
    if ((n % BREATH_STEPS == 0 || h->m->scanned_bytes - h->breath_bytes > BREATH_BYTES) && !breathe(h)) return false;
    if (!drain_step(h)) return true;
  }
}

static void run_roots(struct hand *h) {
  while (scan_root(h)) continue;
}

/* The listed dirty pages are scanned even when the round is cut: they are protected again already. */
static void run_beside(struct hand *h) {
  if (marks_are_shared) let_assist(h);
  h->breath_bytes = h->m->scanned_bytes;
  h->breath_ns = h->start_ns = tri_now_ns();
  h->start_cpu_ns = tri_thread_cpu_ns();
  do {
    do {
      if (!drain_beside(h)) {
        run_roots(h);
        return;
      }
    } while (scan_root(h));
  } while (wait_for_work());
}

static void run_to_the_end(struct hand *h) {
  do {
    do {
      drain(h);
    } while (scan_root(h));
  } while (wait_for_work());
}

static void put_up_batch(struct hand *h, struct batch *b) {
  tri_work_put_many(&h->m->work, b->small, b->nsmall);
  tri_work_put_many(&h->m->work, b->other, b->nother);
  b->nsmall = b->nother = 0;
}

/* What this marker has at hand is left to the next round. */
static void put_up(struct hand *h) {
  if (h->candidates.n > 0) mark_candidates(h);
  for (int i = 0; i < 2; i++) put_up_batch(h, &h->batch[i]);
  tri_work_put_up(&h->m->work);
}

/* Once, in the first stop: nobody scans yet. */
static void fill_tables(void) {
  tri_scan_init();
  tri_candidates_init();
  prefetch_bytes[0] = PREFETCH_BYTES;
  for (unsigned c = 1; c < TRI_NUM_CLASSES; c++)
    prefetch_bytes[c] = prefetch_bytes[c + TRI_GREY_TYPED] = (uint16_t)tri_min(tri_class_size[c], PREFETCH_BYTES);
}

void tri_mark_begin(enum tri_round round, unsigned nmarkers, unsigned ncpus) {
  if (!prefetch_bytes[0]) fill_tables();
  markers = nmarkers;
  cpus = ncpus;
  round_kind = round;
  round_used = tri_load_acq(&tri_heap_range.used_bytes);
  bool hybrid = tri_int_load_rlx(&tri_state.barrier) != 0;
  free_too = hybrid || round == TRI_ROUND_TO_THE_END ? 0 : UINT64_MAX;
  marks_are_shared = nmarkers > 1 || hybrid || (round == TRI_ROUND_BESIDE && tri_assist_is_wanted());
  tri_int_store_rlx(&cut, 0);
  if (round == TRI_ROUND_ROOTS) tri_int_store_rlx(&put_off, 0);
  tri_store_rlx(&next_root, 0);
  tri_int_store_rlx(&dirty_left, round == TRI_ROUND_BESIDE && tri_roots_any());
  tri_int_store_rel(&idle, 0);
}

void tri_mark_run(struct tri_marker *m) {
  struct hand h;
  init_hand(&h, m);
  if (round_kind == TRI_ROUND_ROOTS) run_roots(&h);
  if (round_kind == TRI_ROUND_BESIDE) run_beside(&h);
  if (round_kind == TRI_ROUND_TO_THE_END) {
    run_to_the_end(&h);
    tri_work_dispose(&m->work);
  } else {
    put_up(&h);
  }
}

bool tri_mark_has_work(void) {
  if (tri_work_available()) return true;
  tri_int_store_rlx(&hungry, 1);
  return tri_int_load_rlx(&dirty_left) != 0;
}

/* The kernel would be asked which pages of it are there. */
static bool has_large_object(const struct tri_root_range *r) {
  for (uintptr_t p = tri_align_down(r->lo, TRI_PAGE_SIZE); p < r->hi; p += TRI_PAGE_SIZE) {
    struct tri_mspan *s = tri_mheap_span_of(p);
    if (s && s->spanclass == 0) return true;
  }
  return false;
}

/* As scan_root, of dirty pages. A large object that is born there meanwhile is left out: the last stop looks at it. */
static bool scan_some_dirty(struct hand *h) {
  struct tri_root_range r;
  uint64_t i = tri_load_rlx(&next_root);
  if (!tri_int_load_rlx(&dirty_left)) return false;
  if (!tri_roots_get(i, &r)) {
    tri_int_store_rlx(&dirty_left, 0);
    return false;
  }
  if (!r.dirty || (h->asks_nothing && has_large_object(&r))) return false;
  if (tri_cas_acq_rel(&next_root, i, i + 1)) scan_dirty(h, r.lo, r.hi);
  return true;
}

static bool assist_step(struct hand *h, unsigned *ranges) {
  if (h->gave_up || tri_int_load_acq(&cut)) return false;
  if (drain_step(h)) return true;
  return *ranges < ASSIST_RANGES && scan_some_dirty(h) && ++*ranges > 0;
}

/* In a round that is cut pieces of objects may come back unscanned. */
bool tri_mark_assist(struct tri_marker *m, uint64_t bytes) {
  struct hand h;
  unsigned ranges = 0;
  init_hand(&h, m);
  h.asks_nothing = tri_malloc_mode;
  while (m->scanned_bytes < bytes && assist_step(&h, &ranges)) continue;
  put_up(&h);
  return m->scanned_bytes > 0 || ranges > 0;
}

void tri_mark_cut(void) {
  tri_int_store_rel(&cut, 1);
}

bool tri_mark_was_cut(void) {
  return tri_int_load_acq(&cut) != 0;
}

static void add_word(uintptr_t word, void *hand) {
  add_candidate(hand, word);
  add_candidate(hand, word - 1);
}

void tri_mark_words(struct tri_marker *m) {
  struct hand h;
  init_hand(&h, m);
  tri_roots_each_word(add_word, &h);
  mark_candidates(&h);
}

static void regrey_span(struct tri_mspan *s, void *hand) {
  struct hand *h = hand;
  if (tri_mspan_noscan(s)) return;
  for (uint32_t g = 0; g < s->ngroups; g++)
    for (uint64_t b = marks_to_scan(&s->bits[g]); b; b &= b - 1) {
      scan_other(h, tri_types_grey(s, g * 64 + (uint32_t)__builtin_ctzll(b)));
      drain(h);
    }
}

bool tri_mark_recover(struct tri_marker *m, unsigned n) {
  bool dropped = tri_shade_take_dropped();
  for (unsigned i = 0; i < n; i++) dropped |= m[i].work.overflow;
  if (!dropped) return false;
  for (unsigned i = 0; i < n; i++) m[i].work.overflow = false;
  struct hand h;
  init_hand(&h, &m[0]);
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) tri_mcentral_each(c, regrey_span, &h);
  return true;
}

static void clear_marks(struct tri_mspan *s, void *arg) {
  for (uint32_t g = 0; g < s->ngroups; g++) tri_store_rlx(&s->bits[g].mark, 0);
}

void tri_mark_forget(void) {
  tri_work_drop_all();
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) tri_mcentral_each(c, clear_marks, NULL);
}
