/* Pure parsers of setting values. Text is given by start and length and need not be terminated. */
#ifndef TRI_GC_PARSE_H
#define TRI_GC_PARSE_H

#include "internal/base.h"

struct tri_slice {
  const char *p;
  size_t n;
};

struct tri_slice tri_slice_of(const char *text);
bool tri_slice_is(struct tri_slice s, const char *word);
/* Takes the text up to the next `separator`, or all of it, off the front of *rest. The separator goes too. */
struct tri_slice tri_slice_cut(struct tri_slice *rest, char separator);

/* Go's atoi32: optional sign, decimal digits, fits 32 bits. */
bool tri_parse_int32(struct tri_slice s, int32_t *out);
/* Go's parseByteCount: digits, then nothing or B, KiB, MiB, GiB or TiB; not above 2^63-1. */
bool tri_parse_size(struct tri_slice s, uint64_t *out);
/* GOMEMLIMIT: "off" gives UINT64_MAX, "auto" leaves *bytes alone and sets *is_auto, else a size. */
bool tri_parse_limit(struct tri_slice s, uint64_t *bytes, bool *is_auto);
/* GOGC: "off" or a 32-bit percentage; off and negative values give -1. */
bool tri_parse_gogc(struct tri_slice s, int *percent);
/* Lower-case digits of /proc's files; *p moves behind them. False: there is none. */
bool tri_parse_hex(const char **p, uintptr_t *ret);

#endif
