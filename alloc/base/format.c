/*
 * Text formatting without the C library: the floor under log.c, fatal.c and every message of the runtime.
 *
 * Stands at the very bottom: calls nothing, keeps no state, allocates nothing, so it works before the C library is
 * ready, in signal handlers and while any lock is held. The conversions are those that internal/check.h lists, plus a
 * space-padded width and a precision for strings (%.40s, %.*s). There is no floating point. A conversion that is not
 * known ends the interpretation: the rest of the format is copied as it stands, since the size of its argument, and
 * so the place of the next ones, is unknown.
 */
#include "internal/check.h"

struct out {
  char *buf;
  size_t size;
  size_t len;
};

struct spec {
  bool zero;
  unsigned width;
  int precision; /* -1: none; strings only */
  int length;    /* 0 int, 1 long, 2 long long, 3 size_t */
};

static void put(struct out *o, char c) {
  if (o->len + 1 < o->size) o->buf[o->len++] = c;
}

static void put_text(struct out *o, const struct spec *s, const char *text) {
  if (!text) text = "(null)";
  size_t limit = s->precision < 0 ? SIZE_MAX : (size_t)s->precision;
  size_t n = 0;
  while (n < limit && text[n]) n++;
  for (size_t i = n; i < s->width; i++) put(o, ' ');
  for (size_t i = 0; i < n; i++) put(o, text[i]);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool negative) {
  char digits[20];
  size_t n = 0;
  do {
    digits[n++] = "0123456789abcdef"[v % base];
    v /= base;
  } while (v);
  size_t printed = n + negative;
  if (!s->zero)
    for (size_t i = printed; i < s->width; i++) put(o, ' ');
  if (negative) put(o, '-');
  if (s->zero)
    for (size_t i = printed; i < s->width; i++) put(o, '0');
  while (n) put(o, digits[--n]);
}

static unsigned parse_number(const char **f) {
  unsigned v = 0;
  for (; **f >= '0' && **f <= '9'; ++*f) v = v < 100 ? v * 10 + (unsigned)(**f - '0') : v;
  return v;
}

static const char *parse_length(const char *f, struct spec *s) {
  if (f[0] == 'l' && f[1] == 'l') {
    s->length = 2;
    return f + 2;
  }
  if (f[0] == 'l') s->length = 1;
  if (f[0] == 'z') s->length = 3;
  return s->length ? f + 1 : f;
}

/* A va_list is passed by pointer so that the callee's progress is the caller's. */
struct args {
  va_list ap;
};

static uint64_t next_unsigned(struct args *a, int length) {
  switch (length) {
    case 1:
      return va_arg(a->ap, unsigned long);
    case 2:
      return va_arg(a->ap, unsigned long long);
    case 3:
      return va_arg(a->ap, size_t);
    default:
      return va_arg(a->ap, unsigned);
  }
}

static int64_t next_signed(struct args *a, int length) {
  return length ? (int64_t)next_unsigned(a, length) : va_arg(a->ap, int);
}

static bool convert(struct out *o, const struct spec *s, char c, struct args *a) {
  switch (c) {
    case 's':
      put_text(o, s, va_arg(a->ap, const char *));
      return true;
    case 'c':
      put(o, (char)va_arg(a->ap, int));
      return true;
    case '%':
      put(o, '%');
      return true;
    case 'u':
      put_number(o, s, next_unsigned(a, s->length), 10, false);
      return true;
    case 'x':
      put_number(o, s, next_unsigned(a, s->length), 16, false);
      return true;
    case 'p':
      put(o, '0');
      put(o, 'x');
      put_number(o, s, (uintptr_t)va_arg(a->ap, void *), 16, false);
      return true;
    case 'd': {
      int64_t v = next_signed(a, s->length);
      put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0);
      return true;
    }
    default:
      return false;
  }
}

static const char *parse_spec(const char *f, struct spec *s, struct args *a) {
  if (*f == '0') {
    s->zero = true;
    f++;
  }
  s->width = parse_number(&f);
  if (*f == '.') {
    f++;
    if (*f == '*') {
      s->precision = va_arg(a->ap, int);
      f++;
    } else {
      s->precision = (int)parse_number(&f);
    }
  }
  return parse_length(f, s);
}

size_t tri_vformat(char *buf, size_t size, const char *fmt, va_list ap) {
  if (size == 0) return 0;
  struct out o = {buf, size, 0};
  struct args a;
  va_copy(a.ap, ap);
  for (const char *f = fmt; *f; f++) {
    if (*f != '%') {
      put(&o, *f);
      continue;
    }
    struct spec s = {false, 0, -1, 0};
    const char *start = f;
    f = parse_spec(f + 1, &s, &a);
    if (!convert(&o, &s, *f, &a)) {
      while (*start) put(&o, *start++);
      break;
    }
  }
  va_end(a.ap);
  o.buf[o.len] = 0;
  return o.len;
}

size_t tri_format(char *buf, size_t size, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  size_t n = tri_vformat(buf, size, fmt, ap);
  va_end(ap);
  return n;
}
