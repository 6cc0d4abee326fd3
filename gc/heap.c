/*
 * Allocation and free, behind the inline fast paths of gc/heap.h. The way of a request:
 *
 *   malloc (gc/malloc_override.c), tri_alloc (gc/api.c) -> size class -> mcache -> mcentral -> mheap -> pages -> OS
 *
 * and of a free: slot of an own span -> a cleared bit (inline); of another's span -> rfree bit and a word to its owner,
 * lock-free; a large object -> its pages. A call inside the runtime (a signal handler interrupted it) allocates from
 * the emergency region and frees by the lock-free way.
 *
 * Invariants:
 *   [HEAP-1] a pointer is checked before anything is changed: start of a slot that is in use, in a swept span. A wrong
 *            one ends in gc/misuse.c.
 *   [HEAP-2] an rfree bit is won by one fetch-or: of two frees at the same moment one is a double free.
 *   [HEAP-3] the thread is inside the runtime while it touches its mcache, and outside when it may wait for a cycle.
 *
 * errno is kept by free and set to ENOMEM by a failed allocation.
 */
#include "gc/heap.h"

#include <errno.h>
#include <string.h>

#include "alloc/mcentral.h"
#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/emergency.h"
#include "gc/misuse.h"
#include "gc/roots.h"
#include "gc/runtime.h"
#include "gc/slot.h"
#include "gc/write.h"
#include "internal/check.h"
#include "internal/state.h"

bool tri_heap_free_ignored;

enum { FLUSH_BYTES = 64 << 10 };
static tri_aint told_no_memory;

static void *no_memory(size_t size) {
  if (tri_int_exchange_acq_rel(&told_no_memory, 1) == 0)
    tri_warn(
        "out of memory: %zu bytes asked for, %zu MiB of heap in use, the system gives no more; "
        "NULL and ENOMEM are returned (said once)",
        size, (size_t)(tri_load_rlx(&tri_heap_range.used_bytes) >> 20));
  errno = ENOMEM;
  return NULL;
}

static void count(struct tri_thread *t, size_t bytes) {
  t->mcache.live_delta += (int64_t)bytes;
  t->mcache.gross_bytes += bytes;
  tri_mcache_flush_if_due(&t->mcache);
}

/* For malloc, see alloc/sizeclass.h. Not for great alignments, where a page would cost two: no headers are there. */
enum { MAX_HEADER_ALIGN = 64 };
static size_t spare(size_t align, unsigned flags) {
  return flags & TRI_ALLOC_MALLOC16 && align <= MAX_HEADER_ALIGN ? TRI_MALLOC_SPARE : 0;
}

/* All of a slot where the request says so. For malloc what was not asked for: see tri_heap_alloc_medium. */
static void clear(void *p, size_t size, unsigned c, unsigned flags) {
  size_t from = flags & TRI_ALLOC_ZERO ? 0 : size;
  if (flags & (TRI_ALLOC_ZERO | TRI_ALLOC_MALLOC16)) memset((char *)p + from, 0, tri_class_size[c] - from);
}

static void *alloc_large(struct tri_thread *t, size_t align, size_t size, unsigned flags) {
  if (size > PTRDIFF_MAX) return NULL;
  size_t npages = (size + spare(align, flags) + TRI_PAGE_SIZE - 1) >> TRI_PAGE_SHIFT;
  size_t align_pages = align > TRI_PAGE_SIZE ? align >> TRI_PAGE_SHIFT : 1;
  if (npages == 0) npages = 1;
  unsigned type = flags / TRI_ALLOC_TYPE(1);
  struct tri_mspan *s = type ? tri_mcentral_alloc_large_typed(npages, type)
                             : tri_mcentral_alloc_large(npages, align_pages, flags & TRI_ALLOC_NOSCAN);
  if (!s) return NULL;
  count(t, s->elemsize);
  if (flags & TRI_ALLOC_MALLOC16) tri_store_rlx(&s->asked, size);
  void *p = (void *)s->base;
  if ((flags & TRI_ALLOC_ZERO) && s->needzero) memset(p, 0, tri_mspan_used_bytes(s));
  return p;
}

/* The class for an alignment of at most a page: spans are page-aligned, so a size that is a multiple of it will do. */
static unsigned aligned_class(size_t align, size_t size) {
  unsigned c = tri_size_class(size ? size : 1);
  while (c < TRI_NUM_CLASSES && tri_class_size[c] % align != 0) c++;
  return c;
}

static void *alloc_inside(struct tri_thread *t, size_t align, size_t size, unsigned flags) {
  unsigned c = TRI_NUM_CLASSES;
  if (size <= TRI_MAX_SMALL - spare(align, flags) && align <= TRI_PAGE_SIZE) {
    c = align > 16                   ? aligned_class(align, size + spare(align, flags))
        : flags & TRI_ALLOC_MALLOC16 ? tri_size_class_malloc(size)
                                     : tri_size_class(size ? size : 1);
  }
  if (c == TRI_NUM_CLASSES) return alloc_large(t, align, size, flags);
  if (tri_unlikely(flags >= TRI_ALLOC_TYPE(1))) return tri_heap_take_typed(t, c, flags / TRI_ALLOC_TYPE(1));
  void *p = tri_mcache_alloc(&t->mcache, c * 2 + (flags & TRI_ALLOC_NOSCAN));
  if (!p) return NULL;
  clear(p, size, c, flags);
  if (flags & TRI_ALLOC_MALLOC16 && spare(align, flags) == 0)
    tri_int_store_rlx(&tri_mheap_span_of((uintptr_t)p)->fills_slots, 1);
  return p;
}

/* Registered and outside the runtime, or NULL: then the emergency region serves. */
static struct tri_thread *ready_thread(void) {
  struct tri_thread *t = tri_self;
  if (tri_thread_is_registered(t)) return tri_int_load_rlx(&t->in_runtime) ? NULL : t;
  if (!tri_runtime_init()) return NULL;
  return tri_thread_register_self();
}

/* A collection may free what the system refuses. In malloc mode the runner takes no lock of the program's or the
 * loader's, so this thread may run one itself; otherwise it asks for one and gives it a moment. */
static void *alloc_again(struct tri_thread *t, size_t align, size_t size, unsigned flags) {
  if (size > tri_heap_range.reserved_bytes || !tri_runtime_config()->collect || tri_cycle_is_mine()) return NULL;
  if (tri_malloc_mode) {
    tri_cycle_run(TRI_CYCLE_HEAP, true);
  } else {
    tri_collector_request();
    tri_collector_help();
  }
  if (!tri_runtime_enter(t)) return NULL;
  return tri_runtime_leave_with(t, alloc_inside(t, align, size, flags));
}

static void *alloc_outline(size_t align, size_t size, unsigned flags) {
  struct tri_thread *t = ready_thread();
  if (!t) return tri_emergency_alloc(align, size);
  if (tri_unlikely(tri_collector_wants_help())) tri_collector_help();
  if (!tri_runtime_enter(t)) return tri_emergency_alloc(align, size);
  void *p = tri_runtime_leave_with(t, alloc_inside(t, align, size, flags));
  if (!p) p = alloc_again(t, align, size, flags);
  return p ? p : no_memory(size);
}

void *tri_heap_alloc_refill(size_t size, unsigned flags) {
  struct tri_thread *t = tri_self;
  unsigned c = tri_heap_class(size, flags);
  void *p = tri_mcache_alloc_slow(&t->mcache, c * 2 + (flags & TRI_ALLOC_NOSCAN));
  if (p && (flags & TRI_ALLOC_ZERO)) tri_clear_slot(p, tri_class_size[c]);
  p = tri_runtime_leave_with(t, p);
  return p ? p : tri_heap_alloc_slow(size, flags);
}

void *tri_heap_alloc_medium(size_t size, unsigned flags) {
  struct tri_thread *t = tri_self;
  if (tri_unlikely(!tri_runtime_enter(t))) return tri_heap_alloc_slow(size, flags);
  unsigned c = tri_size_class_malloc(size);
  void *p = tri_mcache_alloc(&t->mcache, c * 2);
  if (p) clear(p, size, c, flags);
  p = tri_runtime_leave_with(t, p);
  return p ? p : tri_heap_alloc_slow(size, flags);
}

void *tri_heap_alloc_slow(size_t size, unsigned flags) {
  return alloc_outline(16, size, flags);
}

void *tri_heap_alloc(size_t size, unsigned flags) {
  return alloc_outline(16, size, flags);
}

void *tri_heap_alloc_aligned(size_t align, size_t size, unsigned flags) {
  return alloc_outline(align, size, flags);
}

/* Frees a slot that is not in an own span. */
static void free_remote(struct tri_thread *t, const struct tri_slot *s, void *p, const char *caller) {
  size_t size = s->span->elemsize;
  bool large = tri_int_load_acq(&s->span->state) == TRI_SPAN_LARGE;
  if (tri_fetch_or_seq(&s->group->rfree, s->bit) & s->bit) tri_misuse_double_free(p, s->span, caller);
  t->mcache.live_delta -= (int64_t)size;
  tri_mcache_flush_if_due(&t->mcache);
  if (large) {
    tri_mcentral_free_large(s->span);
  } else {
    tri_mcentral_notify_rfree(s->span);
  }
}

/* The start of a live small object in a swept span: what nearly all calls are about. */
TRI_INLINE bool find_plain(struct tri_mspan *span, const void *p, struct tri_slot *ret) {
  *ret = (struct tri_slot){.span = span, .index = tri_mspan_index(span, (uintptr_t)p)};
  /* A wrong pointer's span may have died and be another's by now. */
  return tri_int_load_acq(&span->state) == TRI_SPAN_SMALL &&
         (uintptr_t)p - span->base < span->nelems * span->elemsize &&
         tri_int_load_acq(&span->sweepgen) == tri_int_load_rlx(&tri_state.sweepgen) &&
         tri_heap_is_live_slot(span, p, &ret->group, &ret->bit);
}

bool tri_heap_free_other(struct tri_thread *t, struct tri_mspan *span, void *p) {
  struct tri_slot s;
  bool plain = find_plain(span, p, &s);
  size_t size = span->elemsize; /* once the bit is set the span may die and be born again */
  if (!plain || (tri_fetch_or_seq(&s.group->rfree, s.bit) & s.bit)) return false;
  t->mcache.live_delta -= (int64_t)size;
  tri_mcentral_notify_rfree(span);
  if (t->mcache.live_delta < -FLUSH_BYTES) tri_mcache_flush(&t->mcache);
  return true;
}

/* Within a handler that interrupted the runtime no lock may be taken, and a thread that no stop waits for must not
 * sweep: the owner or the sweep does the rest. */
static void free_nested(void *p, const char *caller) {
  struct tri_slot s;
  if (!tri_slot_find((uintptr_t)p, &s) || !tri_slot_in_use(&s) || tri_slot_start(&s) != (uintptr_t)p)
    tri_misuse_bad_free(p, caller);
  tri_write_before_free(NULL, p, true);
  size_t size = s.span->elemsize;
  if (tri_fetch_or_seq(&s.group->rfree, s.bit) & s.bit) tri_misuse_double_free(p, s.span, caller);
  tri_fetch_add_rlx(&tri_state.heap_live, (uint64_t) - (int64_t)size);
  tri_mcentral_notify_rfree(s.span);
}

TRI_NOINLINE static struct tri_slot sweep_and_find(const void *p, const char *caller) {
  struct tri_slot s;
  if (!tri_slot_find((uintptr_t)p, &s) || !tri_mcentral_ensure_swept(s.span) || !tri_slot_find((uintptr_t)p, &s) ||
      tri_slot_start(&s) != (uintptr_t)p || !tri_slot_in_use(&s))
    tri_misuse_bad_free(p, caller);
  return s;
}

/* Finds the slot that p starts, in a swept span; does not return for a wrong pointer. */
TRI_INLINE struct tri_slot checked_slot(const void *p, const char *caller) {
  struct tri_mspan *span = tri_mheap_span_of((uintptr_t)p);
  struct tri_slot s;
  return tri_likely(span && find_plain(span, p, &s)) ? s : sweep_and_find(p, caller);
}

static void free_inside(struct tri_thread *t, void *p, const char *caller) {
  struct tri_slot s = checked_slot(p, caller);
  tri_write_before_free(t, p, false);
  if (tri_load_acq(&s.span->owner) == tri_load_rlx(&t->mcache.token)) {
    tri_mcache_free(&t->mcache, s.span, s.group, s.bit, (uintptr_t)p);
  } else {
    free_remote(t, &s, p, caller);
  }
}

void tri_heap_free_hard(void *p, const char *caller) {
  struct tri_thread *t = tri_self;
  bool done = tri_heap_free_inside(t, p);
  tri_runtime_leave(t);
  if (!done) tri_heap_free_slow(p, caller);
}

void tri_heap_freed(struct tri_thread *t, struct tri_mspan *s) {
  tri_mcache_freed_slow(&t->mcache, s);
  tri_runtime_leave(t);
}

static bool is_foreign(const void *p) {
  return (uintptr_t)p - tri_heap_range.base >= tri_heap_range.reserved_bytes || tri_heap_range.reserved_bytes == 0;
}

bool tri_heap_owns(const void *p) {
  return tri_emergency_owns(p) || !is_foreign(p);
}

static void free_foreign(void *p, const char *caller) {
  if (tri_runtime_inert()) {
    tri_mode_foreign_free(p);
  } else if (!tri_malloc_mode || !tri_misuse_is_libc_memory(p)) {
    tri_misuse_bad_free(p, caller);
  }
}

/* With free=ignore: what only a freed object points to need not live on. Without it the pointers in garbage that
 * something stale still points to would chain all garbage to come ([MARK-6] of gc/mark.c). Inside the runtime, so that
 * no stop comes in between and the slot is not another's by the end, with pointers that count; a handler that has
 * interrupted the runtime is not stopped either. A thread that is not registered may hold a pointer that nobody sees.
 */
static void disown(void *p) {
  struct tri_thread *t = tri_self;
  struct tri_slot s;
  if (!tri_state.disowning || is_foreign(p) || !tri_thread_is_registered(t)) return;
  bool entered = tri_runtime_enter(t);
  if (tri_slot_find((uintptr_t)p, &s) && tri_slot_start(&s) == (uintptr_t)p && tri_slot_in_use(&s))
    tri_bitgroup_disown(s.group, s.bit);
  if (entered) tri_runtime_leave(t);
}

/* The C library's own threads, for timers and the like, free their argument first of all, or nothing before they end:
 * from then on they are stopped as others are. One that is not may end in the stopped world, and stacks that are being
 * scanned are unmapped. */
static void adopt_stranger(void) {
  if (tri_self == &tri_thread_none && tri_runtime_ready()) tri_thread_adopt_self();
}

void tri_heap_free_slow(void *p, const char *caller) {
  if (!p) return;
  int saved_errno = errno;
  adopt_stranger();
  struct tri_thread *t = tri_self;
  if (tri_emergency_owns(p)) {
    tri_emergency_free(p);
  } else if (tri_heap_free_ignored) {
    disown(p);
  } else if (is_foreign(p)) {
    free_foreign(p, caller);
  } else if (!tri_thread_is_registered(t) || !tri_runtime_enter(t)) {
    free_nested(p, caller);
  } else {
    free_inside(t, p, caller);
    tri_runtime_leave(t);
  }
  errno = saved_errno;
}

/* Large objects are as large as was asked; others than malloc's may fill their slot, and those with a great alignment.
 */
static bool fills_slot(const struct tri_slot *s) {
  if (s->span->divmul == 0 || (s->span->tag & TRI_TAG_SPECIAL) != 0) return true;
  return tri_int_load_rlx(&s->span->fills_slots) && tri_slot_start(s) % (2 * MAX_HEADER_ALIGN) == 0;
}

/* Bytes of an object: all, and without malloc's spare byte. */
struct extent {
  size_t whole, room;
  bool large;
};

static struct extent extent_of(const struct tri_slot *s) {
  bool large = s->span->divmul == 0;
  size_t whole = large ? tri_load_rlx(&s->span->asked) : s->span->elemsize;
  return (struct extent){whole, whole - (fills_slot(s) ? 0 : TRI_MALLOC_SPARE), large};
}

/* The checks of free: what the collector has reclaimed is not usable any more. */
static struct extent extent_inside(const void *p, const char *caller) {
  struct tri_thread *t = tri_self;
  bool entered = tri_thread_is_registered(t) && tri_runtime_enter(t);
  struct tri_slot s;
  if (entered) {
    s = checked_slot(p, caller);
  } else if (!tri_slot_find((uintptr_t)p, &s) || tri_slot_start(&s) != (uintptr_t)p || !tri_slot_in_use(&s)) {
    tri_misuse_bad_free(p, caller);
  }
  struct extent e = extent_of(&s);
  if (entered) tri_runtime_leave(t);
  return e;
}

static struct extent extent(const void *p, const char *caller) {
  size_t foreign;
  if (!p) return (struct extent){0};
  if (!is_foreign(p)) return extent_inside(p, caller);
  if (tri_emergency_owns(p)) {
    foreign = tri_emergency_size(p);
  } else if (tri_runtime_inert()) {
    foreign = tri_mode_foreign_usable((void *)(uintptr_t)p);
  } else {
    tri_misuse_bad_free(p, caller);
  }
  return (struct extent){foreign, foreign, false};
}

size_t tri_heap_usable(const void *p, const char *caller) {
  return extent(p, caller).whole;
}

size_t tri_heap_usable_malloc(const void *p, const char *caller) {
  return extent(p, caller).room;
}

static bool change_pages(struct tri_thread *t, struct tri_mspan *s, size_t npages) {
  bool added_needzero;
  int64_t before = (int64_t)s->elemsize;
  if (!tri_mheap_resize_span(s, npages, &added_needzero)) return false;
  s->elemsize = npages << TRI_PAGE_SHIFT;
  t->mcache.live_delta += (int64_t)s->elemsize - before;
  if ((int64_t)s->elemsize > before) t->mcache.gross_bytes += (size_t)((int64_t)s->elemsize - before);
  tri_mcache_flush_if_due(&t->mcache);
  return true;
}

/* While marking: an object keeps its pages ([FREE-2]) and may grow a little in them. Marking may have passed over what
 * it grows by, which is cleared; what is stored there is seen by whoever finds the page written to. */
static bool resize_marked(struct tri_mspan *s, size_t npages, size_t size) {
  size_t asked = tri_load_rlx(&s->asked);
  if (size <= asked) return size >= asked / 2;
  if (npages != s->npages || size - asked > TRI_PAGE_SIZE) return false;
  memset((char *)s->base + asked, 0, size - asked);
  return true;
}

/* Large objects shrink where they are, and grow into free pages behind them. */
static bool resize_large(struct tri_thread *t, void *p, size_t size, unsigned flags) {
  struct tri_slot s;
  bool ok = false;
  size_t npages = (size + spare(1, flags) + TRI_PAGE_SIZE - 1) >> TRI_PAGE_SHIFT;
  if (size > PTRDIFF_MAX || !tri_runtime_enter(t)) return false;
  if (tri_slot_find((uintptr_t)p, &s) && tri_int_load_acq(&s.span->state) == TRI_SPAN_LARGE) {
    bool marking = tri_int_load_acq(&tri_state.phase) == TRI_PHASE_MARK;
    if (marking) {
      ok = resize_marked(s.span, npages, size);
    } else {
      ok = npages == s.span->npages || change_pages(t, s.span, npages);
    }
    if (ok) tri_store_rel(&s.span->asked, size);
    if (marking) tri_fence_seq(); /* before the program stores there */
  }
  tri_runtime_leave_with(t, p);
  return ok;
}

static void *move(void *p, size_t old, size_t size, unsigned flags) {
  void *q = size < TRI_HEAP_MEDIUM ? tri_heap_alloc_small(size, flags) : tri_heap_alloc(size, flags);
  if (!q) return NULL;
  memcpy(q, p, tri_min(old, size));
  tri_heap_free(p, "realloc");
  return q;
}

void *tri_heap_realloc(void *p, size_t size, unsigned flags) {
  if (!p) return tri_heap_alloc(size, flags);
  if (tri_unlikely(tri_runtime_inert()) && !tri_heap_owns(p)) return tri_mode_foreign_realloc(p, size);
  struct extent e = extent(p, "realloc");
  struct tri_thread *t = tri_self;
  bool fits = size <= e.room && (e.room <= 128 || size >= e.room / 2);
  if (size == e.room || (fits && !e.large)) return p;
  bool stays_large = e.large && (fits || size > TRI_MAX_SMALL);
  if (stays_large && tri_thread_is_registered(t) && resize_large(t, p, size, flags)) return p;
  if (fits) return p;
  void *q = move(p, e.whole, size, flags); /* an object of tri_alloc may be filled to its end */
  return q || size > e.whole ? q : p;
}
