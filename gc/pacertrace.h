/* Go's gcpacertrace lines. Pure: numbers in, text out; each with its newline, terminated; returns its length. */
#ifndef TRI_GC_PACERTRACE_H
#define TRI_GC_PACERTRACE_H

#include "internal/base.h"

#define TRI_PACERTRACE_SIZE 512 /* enough for any numbers */

struct tri_pacertrace_start {
  double assist_ratio; /* bytes to scan for each byte allocated */
  uint64_t scan_bytes, heap_live, heap_goal;
  int dedicated;
  double fractional;
};
size_t tri_pacertrace_start(char *buf, size_t size, const struct tri_pacertrace_start *t);

struct tri_pacertrace_end {
  double utilization; /* share of all CPUs that marking took */
  uint64_t heap_work, stack_work, globals_work, expected_work;
  uint64_t triggered, heap_live, heap_goal;
  double cons_mark; /* that the cycle was planned with */
};
size_t tri_pacertrace_end(char *buf, size_t size, const struct tri_pacertrace_end *t);

struct tri_pacertrace_sweep {
  uint64_t heap_live, allocated, pages; /* allocated: since marking ended */
  double pages_per_byte;
};
size_t tri_pacertrace_sweep(char *buf, size_t size, const struct tri_pacertrace_sweep *t);

#endif
