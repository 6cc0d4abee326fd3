/* Go's pacer lines, whole. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/pacertrace.h"

static char line[TRI_PACERTRACE_SIZE];

Test(pacertrace, start) {
  struct tri_pacertrace_start t = {.assist_ratio = 0.8208750849184783,
                                   .scan_bytes = 31 << 20,
                                   .heap_live = (31 << 20) + 5,
                                   .heap_goal = (38 << 20) - 1,
                                   .dedicated = 0,
                                   .fractional = 0.25};
  size_t n = tri_pacertrace_start(line, sizeof line, &t);
  cr_assert_str_eq(line, "pacer: assist ratio=0.8208751 (scan 31 MB in 31->37 MB) workers=0+0.25\n");
  cr_assert_eq(n, strlen(line));
}

Test(pacertrace, end) {
  struct tri_pacertrace_end t = {.utilization = 0.3199,
                                 .heap_work = 20000000,
                                 .stack_work = 4096,
                                 .globals_work = 131072,
                                 .expected_work = 19000000,
                                 .triggered = 32000000,
                                 .heap_live = 38000000,
                                 .heap_goal = 39000000,
                                 .cons_mark = 0};
  tri_pacertrace_end(line, sizeof line, &t);
  cr_assert_str_eq(line,
                   "pacer: 31% CPU (25 exp.) for 20000000+4096+131072 B work (19000000 B exp.) in 32000000 B -> "
                   "38000000 B (\u2206goal -1000000, cons/mark 0)\n");
}

Test(pacertrace, sweep) {
  struct tri_pacertrace_sweep t = {
      .heap_live = 20 << 20, .allocated = 1 << 20, .pages = 2560, .pages_per_byte = 0.000123456789};
  tri_pacertrace_sweep(line, sizeof line, &t);
  cr_assert_str_eq(line,
                   "pacer: sweep done at heap size 20MB; allocated 1MB during sweep; swept 2560 pages at 0.0001234568 "
                   "pages/byte\n");
}

/* Every float reads back, but for the seventh digit. */
Test(pacertrace, floats_read_back) {
  static const double values[] = {0,     1,         10,       0.1,      100,   1234567, 12345678, 0.5,
                                  1.5,   1e-4,      1.25e-4,  9.9e-5,   1e-10, 3.25e20, 1e21,     2.5e30,
                                  1e-30, 999999.95, 0.999999, 99999999, 1e300, 7.25};
  for (size_t i = 0; i < TRI_ARRAY_LEN(values); i++) {
    struct tri_pacertrace_start t = {.assist_ratio = values[i]};
    double read = -1;
    tri_pacertrace_start(line, sizeof line, &t);
    cr_assert_eq(sscanf(line, "pacer: assist ratio=%lf (scan", &read), 1, "%s", line);
    double error = read > values[i] ? read - values[i] : values[i] - read;
    cr_expect(error <= values[i] * 1e-6, "%.10g is written %s", values[i], line);
  }
}
