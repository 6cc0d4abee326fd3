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

#include "alloc/sizeclass.h"

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

uint8_t tri_scan_small_words[TRI_GREY_CLASSES];

TRI_INLINE const char *start_of(uintptr_t grey) {
  return (const char *)tri_grey_address(grey);
}
TRI_INLINE unsigned words_of(uintptr_t grey) {
  return tri_scan_small_words[tri_grey_class(grey)];
}

static size_t scan_small_plain(const uintptr_t *grey, unsigned n, uintptr_t base, uintptr_t used, uintptr_t *out) {
  size_t found = 0;
  for (unsigned i = 0; i < n; i++)
    found += scan_rest((const void *)start_of(grey[i]), words_of(grey[i]), base, used, out + found);
  return found;
}

tri_scan_fn *tri_scan_words = scan_plain;
tri_scan_small_fn *tri_scan_small = scan_small_plain;

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512vl,popcnt"))) static
#define AVX2 __attribute__((target("avx2,popcnt"))) static

AVX512 inline __mmask8 in_range_avx512(__m256i w, __m256i bases, __m256i limit) {
  return _mm256_cmplt_epu64_mask(_mm256_sub_epi64(w, bases), limit);
}

/* Stores those of the mask, and returns where the next ones go. */
AVX512 inline uintptr_t *keep_avx512(__m256i w, __mmask8 in, uintptr_t *out) {
  _mm256_storeu_si256((__m256i *)out, _mm256_maskz_compress_epi64(in, w));
  return out + (unsigned)__builtin_popcount(in);
}

AVX512 size_t scan_avx512(const void *p, size_t n, uintptr_t base, uintptr_t used, uintptr_t *out) {
  const uintptr_t *words = p, *from = out;
  const __m256i bases = _mm256_set1_epi64x((long long)base), limit = _mm256_set1_epi64x((long long)used);
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    __m256i w = _mm256_loadu_si256((const __m256i *)(words + i));
    __mmask8 in = in_range_avx512(w, bases, limit);
    if (in) out = keep_avx512(w, in, out);
  }
  return (size_t)(out - from) + scan_rest((const volatile tri_scan_word *)words + i, n - i, base, used, out);
}

/* Lanes without a word read as 0, which is below the heap. */
AVX512 size_t scan_small_avx512(const uintptr_t *grey, unsigned n, uintptr_t base, uintptr_t used, uintptr_t *out) {
  const __m256i bases = _mm256_set1_epi64x((long long)base), limit = _mm256_set1_epi64x((long long)used);
  const uintptr_t *from = out;
  for (unsigned i = 0; i < n; i++) {
    unsigned words = words_of(grey[i]), lanes = (1u << words) - 1;
    const char *p = start_of(grey[i]);
    __m256i w = _mm256_maskz_loadu_epi64((__mmask8)(lanes & 15), p);
    out = keep_avx512(w, in_range_avx512(w, bases, limit), out);
    if (words <= 4) continue;
    w = _mm256_maskz_loadu_epi64((__mmask8)(lanes >> 4), p + sizeof w);
    out = keep_avx512(w, in_range_avx512(w, bases, limit), out);
  }
  return (size_t)(out - from);
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

/* Unsigned comparison by signed: bases and limit have the top bit turned. */
AVX2 inline unsigned in_range_avx2(__m256i w, __m256i bases, __m256i limit) {
  __m256i in = _mm256_cmpgt_epi64(limit, _mm256_sub_epi64(w, bases));
  return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(in));
}

AVX2 inline uintptr_t *keep_avx2(__m256i w, unsigned in, uintptr_t *out) {
  __m256i order = _mm256_load_si256((const __m256i *)compress[in]);
  _mm256_storeu_si256((__m256i *)out, _mm256_permutevar8x32_epi32(w, order));
  return out + (unsigned)__builtin_popcount(in);
}

#define TOP ((uintptr_t)1 << 63)

AVX2 size_t scan_avx2(const void *p, size_t n, uintptr_t base, uintptr_t used, uintptr_t *out) {
  const uintptr_t *words = p, *from = out;
  const __m256i bases = _mm256_set1_epi64x((long long)(base + TOP));
  const __m256i limit = _mm256_set1_epi64x((long long)(used ^ TOP));
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    __m256i w = _mm256_loadu_si256((const __m256i *)(words + i));
    unsigned in = in_range_avx2(w, bases, limit);
    if (in) out = keep_avx2(w, in, out);
  }
  return (size_t)(out - from) + scan_rest((const volatile tri_scan_word *)words + i, n - i, base, used, out);
}

/* Of four words the first n, 0 for the others. */
AVX2 inline __m256i load_avx2(const char *p, unsigned n) {
  static const int64_t lanes_of[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
  __m256i lanes = _mm256_loadu_si256((const __m256i *)(lanes_of + 4 - n));
  return _mm256_maskload_epi64((const long long *)(const void *)p, lanes);
}

AVX2 size_t scan_small_avx2(const uintptr_t *grey, unsigned n, uintptr_t base, uintptr_t used, uintptr_t *out) {
  const uintptr_t *from = out;
  const __m256i bases = _mm256_set1_epi64x((long long)(base + TOP));
  const __m256i limit = _mm256_set1_epi64x((long long)(used ^ TOP));
  for (unsigned i = 0; i < n; i++) {
    const char *p = start_of(grey[i]);
    unsigned words = words_of(grey[i]);
    __m256i w = load_avx2(p, words < 4 ? words : 4);
    out = keep_avx2(w, in_range_avx2(w, bases, limit), out);
    if (words <= 4) continue;
    w = load_avx2(p + sizeof w, words - 4);
    out = keep_avx2(w, in_range_avx2(w, bases, limit), out);
  }
  return (size_t)(out - from);
}

static const struct tri_scan_version versions[] = {
    {scan_plain, scan_small_plain}, {scan_avx2, scan_small_avx2}, {scan_avx512, scan_small_avx512}};

const struct tri_scan_version *tri_scan_version(unsigned i) {
  __builtin_cpu_init();
  bool has = i == 0 || (i == 1 && __builtin_cpu_supports("avx2")) || (i == 2 && __builtin_cpu_supports("avx512vl"));
  return has ? &versions[i] : NULL;
}
#else
static const struct tri_scan_version plain = {scan_plain, scan_small_plain};

const struct tri_scan_version *tri_scan_version(unsigned i) {
  return i == 0 ? &plain : NULL;
}
#endif

void tri_scan_init(void) {
  const struct tri_scan_version *v;
  for (unsigned c = 1; c < TRI_NUM_CLASSES && tri_class_size[c] <= TRI_SCAN_SMALL * sizeof(void *); c++)
    tri_scan_small_words[c] = (uint8_t)(tri_class_size[c] / sizeof(void *));
  for (unsigned i = 0; (v = tri_scan_version(i)); i++) {
    tri_scan_words = v->words;
    tri_scan_small = v->small;
  }
}
