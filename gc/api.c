/*
 * The public functions of tricolor/tricolor.h: thin, each named there with its contract. Allocation and free are
 * gc/heap.c's, roots gc/roots.c's, cycles gc/cycle.c's, off-heap memory alloc/offheap/offheap.c's.
 */
#include "tricolor/tricolor.h"

#include <errno.h>
#include <string.h>

#include "alloc/offheap.h"
#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/enter.h"
#include "gc/heap.h"
#include "gc/misuse.h"
#include "gc/roots.h"
#include "gc/runtime.h"
#include "gc/slot.h"
#include "gc/stats.h"
#include "gc/typed.h"
#include "gc/write.h"
#include "internal/check.h"

/* Objects of so many bytes are not moved to become smaller. */
enum { KEPT_BYTES = 128 };

const void *tri_core_identity(void) {
  return &tri_heap_range;
}

const char *tri_version(void) {
  return TRI_VERSION;
}

int tri_init(const struct tri_options *options) {
  struct tri_options full = {0};
  if (!options || options->size == 0 || options->size > sizeof full) {
    errno = EINVAL;
    return -1;
  }
  memcpy(&full, options, options->size);
  if (!tri_runtime_prefer(full.gogc, full.godebug, full.tricolor)) {
    errno = EBUSY;
    return -1;
  }
  if (tri_runtime_init()) return 0;
  errno = ENOMEM;
  return -1;
}

TRI_INLINE void *alloc(size_t size, unsigned flags) {
  return tri_likely(size <= TRI_MAX_SMALL) ? tri_heap_alloc_small(size, flags) : tri_heap_alloc_slow(size, flags);
}

void *tri_alloc(size_t size) {
  return alloc(size, TRI_ALLOC_SCAN | TRI_ALLOC_ZERO);
}

void *tri_alloc_noscan(size_t size) {
  return alloc(size, TRI_ALLOC_NOSCAN);
}

void *tri_alloc_uncollectable(size_t size) {
  void *p = tri_alloc(size);
  struct tri_thread *t = p ? tri_enter_registered() : NULL;
  if (!t) return p ? (errno = ENOMEM, NULL) : NULL;
  bool ok = tri_roots_hold((uintptr_t)p);
  tri_runtime_leave(t);
  if (ok) return p;
  errno = ENOMEM;
  return NULL;
}

static bool free_plain(void *object) {
  struct tri_thread *t = tri_self;
  if (tri_heap_free_ignored || !tri_runtime_enter(t)) return false;
  tri_write_before_free(t, object, false);
  bool done = tri_heap_free_inside(t, object);
  tri_runtime_leave(t);
  return done;
}

void tri_free(void *object) {
  if (!object) return;
  struct tri_thread *t = tri_enter_registered();
  if (t) {
    tri_roots_drop((uintptr_t)object);
    tri_runtime_leave(t);
  }
  if (tri_likely(free_plain(object))) return;
  tri_heap_free_slow(object, "tri_free");
}

void *tri_realloc(void *object, size_t size) {
  if (!object) return tri_alloc(size);
  size_t usable = tri_heap_usable(object, "tri_realloc");
  if (size <= usable && (usable <= KEPT_BYTES || size >= usable / 2)) return object;
  void *q = tri_typed_alloc_like(object, size);
  if (!q) return size <= usable ? object : NULL;
  memcpy(q, object, tri_min(usable, size));
  tri_free(object);
  return q;
}

size_t tri_usable_size(const void *object) {
  return tri_heap_usable(object, "tri_usable_size");
}

void *tri_base(const void *pointer) {
  struct tri_slot s;
  if (!tri_slot_find((uintptr_t)pointer, &s) || !tri_slot_in_use(&s)) return NULL;
  return (void *)tri_slot_start(&s);
}

static int change_roots(int (*change)(uintptr_t, size_t), const void *start, size_t size) {
  struct tri_thread *t = tri_enter_registered();
  int err = t ? change((uintptr_t)start, size) : ENOMEM;
  if (t && !err && change == tri_roots_register) tri_write_new_root(t, start, size);
  if (t) tri_runtime_leave(t);
  if (!err) return 0;
  errno = err;
  return -1;
}

int tri_roots_add(const void *start, size_t size) {
  return change_roots(tri_roots_register, start, size);
}

int tri_roots_remove(const void *start, size_t size) {
  return change_roots(tri_roots_unregister, start, size);
}

void *tri_offheap_alloc(size_t size) {
  return tri_offheap_realloc(NULL, size);
}

void *tri_offheap_realloc(void *p, size_t size) {
  struct tri_thread *t = tri_enter_registered();
  if (!t) {
    errno = ENOMEM;
    return NULL;
  }
  void *q = p ? tri_offheap_raw_realloc(p, size) : tri_offheap_raw_alloc(size);
  tri_runtime_leave(t);
  return q;
}

void tri_offheap_free(void *p) {
  struct tri_thread *t = p ? tri_enter_registered() : NULL;
  if (!t) return;
  tri_offheap_raw_free(p);
  tri_runtime_leave(t);
}

void tri_gc(void) {
  struct tri_thread *t = tri_enter_registered();
  if (!t) return;
  tri_runtime_leave(t);
  if (!tri_runtime_config()->collect) return;
  tri_collector_start();
  tri_cycle_run(TRI_CYCLE_USER, true);
  tri_collector_look_about();
}

int tri_read_stats(struct tri_stats *stats) {
  struct tri_stats full;
  struct tri_mheap_stats heap;
  struct tri_cycle_stats cycles;
  if (!tri_stats_begin(stats, &full, sizeof full)) return -1;
  struct tri_thread *t = tri_enter_registered();
  tri_cycle_read_stats(&cycles);
  tri_mheap_read_stats(&heap); /* inside the runtime: [STOP-1] */
  if (t) tri_runtime_leave(t);
  int64_t live = (int64_t)tri_load_acq(&tri_state.heap_live);
  full.num_gc = cycles.num_gc;
  full.num_forced_gc = cycles.num_forced;
  full.heap_alloc = live < 0 ? 0 : (size_t)live;
  full.heap_goal = cycles.heap_goal;
  full.heap_sys = heap.used_bytes;
  full.heap_inuse = heap.inuse_bytes;
  full.heap_released = heap.released_bytes;
  full.meta_sys = heap.meta_bytes;
  full.offheap = tri_offheap_bytes();
  full.pause_total_ns = cycles.pause_total_ns;
  full.pause_max_ns = cycles.pause_max_ns;
  memcpy(stats, &full, stats->size);
  return 0;
}
