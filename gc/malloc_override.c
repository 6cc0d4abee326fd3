/*
 * The malloc family, in libtricolor-malloc only. Results, errno and alignment as the C standard, POSIX and glibc's
 * manual say; where they leave a choice, glibc's is taken (malloc(0) is a distinct object, realloc(p, 0) frees and
 * returns NULL, memalign rounds a bad alignment up). C++'s operator new and delete come here through libstdc++.
 *
 * malloc and free are the inline fast paths of gc/heap.h; all else is in gc/heap.c. free=ignore and errors are the slow
 * path's business.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/cycle.h"
#include "gc/enter.h"
#include "gc/heap.h"
#include "gc/runtime.h"
#include "internal/check.h"
#include "internal/state.h"
#include "tricolor/tricolor.h"

enum { FLAGS = TRI_ALLOC_SCAN | TRI_ALLOC_MALLOC16 };

TRI_INLINE void *alloc(size_t size, unsigned flags) {
  if (tri_likely(size < TRI_HEAP_MEDIUM)) return tri_heap_alloc_small(size, flags);
  return size <= TRI_MAX_SMALL_MALLOC ? tri_heap_alloc_medium(size, flags) : tri_heap_alloc_slow(size, flags);
}

TRI_EXPORT void *malloc(size_t size) {
  return alloc(size, FLAGS);
}

extern __typeof(malloc) tri_own_malloc __attribute__((alias("malloc"), visibility("hidden"), leaf, malloc, nothrow));

TRI_EXPORT void free(void *p) {
  tri_heap_free(p, "free");
}

/* Each kind of wrong size is said once: a program may have its reasons to try many. */
static void *overflow(tri_aint *told, const char *function, size_t n, size_t size) {
  if (tri_int_exchange_acq_rel(told, 1) == 0)
    tri_warn("%s: %zu objects of %zu bytes are more than memory can hold; NULL and ENOMEM are returned (said once)",
             function, n, size);
  errno = ENOMEM;
  return NULL;
}

static int bad_alignment(const char *function, size_t align) {
  static tri_aint told;
  if (tri_int_exchange_acq_rel(&told, 1) == 0)
    tri_warn("%s: alignment %zu is not a power of two%s; EINVAL is returned (said once)", function, align,
             tri_is_pow2(align) ? " of at least 8" : "");
  return EINVAL;
}

TRI_EXPORT void *calloc(size_t n, size_t size) {
  static tri_aint told;
  size_t bytes;
  if (tri_unlikely(__builtin_mul_overflow(n, size, &bytes))) return overflow(&told, "calloc", n, size);
  return alloc(bytes, FLAGS | TRI_ALLOC_ZERO);
}

TRI_EXPORT void *realloc(void *p, size_t size) {
  if (p && size == 0) {
    free(p);
    return NULL;
  }
  return p ? tri_heap_realloc(p, size, FLAGS) : malloc(size);
}

TRI_EXPORT void *reallocarray(void *p, size_t n, size_t size) {
  static tri_aint told;
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes)) return overflow(&told, "reallocarray", n, size);
  return realloc(p, bytes);
}

static void *aligned(size_t align, size_t size) {
  if (align <= 8) return malloc(size);
  if (align <= 16) return malloc(size < 8 ? 8 : size); /* slots of 8 bytes have no more alignment than that */
  return tri_heap_alloc_aligned(align, size, FLAGS);
}

TRI_EXPORT void *aligned_alloc(size_t align, size_t size) {
  if (!tri_is_pow2(align)) {
    errno = bad_alignment("aligned_alloc", align);
    return NULL;
  }
  return aligned(align, size);
}

TRI_EXPORT int posix_memalign(void **ret, size_t align, size_t size) {
  if (!tri_is_pow2(align) || align % sizeof(void *) != 0) return bad_alignment("posix_memalign", align);
  int saved_errno = errno;
  void *p = aligned(align, size);
  errno = saved_errno;
  if (!p) return ENOMEM;
  *ret = p;
  return 0;
}

TRI_EXPORT void *memalign(size_t align, size_t size) {
  size_t a = 16;
  while (a < align && a <= SIZE_MAX / 4) a *= 2;
  if (a < align) {
    errno = EINVAL;
    return NULL;
  }
  return aligned(a, size);
}

TRI_EXPORT void *valloc(size_t size) {
  return aligned(TRI_PAGE_SIZE, size);
}

TRI_EXPORT void *pvalloc(size_t size) {
  if (size > SIZE_MAX - TRI_PAGE_SIZE) {
    static tri_aint told;
    return overflow(&told, "pvalloc", 1, size);
  }
  return aligned(TRI_PAGE_SIZE, tri_align_up(size ? size : 1, TRI_PAGE_SIZE));
}

TRI_EXPORT size_t malloc_usable_size(void *p) {
  return tri_heap_usable_malloc(p, "malloc_usable_size");
}

/* C23. The size says nothing that the heap does not know. */
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);
TRI_EXPORT void free_sized(void *p, size_t size) {
  free(p);
}
TRI_EXPORT void free_aligned_sized(void *p, size_t align, size_t size) {
  free(p);
}
void cfree(void *p);
TRI_EXPORT void cfree(void *p) {
  free(p);
}

TRI_EXPORT int malloc_trim(size_t pad) {
  if (!tri_runtime_ready()) return 0;
  return tri_free_os_memory() > 0;
}

TRI_EXPORT struct mallinfo2 mallinfo2(void) {
  struct mallinfo2 m;
  struct tri_mheap_stats h;
  memset(&m, 0, sizeof m);
  struct tri_thread *t = tri_runtime_ready() ? tri_enter_registered() : NULL;
  if (!t) return m;
  tri_mheap_read_stats(&h);
  tri_runtime_leave(t);
  int64_t live = (int64_t)(tri_load_rlx(&tri_state.heap_live) - tri_runtime_config()->ballast_bytes);
  size_t in_use = live < 0 ? 0 : tri_min((size_t)live, h.inuse_bytes);
  m.arena = h.used_bytes - h.released_bytes;
  m.uordblks = in_use;
  m.fordblks = m.arena - tri_min(in_use, m.arena);
  m.keepcost = h.free_bytes;
  return m;
}

static int clamp(size_t n) {
  return n > INT_MAX ? INT_MAX : (int)n;
}

TRI_EXPORT struct mallinfo mallinfo(void) {
  struct mallinfo2 m = mallinfo2();
  return (struct mallinfo){.arena = clamp(m.arena),
                           .uordblks = clamp(m.uordblks),
                           .fordblks = clamp(m.fordblks),
                           .keepcost = clamp(m.keepcost)};
}

/* No tunable of glibc's exists here; 1 would mean that it was obeyed. */
TRI_EXPORT int mallopt(int parameter, int value) {
  return 0;
}

TRI_EXPORT int malloc_info(int options, FILE *out) {
  if (options != 0) {
    errno = EINVAL;
    return -1;
  }
  struct mallinfo2 m = mallinfo2();
  char text[512];
  tri_format(text, sizeof text,
             "<malloc version=\"tricolor-%s\">\n<system type=\"current\" size=\"%zu\"/>\n"
             "<total type=\"inuse\" size=\"%zu\"/>\n<total type=\"free\" size=\"%zu\"/>\n</malloc>\n",
             TRI_VERSION, m.arena, m.uordblks, m.fordblks);
  return fputs(text, out) < 0 ? -1 : 0;
}

TRI_EXPORT void malloc_stats(void) {
  struct mallinfo2 m = mallinfo2();
  tri_warn("heap: %zu bytes from the system, %zu in use, %zu free", m.arena, m.uordblks, m.fordblks);
}
