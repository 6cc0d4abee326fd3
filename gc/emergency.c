/*
 * The emergency region: a fixed 4 MiB of zeroed static memory, handed out by one atomic bump. It serves malloc in a
 * signal handler that interrupted the runtime on the same thread (whose locks it may hold) and allocations while the
 * heap is being set up. Its objects are never collected, and the region is a root like all static data. When the last
 * block in use is freed the whole region is free again.
 *
 * Each block has a 16-byte header with its size. No locks; `top` packs the bytes used (low half) and the blocks in use,
 * changed by compare-and-swap. Async-signal-safe.
 */
#include "gc/emergency.h"

#include <errno.h>
#include <string.h>

#include "internal/atomic.h"
#include "internal/check.h"

enum { REGION_BYTES = 4 << 20, HEADER = 16 };

static char region[REGION_BYTES] __attribute__((aligned(4096)));
static tri_aword top;
static tri_aint told;

static size_t *size_of(const void *p) {
  return (size_t *)((uintptr_t)p - HEADER);
}

static uint64_t pack(uint64_t used, uint64_t blocks) {
  return blocks << 32 | used;
}

void *tri_emergency_alloc(size_t align, size_t size) {
  if (align < 16) align = 16;
  for (;;) {
    uint64_t old = tri_load_acq(&top), used = old & UINT32_MAX;
    size_t at = tri_align_up((uintptr_t)region + used + HEADER, align) - (uintptr_t)region;
    if (size > REGION_BYTES || at >= REGION_BYTES || at > REGION_BYTES - size) break;
    if (!tri_cas_acq_rel(&top, old, pack(tri_align_up(at + size, 16), (old >> 32) + 1))) continue;
    void *p = region + at;
    *size_of(p) = size;
    memset(p, 0, size);
    return p;
  }
  if (tri_int_exchange_acq_rel(&told, 1) == 0)
    tri_warn("malloc inside signal handlers that interrupt malloc: the %d-byte region for it is used up", REGION_BYTES);
  errno = ENOMEM;
  return NULL;
}

bool tri_emergency_owns(const void *p) {
  return (uintptr_t)p - (uintptr_t)region < REGION_BYTES;
}

size_t tri_emergency_size(const void *p) {
  return *size_of(p);
}

void tri_emergency_free(void *p) {
  for (;;) {
    uint64_t old = tri_load_acq(&top), blocks = (old >> 32) - 1;
    if (tri_cas_acq_rel(&top, old, pack(blocks ? old & UINT32_MAX : 0, blocks))) return;
  }
}
