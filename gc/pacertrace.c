/*
 * The lines that GODEBUG=gcpacertrace=1 prints: when a cycle was planned, what came of it, and when its sweep ended, as
 * Go's. Called by gc/cycle.c, which writes the text when the world runs again. Byte counts are truncated to MiB, floats
 * have up to seven significant digits.
 * Pure: no state, no clock, no allocation.
 */
#include "gc/pacertrace.h"

#include "internal/check.h"

enum { DIGITS = 7, FLOAT_SIZE = 40 };
#define TEN_TO_DIGITS 10000000u

/* x in scientific terms: digits[0].digits[1..] * 10^exponent, without trailing zeros. x is positive and finite. */
struct decimal {
  char digits[DIGITS + 1];
  int count, exponent;
};

static struct decimal decimal_of(double x) {
  struct decimal d = {.exponent = DIGITS - 1};
  for (; x >= TEN_TO_DIGITS; x /= 10) d.exponent++;
  for (; x < TEN_TO_DIGITS / 10; x *= 10) d.exponent--;
  uint64_t n = (uint64_t)(x + 0.5);
  if (n >= TEN_TO_DIGITS) n /= 10, d.exponent++;
  for (d.count = DIGITS; d.count > 1 && n % 10 == 0; d.count--) n /= 10;
  for (int i = d.count; i > 0; n /= 10) d.digits[--i] = (char)('0' + n % 10);
  return d;
}

static const char *format_float(char buf[FLOAT_SIZE], double x) {
  size_t n = 0;
  if (x < 0) buf[n++] = '-', x = -x;
  if (!(x > 0) || x > 1e300) {
    tri_format(buf + n, FLOAT_SIZE - n, x > 1e300 ? "Inf" : x == 0 ? "0" : "NaN");
    return buf;
  }
  struct decimal d = decimal_of(x);
  if (d.exponent < -4 || d.exponent >= 21) {
    n += tri_format(buf + n, FLOAT_SIZE - n, "%c%s%se%s%02d", d.digits[0], d.count > 1 ? "." : "", d.digits + 1,
                    d.exponent < 0 ? "-" : "+", d.exponent < 0 ? -d.exponent : d.exponent);
    return buf;
  }
  int last = d.exponent - d.count + 1 < 0 ? d.exponent - d.count + 1 : 0;
  for (int place = d.exponent > 0 ? d.exponent : 0; place >= last; place--) {
    int i = d.exponent - place;
    if (place == -1) buf[n++] = '.';
    buf[n++] = i >= 0 && i < d.count ? d.digits[i] : '0';
  }
  buf[n] = 0;
  return buf;
}

static unsigned long long mb(uint64_t bytes) {
  return bytes >> 20;
}

size_t tri_pacertrace_start(char *buf, size_t size, const struct tri_pacertrace_start *t) {
  char ratio[FLOAT_SIZE], fractional[FLOAT_SIZE];
  return tri_format(buf, size, "pacer: assist ratio=%s (scan %llu MB in %llu->%llu MB) workers=%d+%s\n",
                    format_float(ratio, t->assist_ratio), mb(t->scan_bytes), mb(t->heap_live), mb(t->heap_goal),
                    t->dedicated, format_float(fractional, t->fractional));
}

size_t tri_pacertrace_end(char *buf, size_t size, const struct tri_pacertrace_end *t) {
  char cons_mark[FLOAT_SIZE];
  return tri_format(buf, size,
                    "pacer: %d%% CPU (25 exp.) for %llu+%llu+%llu B work (%llu B exp.) in %llu B -> %llu B "
                    "(\xe2\x88\x86goal %lld, cons/mark %s)\n",
                    (int)(t->utilization * 100), (unsigned long long)t->heap_work, (unsigned long long)t->stack_work,
                    (unsigned long long)t->globals_work, (unsigned long long)t->expected_work,
                    (unsigned long long)t->triggered, (unsigned long long)t->heap_live,
                    (long long)(t->heap_live - t->heap_goal), format_float(cons_mark, t->cons_mark));
}

size_t tri_pacertrace_sweep(char *buf, size_t size, const struct tri_pacertrace_sweep *t) {
  char ratio[FLOAT_SIZE];
  return tri_format(buf, size,
                    "pacer: sweep done at heap size %lluMB; allocated %lluMB during sweep; swept %llu pages at %s "
                    "pages/byte\n",
                    mb(t->heap_live), mb(t->allocated), (unsigned long long)t->pages,
                    format_float(ratio, t->pages_per_byte));
}
