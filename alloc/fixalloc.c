/*
 * Memory for the runtime's own structs: bytes that never go back (tri_persistent_alloc) and, cut from them, objects of
 * one size with a free list (tri_fixalloc_*). Below mheap.c (span structs, bit groups) and whoever else needs structs
 * before or beside the off-heap arena; above os_linux.c.
 *
 * Invariants: all of it is listed in ownmap before anybody sees it; an address once used for a type is used for that
 * type only.
 *
 * Locks: each fixalloc has one, and the persistent region one, all of rank FIXALLOC. A fixalloc lets go of its own
 * before it asks for a chunk, so two of that rank never nest. ownmap's lock (LEAF) is taken below the region's.
 *
 * Forbidden here: logging and giving memory back.
 */
#include "alloc/fixalloc.h"

#include "alloc/os.h"
#include "alloc/ownmap.h"
#include "internal/check.h"

#define CHUNK_SIZE ((size_t)65536)      /* what a fixalloc asks for at a time */
#define COMMIT_STEP ((size_t)256 << 10) /* what the region makes accessible at a time */
#define REGION_MIN ((size_t)2 << 20)    /* address space reserved at a time: as much as there is, within these */
#define REGION_MAX ((size_t)1024 << 20)

static struct {
  struct tri_lock lock; /* guards all below */
  char *start, *next, *committed, *end;
  tri_aword bytes; /* committed; written under the lock, read without */
} region = {.lock = TRI_LOCK_INIT(TRI_RANK_FIXALLOC)};

/* Replaces the region by a new one with room for size bytes; the rest of the old one is lost. */
static bool new_region(size_t size) {
  size_t least = tri_align_up(size, COMMIT_STEP);
  size_t want = tri_max(tri_min(tri_max(tri_load_rlx(&region.bytes), REGION_MIN), REGION_MAX), least);
  char *p = NULL;
  for (; (p = tri_os_reserve(want, COMMIT_STEP)) == NULL && want > least;) {
    want = tri_max(tri_align_up(want / 2, COMMIT_STEP), least);
  }
  if (p == NULL) return false;
  if (!tri_ownmap_add(p, want)) {
    tri_os_unreserve(p, want);
    return false;
  }
  region.start = region.next = region.committed = p;
  region.end = p + want;
  return true;
}

static bool commit_region(char *upto) {
  if (upto <= region.committed) return true;
  size_t size =
      tri_min(tri_align_up((size_t)(upto - region.committed), COMMIT_STEP), (size_t)(region.end - region.committed));
  if (!tri_os_commit(region.committed, size)) return false;
  region.committed += size;
  tri_store_rlx(&region.bytes, tri_load_rlx(&region.bytes) + size);
  return true;
}

void *tri_persistent_alloc(size_t size) {
  if (size == 0 || size > SIZE_MAX / 2) return NULL;
  size = tri_align_up(size, TRI_CACHE_LINE);
  void *p = NULL;
  tri_lock_acquire(&region.lock);
  if ((size <= (size_t)(region.end - region.next) || new_region(size)) && commit_region(region.next + size)) {
    p = region.next;
    region.next += size;
  }
  tri_lock_release(&region.lock);
  return p;
}

size_t tri_persistent_bytes(void) {
  return tri_load_rlx(&region.bytes);
}

void tri_persistent_range(uintptr_t *ret_lo, uintptr_t *ret_hi) {
  tri_lock_acquire(&region.lock);
  *ret_lo = (uintptr_t)region.start;
  *ret_hi = (uintptr_t)region.next;
  tri_lock_release(&region.lock);
}

void tri_persistent_lock(void) {
  tri_lock_acquire(&region.lock);
}

void tri_persistent_unlock(void) {
  tri_lock_release(&region.lock);
}

/* Fixalloc. */

static void normalise_size(struct tri_fixalloc *f) {
  size_t align = f->size >= TRI_CACHE_LINE ? TRI_CACHE_LINE : 16;
  f->size = tri_align_up(tri_max(f->size, 16), align);
}

static void push_free(struct tri_fixalloc *f, void *p) {
  *(void **)p = f->free_list;
  f->free_list = p;
}

/* Called and returns with the lock held, but lets go of it meanwhile. */
static bool refill(struct tri_fixalloc *f) {
  size_t size = tri_max(CHUNK_SIZE / f->size * f->size, f->size);
  tri_lock_release(&f->lock);
  char *chunk = tri_persistent_alloc(size);
  tri_lock_acquire(&f->lock);
  if (chunk == NULL) return f->free_list != NULL || f->chunk != f->chunk_end;
  f->sys_bytes += size;
  /* Another thread may have refilled too: its chunk's rest moves to the free list. */
  for (; f->chunk != f->chunk_end; f->chunk += f->size) push_free(f, f->chunk);
  f->chunk = chunk;
  f->chunk_end = chunk + size;
  return true;
}

void *tri_fixalloc_alloc(struct tri_fixalloc *f) {
  void *p = NULL;
  tri_lock_acquire(&f->lock);
  if (tri_unlikely(f->sys_bytes == 0)) normalise_size(f);
  if (f->free_list == NULL && f->chunk == f->chunk_end && !refill(f)) goto out;
  if (f->free_list != NULL) {
    p = f->free_list;
    f->free_list = *(void **)p;
    *(void **)p = NULL;
  } else {
    p = f->chunk;
    f->chunk += f->size;
  }
  f->inuse_bytes += f->size;
out:
  tri_lock_release(&f->lock);
  return p;
}

void tri_fixalloc_free(struct tri_fixalloc *f, void *p) {
  tri_lock_acquire(&f->lock);
  tri_check(f->inuse_bytes >= f->size);
  f->inuse_bytes -= f->size;
  push_free(f, p);
  tri_lock_release(&f->lock);
}
