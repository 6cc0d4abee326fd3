/* Go's line, byte for byte: lines captured from Go, and every border of its number format. */
#include <criterion/criterion.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "gc/gctrace.h"

#define MIB ((uint64_t)1 << 20)
#define US(x) ((uint64_t)(x)*1000)
#define MS(x) ((uint64_t)(x)*1000000)

static const struct {
  struct tri_gctrace in;
  const char *line;
} captured[] = {
    {{.num_gc = 3,
      .since_start_ns = 40999999,
      .percent = 7,
      .clock_ns = {57999, 13999999, 50000},
      .cpu_ns = {115998, 1090000, 3899999, 5099999, 100000},
      .heap_start = 31 * MIB,
      .heap_end = 39 * MIB - 1,
      .heap_marked = 19 * MIB + 5,
      .goal = 37 * MIB,
      .stack_bytes = MIB - 1,
      .globals_bytes = 300000,
      .procs = 2},
     "gc 3 @0.040s 7%: 0.057+13+0.050 ms clock, 0.11+1.0/3.8/5.0+0.10 ms cpu, 31->38->19 MB, 37 MB goal, 0 MB stacks, "
     "0 MB globals, 2 P\n"},
    {{.num_gc = 7,
      .since_start_ns = 149000001,
      .percent = 13,
      .clock_ns = {219999, 10000000, 7000},
      .cpu_ns = {430000, 999, 1999999, 16500000, 14999},
      .heap_start = 30 * MIB,
      .heap_end = 30 * MIB,
      .heap_marked = 12 * MIB,
      .goal = 44 * MIB,
      .procs = 2,
      .forced = true},
     "gc 7 @0.149s 13%: 0.21+10+0.007 ms clock, 0.43+0/1.9/16+0.014 ms cpu, 30->30->12 MB, 44 MB goal, 0 MB stacks, 0 "
     "MB globals, 2 P (forced)\n"},
};

Test(gctrace, captured_lines) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(captured); i++) {
    char buf[TRI_GCTRACE_SIZE];
    size_t n = tri_gctrace_format(buf, sizeof(buf), &captured[i].in);
    cr_expect_str_eq(buf, captured[i].line);
    cr_expect_eq(n, strlen(captured[i].line));
  }
}

static const struct {
  uint64_t ns;
  const char *text;
} durations[] = {
    {0, "0"},
    {999, "0"},
    {US(1), "0.001"},
    {1999, "0.001"},
    {US(9), "0.009"},
    {US(10), "0.010"},
    {US(57), "0.057"},
    {99999, "0.099"},
    {US(100), "0.10"},
    {109999, "0.10"},
    {US(999), "0.99"},
    {MS(1), "1.0"},
    {1099999, "1.0"},
    {US(1100), "1.1"},
    {9999999, "9.9"},
    {MS(10), "10"},
    {10999999, "10"},
    {MS(123456), "123456"},
    {UINT64_MAX, "18446744073709"},
};

Test(gctrace, durations_truncate_as_go) {
  for (size_t i = 0; i < TRI_ARRAY_LEN(durations); i++) {
    struct tri_gctrace t = {.num_gc = 1, .clock_ns = {durations[i].ns, 0, 0}, .procs = 1};
    char buf[TRI_GCTRACE_SIZE], want[64];
    tri_gctrace_format(buf, sizeof(buf), &t);
    snprintf(want, sizeof(want), "gc 1 @0.000s 0%%: %s+0+0 ms clock, ", durations[i].text);
    cr_expect(strncmp(buf, want, strlen(want)) == 0, "%lu ns: %s", durations[i].ns, buf);
  }
}

Test(gctrace, start_time_has_three_decimals) {
  static const struct {
    uint64_t ns;
    const char *text;
  } starts[] = {{0, "@0.000s"},          {999999, "@0.000s"},
                {MS(7), "@0.007s"},      {MS(1000) - 1, "@0.999s"},
                {MS(1000), "@1.000s"},   {MS(123456789), "@123456.789s"},
                {MS(60010), "@60.010s"}, {MS(100100), "@100.100s"}};
  for (size_t i = 0; i < TRI_ARRAY_LEN(starts); i++) {
    struct tri_gctrace t = {.num_gc = 1, .since_start_ns = starts[i].ns};
    char buf[TRI_GCTRACE_SIZE];
    tri_gctrace_format(buf, sizeof(buf), &t);
    cr_expect(strstr(buf, starts[i].text) == buf + 5, "%s", buf);
  }
}

Test(gctrace, any_numbers_fit_and_match_the_pattern) {
  static const char pattern[] =
      "^gc ([0-9]+) @([0-9]+\\.[0-9]{3})s ([0-9]+)%: ([0-9.]+)\\+([0-9.]+)\\+([0-9.]+) ms clock, "
      "([0-9.]+)\\+([0-9.]+)/([0-9.]+)/([0-9.]+)\\+([0-9.]+) ms cpu, ([0-9]+)->([0-9]+)->([0-9]+) MB, ([0-9]+) MB "
      "goal, "
      "([0-9]+) MB stacks, ([0-9]+) MB globals, ([0-9]+) P( \\(forced\\))?\n$";
  regex_t re;
  cr_assert_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
  const uint64_t m = UINT64_MAX;
  struct tri_gctrace all = {UINT32_MAX, m, 100, {m, m, m}, {m, m, m, m, m}, m, m, m, m, m, m, UINT32_MAX, true};
  char buf[TRI_GCTRACE_SIZE];
  size_t n = tri_gctrace_format(buf, sizeof(buf), &all);
  cr_assert_eq(buf[n - 1], '\n');
  cr_assert_eq(regexec(&re, buf, 0, NULL, 0), 0, "%s", buf);
  struct tri_gctrace zero = {0};
  tri_gctrace_format(buf, sizeof(buf), &zero);
  cr_assert_eq(regexec(&re, buf, 0, NULL, 0), 0, "%s", buf);
  regfree(&re);
}

Test(gctrace, small_buffer_is_respected) {
  char buf[16];
  memset(buf, 'Z', sizeof(buf));
  cr_assert_eq(tri_gctrace_format(buf, 8, &captured[0].in), 7);
  cr_assert_str_eq(buf, "gc 3 @0");
  cr_assert_eq(buf[8], 'Z');
}
