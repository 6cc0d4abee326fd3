/* Arithmetic on byte counts that stops at the ends instead of wrapping around. */
#ifndef TRI_PACER_ARITH_H
#define TRI_PACER_ARITH_H

#include "internal/base.h"

TRI_INLINE uint64_t tri_add_sat(uint64_t a, uint64_t b) {
  return a + b < a ? UINT64_MAX : a + b;
}
TRI_INLINE uint64_t tri_sub_sat(uint64_t a, uint64_t b) {
  return a < b ? 0 : a - b;
}
TRI_INLINE uint64_t tri_min_u64(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}
TRI_INLINE uint64_t tri_max_u64(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* bytes * percent / 100, rounded down, without overflow in between. */
TRI_INLINE uint64_t tri_percent_of(uint64_t bytes, uint64_t percent) {
  uint64_t hundreds;
  uint64_t rest;
  if (__builtin_mul_overflow(bytes / 100, percent, &hundreds)) return UINT64_MAX;
  if (__builtin_mul_overflow(bytes % 100, percent, &rest)) return UINT64_MAX;
  return tri_add_sat(hundreds, rest / 100);
}

/* Rounded towards zero. The conversion itself is undefined for what does not fit; not a number becomes 0. */
TRI_INLINE uint64_t tri_u64_of(double x) {
  if (!(x > 0)) return 0;
  return x >= 0x1p64 ? UINT64_MAX : (uint64_t)x;
}
TRI_INLINE int64_t tri_i64_of(double x) {
  if (x != x) return 0;
  if (x >= 0x1p63) return INT64_MAX;
  return x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

#endif
