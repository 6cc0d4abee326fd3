/*
 * gccheckmark=1: marks again, alone, into separate bits, by the plainest code that can do it, and compares with what
 * the markers did. An object that is reachable here and unmarked there would be freed in use: fatal, with the object,
 * its holder and the slot in it.
 *
 * After a marking with the hybrid barrier stacks are left out: their frames may lie over old words by now, which need
 * not be marked, since nothing that the program has got hold of since the first stop is unmarked. Marked objects take
 * their place: each is taken for reachable, so that a pointer that was stored without tri_write shows at once.
 *
 * For the hybrid barrier there is a second check, since an object may be lost that only a stack holds by the end. In
 * the first stop, before anything is marked, all that is reachable is noted, and where from. Each of these objects must
 * be marked in the end, or freed: who took the last pointer to it away had to shade it. So the slot that it was found
 * in is the one that was overwritten without tri_write. What was garbage already in the first stop may still be pointed
 * to by old words that are copied about: such an object need not be marked. With ragged stacks the first stop does not
 * know what they hold: it notes what is reachable without them, and excuses nothing. Where a stack lies in the heap,
 * its dead part is passed over, since calls overwrite it, and threads' own stacks are roots or not, but no part of an
 * object. In the last stop no stack is part of an object: what was stored there meanwhile had no barrier.
 *
 * What a root held is not held against the markers, but what an object held that it led to is. A slot on a stack needs
 * no tri_write, and may change before it is marked: a thread scans its own stack a moment after others run again, a
 * thread that nobody knows yet writes its number to its maker's stack, and into the stacks of sleepers and into globals
 * the C library and the kernel write in a stopped world (a result of pthread_join, what is read). With ragged stacks
 * globals and the like need tri_write: these count, unless somebody sleeps.
 *
 * Of an object with a type the words that its bitmap names are visited, each asked for alone.
 *
 * The bits: one per 8 bytes of heap, in mappings made for the check and dropped after it. The explicit stack is a
 * mapping too, big enough for every object once. World stopped; no locks, no heap allocation.
 */
#include "gc/checkmark.h"

#include <sys/mman.h>

#include "alloc/mcentral.h"
#include "alloc/ownmap.h"
#include "gc/pages.h"
#include "gc/region.h"
#include "gc/roots.h"
#include "gc/slot.h"
#include "gc/stacks.h"
#include "gc/thread.h"
#include "gc/types.h"
#include "internal/check.h"
#include "internal/state.h"

/* Where an object was found that is not held against the markers. */
#define UNSURE ((uintptr_t)1)
#define SPARSE_BYTES ((size_t)64 << 10)

static struct checker {
  uint64_t *seen;
  uintptr_t *stack; /* objects found and not yet scanned */
  size_t depth;
  size_t seen_bytes, stack_bytes;
  uintptr_t *from;  /* NULL, or in the first stop: where each object was found, by its number */
  uint64_t *stale;  /* words that are to be passed over, by their number */
  bool unsure;      /* in the first stop: what roots hold may change before the markers look at it */
  uintptr_t object; /* whose words are visited, and its type; for others NULL */
  const struct tri_type_info *type;
} chk;

/* Of the first stop. An object's number is its distance from the heap's base in words. */
static struct snapshot {
  size_t words;     /* 0: there is none */
  uint64_t *seen;   /* reachable */
  uint64_t *in_use; /* allocated */
  uintptr_t *from;  /* the slot that an object was found in; 0: none; UNSURE */
  size_t from_bytes;
  bool whole; /* stacks were looked at too */
} snap;

static void *map(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

static size_t number_of(uintptr_t object) {
  return (object - tri_heap_range.base) / sizeof(uintptr_t);
}

static bool is_set(const uint64_t *bits, size_t i) {
  return bits[i / 64] >> (i % 64) & 1;
}

static bool test_and_set(uint64_t *bits, size_t i) {
  bool was = is_set(bits, i);
  bits[i / 64] |= (uint64_t)1 << (i % 64);
  return was;
}

static bool is_marked(const struct tri_slot *s) {
  return (tri_load_rlx(&s->group->mark) & s->bit) != 0;
}

static bool was_garbage(uintptr_t object) {
  size_t i = number_of(object);
  return snap.whole && i < snap.words && is_set(snap.in_use, i) && !is_set(snap.seen, i);
}

_Noreturn static void unmarked(const struct tri_slot *s, uintptr_t word, uintptr_t holder, const char *kind) {
  const struct tri_type_info *type = tri_types_info(s->span, s->index), *of = holder ? chk.type : NULL;
  tri_fatal("gccheckmark: object %p (%zu bytes)%s%s is reachable and unmarked; held by %s%s%s at %p as %p",
            (void *)tri_slot_start(s), s->span->elemsize, type ? " of type " : "", type ? type->name : "", kind,
            of ? " of type " : "", of ? of->name : "", (void *)holder, (void *)word);
}

static bool is_disowned(const struct tri_slot *s) {
  return tri_state.disowning && (tri_bitgroup_disowned(s->group, tri_bitgroup_alloc(s->group)) & s->bit) != 0;
}

static void visit(uintptr_t word, uintptr_t holder, const char *kind) {
  struct tri_slot s;
  if (!tri_slot_find(word, &s) || !tri_slot_in_use(&s)) return;
  uintptr_t object = tri_slot_start(&s);
  if (test_and_set(chk.seen, number_of(object))) return;
  if (chk.from) {
    chk.from[number_of(object)] = chk.unsure ? UNSURE : holder;
  } else if (!is_marked(&s)) {
    if (was_garbage(object)) return;
    unmarked(&s, word, holder, kind);
  }
  if (!tri_mspan_noscan(s.span) && !is_disowned(&s)) chk.stack[chk.depth++] = object;
}

typedef uintptr_t __attribute__((may_alias)) tri_scan_word;

static void visit_range(uintptr_t lo, uintptr_t hi, bool stack, const char *kind) {
  for (const volatile tri_scan_word *p = (const volatile tri_scan_word *)lo; (uintptr_t)p < hi; p++) {
    uintptr_t w = *p;
    visit(w, (uintptr_t)p, kind);
    struct tri_slot s;
    if (stack && (!tri_slot_find(w, &s) || tri_slot_start(&s) == w)) visit(w - 1, (uintptr_t)p, kind);
  }
}

static bool may_be_pointer(uintptr_t word) {
  if (is_set(chk.stale, number_of(word))) return false;
  if (!chk.type) return true;
  size_t i = (word - chk.object) % chk.type->size / sizeof(void *);
  return chk.type->tiled[i / 64] >> (i % 64) & 1;
}

static void visit_run(uintptr_t lo, uintptr_t hi, void *arg) {
  for (const volatile tri_scan_word *p = (const volatile tri_scan_word *)lo; (uintptr_t)p < hi; p++)
    if (may_be_pointer((uintptr_t)p)) visit(*p, (uintptr_t)p, "an object");
}

/* Untouched pages of large objects are to stay so. */
static void visit_object(uintptr_t lo, uintptr_t hi) {
  if (hi - lo < SPARSE_BYTES || !tri_pages_each(lo, hi, false, visit_run, NULL)) visit_run(lo, hi, NULL);
}

static void drain(void) {
  while (chk.depth > 0) {
    uintptr_t object = chk.stack[--chk.depth];
    struct tri_slot s;
    if (!tri_slot_find(object, &s)) continue;
    chk.object = object;
    chk.type = tri_types_info(s.span, s.index);
    for (uintptr_t lo = object, end = object + tri_mspan_used_bytes(s.span); lo < end;) {
      size_t n = tri_roots_next_readable(&lo, end);
      visit_object(lo, lo + n);
      lo += n;
    }
  }
  chk.type = NULL;
  chk.object = 0; /* with the library linked statically this is a root */
}

static void drain_from_root(void) {
  bool unsure = chk.unsure;
  chk.unsure = false;
  drain();
  chk.unsure = unsure;
}

static void visit_word(uintptr_t word, void *arg) {
  visit(word, 0, "a start argument, an epoll set or the uncollectable table");
  drain_from_root();
}

/* Where the bounds of the runner's stack are not known all of it is a root; but below what it held when the cycle began
 * are the cycle's own frames, which are others by now than when roots were marked. */
static uintptr_t above_own_frames(uintptr_t lo, uintptr_t hi) {
  uintptr_t sp = tri_thread_is_registered(tri_self) ? tri_self->sp : 0;
  return sp > lo && sp < hi ? sp : lo;
}

static void visit_roots(bool stacks_too) {
  struct tri_root_range r;
  for (size_t i = 0; tri_roots_get(i, &r); i++) {
    if (r.dirty || r.untold || r.ask || (r.stack && !stacks_too)) continue;
    visit_range(r.stack ? above_own_frames(r.lo, r.hi) : r.lo, r.hi, r.stack,
                r.stack ? "a stack" : "a global or mapping");
    drain_from_root();
  }
  tri_roots_each_word(visit_word, NULL);
}

static bool anybody_sleeps(void) {
  for (const struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (tri_int_load_acq(&t->region) != TRI_REGION_OUT) return true;
  return false;
}

static void visit_marked_span(struct tri_mspan *s, void *arg) {
  if (tri_mspan_noscan(s)) return;
  for (uint32_t g = 0; g < s->ngroups; g++)
    for (uint64_t b = tri_load_rlx(&s->bits[g].mark); b; b &= b - 1) {
      visit(tri_mspan_slot(s, g * 64 + (uint32_t)__builtin_ctzll(b)), 0, "nothing");
      drain();
    }
}

static void visit_marked(void) {
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) tri_mcentral_each(c, visit_marked_span, NULL);
}

static bool begin_visits(void) {
  size_t used = tri_load_acq(&tri_heap_range.used_bytes);
  chk.seen_bytes = tri_align_up(used / 64 + 64, TRI_PAGE_SIZE);
  chk.stack_bytes = tri_align_up(used + 64, TRI_PAGE_SIZE);
  chk.depth = 0;
  chk.seen = map(chk.seen_bytes);
  chk.stack = map(chk.stack_bytes);
  chk.stale = map(chk.seen_bytes);
  if (chk.seen && chk.stack && chk.stale) return true;
  tri_warn("gccheckmark: no memory for the check; this cycle goes unchecked");
  return false;
}

static void drop(void *mapping, size_t bytes) {
  if (mapping) munmap(mapping, bytes);
}

static void end_visits(bool keep_seen) {
  if (!keep_seen) drop(chk.seen, chk.seen_bytes);
  drop(chk.stack, chk.stack_bytes);
  drop(chk.stale, chk.seen_bytes);
  chk.from = NULL;
  chk.unsure = false;
}

static void note_stale(uintptr_t lo, uintptr_t hi, void *stale) {
  struct tri_slot s;
  if (!tri_slot_find(lo, &s)) return;
  uintptr_t end = tri_min(hi, tri_heap_range.base + chk.seen_bytes * 8 * sizeof(uintptr_t));
  for (uintptr_t word = tri_align_up(lo, sizeof word); word < end; word += sizeof word)
    test_and_set(stale, number_of(word));
}

/* `whole`: what is in use of the stacks that programs made, too. */
static void note_stale_stacks(bool whole) {
  tri_stacks_each_dead(note_stale, chk.stale);
  if (whole) tri_stacks_each(note_stale, chk.stale);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) note_stale(t->stack_lo, t->stack_hi, chk.stale);
}

static void note_in_use(struct tri_mspan *s, void *in_use) {
  for (uint32_t i = 0; i < s->nelems; i++) {
    const struct tri_bitgroup *g = &s->bits[i / 64];
    if ((tri_bitgroup_alloc(g) & ~tri_load_rlx(&g->rfree)) >> (i % 64) & 1)
      test_and_set(in_use, number_of(tri_mspan_slot(s, i)));
  }
}

void tri_checkmark_begin(bool stacks_too) {
  if (!begin_visits()) {
    end_visits(false);
    return;
  }
  uintptr_t *from = chk.from = map(chk.stack_bytes);
  uint64_t *in_use = map(chk.seen_bytes);
  if (from && in_use) {
    note_stale_stacks(false);
    chk.unsure = stacks_too || anybody_sleeps();
    visit_roots(stacks_too);
    for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) tri_mcentral_each(c, note_in_use, in_use);
    snap = (struct snapshot){chk.seen_bytes * 8, chk.seen, in_use, from, chk.stack_bytes, stacks_too};
  } else {
    drop(from, chk.stack_bytes);
    drop(in_use, chk.seen_bytes);
    tri_warn("gccheckmark: no memory to note what is reachable; in this cycle an overwritten slot goes unnamed");
  }
  end_visits(snap.words > 0);
}

void tri_checkmark_forget(void) {
  if (snap.words == 0) return;
  size_t bits_bytes = snap.words / 8;
  drop(snap.seen, bits_bytes);
  drop(snap.in_use, bits_bytes);
  drop(snap.from, snap.from_bytes);
  snap = (struct snapshot){0};
}

static bool is_lost(size_t number, struct tri_slot *ret) {
  uintptr_t object = tri_heap_range.base + number * sizeof(uintptr_t);
  return is_set(snap.seen, number) && tri_slot_find(object, ret) && tri_slot_in_use(ret) && !is_marked(ret);
}

_Noreturn static void overwritten(const struct tri_slot *s, uintptr_t slot, const struct tri_slot *holder) {
  const struct tri_type_info *type = tri_types_info(s->span, s->index);
  const struct tri_type_info *of = holder ? tri_types_info(holder->span, holder->index) : NULL;
  tri_fatal(
      "gccheckmark: object %p (%zu bytes)%s%s is reachable and unmarked; held by %s%s%s at %p when marking began, and "
      "overwritten there with %p without tri_write",
      (void *)tri_slot_start(s), s->span->elemsize, type ? " of type " : "", type ? type->name : "",
      holder ? "an object" : "a root", of ? " of type " : "", of ? of->name : "", (void *)slot,
      holder ? *(void *const volatile *)slot : NULL);
}

/* The object may be lost because its holder is: then that is to be named. */
static void name_if_lost(size_t number) {
  struct tri_slot s, holder;
  if (!is_lost(number, &s)) return;
  uintptr_t slot = snap.from[number];
  if (slot == UNSURE) return;
  bool in_heap = slot != 0 && tri_slot_find(slot, &holder);
  if (in_heap && tri_slot_in_use(&holder) && !is_marked(&holder) &&
      is_set(snap.seen, number_of(tri_slot_start(&holder))))
    return;
  overwritten(&s, slot, in_heap ? &holder : NULL);
}

static void check_snapshot(void) {
  for (size_t w = 0; w < snap.words / 64; w++)
    for (uint64_t b = snap.seen[w]; b; b &= b - 1) name_if_lost(w * 64 + (size_t)__builtin_ctzll(b));
}

void tri_checkmark_run(bool after_hybrid) {
  if (after_hybrid) check_snapshot();
  if (begin_visits()) {
    if (after_hybrid) note_stale_stacks(true);
    visit_roots(!after_hybrid);
    if (after_hybrid) visit_marked();
  }
  end_visits(false);
  tri_checkmark_forget();
}
