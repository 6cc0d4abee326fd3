/*
 * Conservative scanning, the inner loop of marking (gc/mark.c): filters the words of a block by the heap's range.
 *
 * Three versions behind one function pointer: AVX-512 (256-bit registers and the compress instruction, which do not
 * lower the clock), AVX2 (compress by a table of permutations), and plain C for every other CPU and for aarch64. None
 * has a branch that depends on the data, but for four words of which none is in range. All give the same result.
 * The pointer is set when marking begins, by cpuid: the library is loaded too early for ifunc.
 *
 * The words are the program's, of any type, and may be written meanwhile by a thread that the registry does not know:
 * each is read once, so what is tested is what is returned.
 */
#include "gc/scan.h"

TRI_INLINE size_t scan_rest(const volatile tri_scan_word *p, size_t n, uintptr_t base, uintptr_t used, uintptr_t *out) {
  size_t found = 0;
  for (size_t i = 0; i < n; i++) {
    uintptr_t w = p[i];
    out[found] = w;
    found += w - base < used;
  }
  return found;
}

static size_t scan_plain(const void *p, size_t n, uintptr_t base, uintptr_t used, uintptr_t *out) {
  const volatile tri_scan_word *words = p;
  size_t found = 0, i = 0;
  for (; i + 4 <= n; i += 4) found += scan_rest(words + i, 4, base, used, out + found);
  return found + scan_rest(words + i, n - i, base, used, out + found);
}

tri_scan_fn *tri_scan_words = scan_plain;

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f,avx512vl,popcnt"))) static size_t scan_avx512(const void *p, size_t n, uintptr_t base,
                                                                             uintptr_t used, uintptr_t *out) {
  const uintptr_t *words = p;
  const __m256i bases = _mm256_set1_epi64x((long long)base), limit = _mm256_set1_epi64x((long long)used);
  size_t found = 0, i = 0;
  for (; i + 4 <= n; i += 4) {
    __m256i w = _mm256_loadu_si256((const __m256i *)(words + i));
    __mmask8 in = _mm256_cmplt_epu64_mask(_mm256_sub_epi64(w, bases), limit);
    if (!in) continue;
    _mm256_storeu_si256((__m256i *)(out + found), _mm256_maskz_compress_epi64(in, w));
    found += (size_t)__builtin_popcount(in);
  }
  return found + scan_rest((const volatile tri_scan_word *)words + i, n - i, base, used, out + found);
}

/* For a mask of words: the 32-bit halves of those words, in order, then anything. */
#define HALVES(a, b, c, d) \
  { 2 * (a), 2 * (a) + 1, 2 * (b), 2 * (b) + 1, 2 * (c), 2 * (c) + 1, 2 * (d), 2 * (d) + 1 }
static const uint32_t compress[16][8] __attribute__((aligned(32))) = {
    HALVES(0, 0, 0, 0), HALVES(0, 0, 0, 0), HALVES(1, 0, 0, 0), HALVES(0, 1, 0, 0),
    HALVES(2, 0, 0, 0), HALVES(0, 2, 0, 0), HALVES(1, 2, 0, 0), HALVES(0, 1, 2, 0),
    HALVES(3, 0, 0, 0), HALVES(0, 3, 0, 0), HALVES(1, 3, 0, 0), HALVES(0, 1, 3, 0),
    HALVES(2, 3, 0, 0), HALVES(0, 2, 3, 0), HALVES(1, 2, 3, 0), HALVES(0, 1, 2, 3),
};

/* Unsigned comparison by signed: both sides with the top bit turned. */
__attribute__((target("avx2,popcnt"))) static size_t scan_avx2(const void *p, size_t n, uintptr_t base, uintptr_t used,
                                                               uintptr_t *out) {
  const uintptr_t *words = p, top = (uintptr_t)1 << 63;
  const __m256i bases = _mm256_set1_epi64x((long long)(base + top));
  const __m256i limit = _mm256_set1_epi64x((long long)(used ^ top));
  size_t found = 0, i = 0;
  for (; i + 4 <= n; i += 4) {
    __m256i w = _mm256_loadu_si256((const __m256i *)(words + i));
    __m256i in = _mm256_cmpgt_epi64(limit, _mm256_sub_epi64(w, bases));
    unsigned mask = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(in));
    if (!mask) continue;
    __m256i order = _mm256_load_si256((const __m256i *)compress[mask]);
    _mm256_storeu_si256((__m256i *)(out + found), _mm256_permutevar8x32_epi32(w, order));
    found += (size_t)__builtin_popcount(mask);
  }
  return found + scan_rest((const volatile tri_scan_word *)words + i, n - i, base, used, out + found);
}

tri_scan_fn *tri_scan_version(unsigned i) {
  __builtin_cpu_init();
  if (i == 0) return scan_plain;
  if (i == 1) return __builtin_cpu_supports("avx2") ? scan_avx2 : NULL;
  return i == 2 && __builtin_cpu_supports("avx512vl") ? scan_avx512 : NULL;
}
#else
tri_scan_fn *tri_scan_version(unsigned i) {
  return i == 0 ? scan_plain : NULL;
}
#endif

void tri_scan_init(void) {
  for (unsigned i = 0; tri_scan_version(i); i++) tri_scan_words = tri_scan_version(i);
}
