/* Sizes, attributes and alignment helpers that every file may use. Includes only the C library. */
#ifndef TRI_INTERNAL_BASE_H
#define TRI_INTERNAL_BASE_H

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runtime pages are 8 KiB whatever the kernel's page size. */
#define TRI_PAGE_SHIFT 13
#define TRI_PAGE_SIZE ((size_t)1 << TRI_PAGE_SHIFT)
/* The page allocator's bitmap unit and the step in which the heap grows: 512 pages, 4 MiB. */
#define TRI_CHUNK_PAGES 512
#define TRI_CHUNK_SIZE (TRI_CHUNK_PAGES * TRI_PAGE_SIZE)

#define TRI_CACHE_LINE 64

#define tri_likely(x) __builtin_expect(!!(x), 1)
#define tri_unlikely(x) __builtin_expect(!!(x), 0)

#define TRI_INTERNAL __attribute__((visibility("hidden")))
#define TRI_EXPORT __attribute__((visibility("default")))
/* Programs that link the archive may have one of their own of that name. */
#define TRI_WEAK_EXPORT TRI_EXPORT __attribute__((weak))
#define TRI_NOINLINE __attribute__((noinline))
#define TRI_INLINE static inline __attribute__((always_inline))
#define TRI_COLD __attribute__((cold, noinline))
#define TRI_CACHE_ALIGNED __attribute__((aligned(TRI_CACHE_LINE)))
/* The compiler keeps this address in a register instead of computing it again for each field. */
#define TRI_ONCE(p) __asm__("" : "+r"(p))
/* Initial-exec: no call to __tls_get_addr, which may allocate and may take the loader's lock. */
#define TRI_TLS __thread __attribute__((tls_model("initial-exec")))

#define TRI_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

TRI_INLINE size_t tri_align_up(size_t n, size_t align) {
  return (n + align - 1) & ~(align - 1);
}
TRI_INLINE size_t tri_align_down(size_t n, size_t align) {
  return n & ~(align - 1);
}
TRI_INLINE bool tri_is_pow2(size_t n) {
  return n != 0 && (n & (n - 1)) == 0;
}
TRI_INLINE size_t tri_min(size_t a, size_t b) {
  return a < b ? a : b;
}
TRI_INLINE size_t tri_max(size_t a, size_t b) {
  return a > b ? a : b;
}

#endif
