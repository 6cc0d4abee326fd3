/*
 * The table of the runtime's own mappings. Whoever makes a mapping for the runtime (os_linux's callers, the off-heap
 * arena) enters it here; root scanning cuts these ranges out of what it takes for the program's memory.
 *
 * Invariant: ranges [0, nranges) are sorted, do not overlap and do not touch (touching ones are merged).
 *
 * Lock: one, rank LEAF, so that it can be taken below every other. Only held for moves inside the array. The reader
 * takes it too, which costs nothing in a stopped world: nobody is ever stopped while holding it.
 *
 * Forbidden here: allocating, logging (the log's lock has a smaller rank).
 */
#include "alloc/ownmap.h"

#include <string.h>

#include "internal/lock.h"

#define MAX_RANGES 1024

struct range {
  uintptr_t lo, hi;
};

static struct {
  struct tri_lock lock; /* guards all below */
  size_t nranges;
  struct range ranges[MAX_RANGES];
} own = {.lock = TRI_LOCK_INIT(TRI_RANK_LEAF)};

/* The first range that ends at or above addr. */
static size_t first_ending_from(uintptr_t addr) {
  size_t lo = 0, hi = own.nranges;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (own.ranges[mid].hi < addr) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return lo;
}

/* Replaces ranges [at, at + nold) by nnew ones, whose content the caller then writes. False when the table is full. */
static bool replace(size_t at, size_t nold, size_t nnew) {
  if (own.nranges - nold + nnew > MAX_RANGES) return false;
  memmove(&own.ranges[at + nnew], &own.ranges[at + nold], (own.nranges - at - nold) * sizeof own.ranges[0]);
  own.nranges = own.nranges - nold + nnew;
  return true;
}

static bool add_locked(uintptr_t lo, uintptr_t hi) {
  size_t at = first_ending_from(lo), end = at;
  for (; end < own.nranges && own.ranges[end].lo <= hi; end++) {
    if (own.ranges[end].lo < lo) lo = own.ranges[end].lo;
    if (own.ranges[end].hi > hi) hi = own.ranges[end].hi;
  }
  if (!replace(at, end - at, 1)) return false;
  own.ranges[at] = (struct range){lo, hi};
  return true;
}

static void remove_locked(uintptr_t lo, uintptr_t hi) {
  size_t at = first_ending_from(lo + 1), end = at, nkept = 0;
  struct range kept[2];
  for (; end < own.nranges && own.ranges[end].lo < hi; end++) {
    struct range r = own.ranges[end];
    if (r.lo < lo) kept[nkept++] = (struct range){r.lo, lo};
    if (r.hi > hi) kept[nkept++] = (struct range){hi, r.hi};
  }
  if (!replace(at, end - at, nkept)) {
    /* A full table cannot be split further: forget the upper part, which is then scanned for nothing. */
    nkept = 1;
  }
  for (size_t i = 0; i < nkept; i++) own.ranges[at + i] = kept[i];
}

bool tri_ownmap_add(const void *lo, size_t size) {
  if (size == 0) return true;
  tri_lock_acquire(&own.lock);
  bool ok = add_locked((uintptr_t)lo, (uintptr_t)lo + size);
  tri_lock_release(&own.lock);
  return ok;
}

void tri_ownmap_remove(const void *lo, size_t size) {
  if (size == 0) return;
  tri_lock_acquire(&own.lock);
  remove_locked((uintptr_t)lo, (uintptr_t)lo + size);
  tri_lock_release(&own.lock);
}

bool tri_ownmap_next(uintptr_t addr, uintptr_t *ret_lo, uintptr_t *ret_hi) {
  if (addr == UINTPTR_MAX) return false;
  tri_lock_acquire(&own.lock);
  size_t at = first_ending_from(addr + 1);
  bool found = at < own.nranges;
  if (found) {
    *ret_lo = own.ranges[at].lo;
    *ret_hi = own.ranges[at].hi;
  }
  tri_lock_release(&own.lock);
  return found;
}

void tri_ownmap_lock(void) {
  tri_lock_acquire(&own.lock);
}

void tri_ownmap_unlock(void) {
  tri_lock_release(&own.lock);
}
