/*
 * Values of settings: numbers, sizes, percentages, exactly as Go reads them, quirks included ("+5" and "-0" are sizes,
 * "1kib" is not).
 *
 * Pure: no state, no allocation, no messages; also compiled into the tricolor command, so that both agree on what is
 * accepted. config.c decides what a rejected value means.
 */
#include "gc/parse.h"

#include <string.h>

struct tri_slice tri_slice_of(const char *text) {
  return (struct tri_slice){text, strlen(text)};
}

bool tri_slice_is(struct tri_slice s, const char *word) {
  return strlen(word) == s.n && memcmp(s.p, word, s.n) == 0;
}

struct tri_slice tri_slice_cut(struct tri_slice *rest, char separator) {
  struct tri_slice head = {rest->p, 0};
  while (head.n < rest->n && head.p[head.n] != separator) head.n++;
  size_t taken = head.n < rest->n ? head.n + 1 : head.n;
  rest->p += taken;
  rest->n -= taken;
  return head;
}

/* Go's atoi for 64 bits. -2^63 is left out: nothing here accepts it. */
static bool parse_int64(struct tri_slice s, int64_t *out) {
  bool negative = s.n && s.p[0] == '-';
  size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
  if (i == s.n) return false;
  int64_t v = 0;
  for (; i < s.n; i++) {
    if (s.p[i] < '0' || s.p[i] > '9') return false;
    if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s.p[i] - '0', &v)) return false;
  }
  *out = negative ? -v : v;
  return true;
}

bool tri_parse_int32(struct tri_slice s, int32_t *out) {
  int64_t v;
  if (!parse_int64(s, &v) || v < INT32_MIN || v > INT32_MAX) return false;
  *out = (int32_t)v;
  return true;
}

static unsigned binary_suffix_shift(char c) {
  switch (c) {
    case 'K':
      return 10;
    case 'M':
      return 20;
    case 'G':
      return 30;
    case 'T':
      return 40;
    default:
      return 0;
  }
}

bool tri_parse_size(struct tri_slice s, uint64_t *out) {
  unsigned shift = 0;
  if (s.n && s.p[s.n - 1] == 'B') {
    s.n--;
    if (s.n && s.p[s.n - 1] == 'i') {
      s.n--;
      shift = s.n ? binary_suffix_shift(s.p[--s.n]) : 0;
      if (!shift) return false;
    }
  }
  int64_t v;
  if (!parse_int64(s, &v) || v < 0 || v > (INT64_MAX >> shift)) return false;
  *out = (uint64_t)v << shift;
  return true;
}

bool tri_parse_limit(struct tri_slice s, uint64_t *bytes, bool *is_auto) {
  *is_auto = tri_slice_is(s, "auto");
  if (*is_auto) return true;
  if (!tri_slice_is(s, "off")) return tri_parse_size(s, bytes);
  *bytes = UINT64_MAX;
  return true;
}

bool tri_parse_gogc(struct tri_slice s, int *percent) {
  int32_t v;
  if (tri_slice_is(s, "off"))
    v = -1;
  else if (!tri_parse_int32(s, &v))
    return false;
  *percent = v < 0 ? -1 : v;
  return true;
}

bool tri_parse_hex(const char **p, uintptr_t *ret) {
  uintptr_t v = 0;
  const char *start = *p;
  for (;; (*p)++) {
    char c = **p;
    if (c >= '0' && c <= '9') {
      v = v * 16 + (uintptr_t)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      v = v * 16 + (uintptr_t)(c - 'a' + 10);
    } else {
      break;
    }
  }
  *ret = v;
  return *p != start;
}
