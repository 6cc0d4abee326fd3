/* tri_format against snprintf where both know the conversion, and its own rules: cutting, unknown conversions. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "internal/check.h"

#define SAME(...)                                              \
  do {                                                         \
    char ours_[256], theirs_[256];                             \
    size_t n_ = tri_format(ours_, sizeof(ours_), __VA_ARGS__); \
    snprintf(theirs_, sizeof(theirs_), __VA_ARGS__);           \
    cr_assert_str_eq(ours_, theirs_);                          \
    cr_assert_eq(n_, strlen(theirs_));                         \
  } while (0)

Test(format, numbers_as_the_c_library) {
  SAME("%d %d %d", 0, INT_MAX, INT_MIN);
  SAME("%u %u", 0U, UINT_MAX);
  SAME("%x %x", 0U, 0xdeadbeefU);
  SAME("%ld %ld", LONG_MAX, LONG_MIN);
  SAME("%lu %lx", ULONG_MAX, ULONG_MAX);
  SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, 42ULL);
  SAME("%zu %zx", SIZE_MAX, (size_t)4096);
  SAME("%p", (void *)0x7f0012345678);
}

Test(format, widths) {
  SAME("%05u|%02x|%016lx", 7U, 3U, 0xabcUL);
  SAME("%05d|%05d", -42, 42);
  SAME("%6u|%3d|%1u", 7U, -1, 12345U);
  SAME("%10s|%2s", "abc", "abc");
}

Test(format, text) {
  SAME("%s%c%%", "abc", 'd');
  SAME("%.2s|%.*s|%.0s|", "abc", 1, "xyz", "gone");
  char unterminated[2] = {'a', 'b'};
  SAME("%.*s", 2, unterminated);
}

Test(format, null_text_is_named) {
  char buf[32];
  const char *volatile none = NULL;
  tri_format(buf, sizeof(buf), "<%s>", none);
  cr_assert_str_eq(buf, "<(null)>");
}

Test(format, arguments_keep_their_places_when_mixed) {
  SAME("%d %llu %s %zu %c %lx %d %s", 1, 2ULL, "three", (size_t)4, '5', 6UL, 7, "eight");
}

Test(format, long_text_is_cut_and_terminated) {
  char buf[6];
  memset(buf, 'Z', sizeof(buf));
  cr_assert_eq(tri_format(buf, 5, "%s", "abcdefgh"), 4);
  cr_assert_str_eq(buf, "abcd");
  cr_assert_eq(buf[5], 'Z');
  cr_assert_eq(tri_format(buf, 1, "%d", 5), 0);
  cr_assert_str_eq(buf, "");
  buf[0] = 'Q';
  cr_assert_eq(tri_format(buf, 0, "%d", 5), 0);
  cr_assert_eq(buf[0], 'Q');
}

Test(format, unknown_conversion_is_copied) {
  char buf[32];
  const char *volatile fmt = "a %u %y %u";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
  tri_format(buf, sizeof(buf), fmt, 1U, 2U, 3U);
  cr_assert_str_eq(buf, "a 1 %y %u");
  fmt = "100%";
  tri_format(buf, sizeof(buf), fmt, 0);
#pragma GCC diagnostic pop
  cr_assert_str_eq(buf, "100%");
}
