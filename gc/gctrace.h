/* Go's gctrace line. Pure: numbers in, text out. */
#ifndef TRI_GC_GCTRACE_H
#define TRI_GC_GCTRACE_H

#include "internal/base.h"

#define TRI_GCTRACE_SIZE 512 /* enough for any numbers */

struct tri_gctrace {
  uint32_t num_gc;         /* this cycle's number, from 1 */
  uint64_t since_start_ns; /* from the start of the runtime to the start of the cycle */
  int percent;             /* of CPU time spent collecting since the start, idle marking left out */
  uint64_t clock_ns[3];    /* first stop, marking, second stop */
  uint64_t cpu_ns[5];      /* first stop, assists, background, idle, second stop */
  uint64_t heap_start, heap_end, heap_marked, goal;
  uint64_t stack_bytes, globals_bytes;
  uint32_t procs;
  bool forced; /* by tri_gc */
};

/* Writes the line with its newline, terminated. Returns its length without the terminator. */
size_t tri_gctrace_format(char *buf, size_t size, const struct tri_gctrace *t);

#endif
