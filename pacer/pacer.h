/* When to collect next: Go's arithmetic. Pure: measurements in, plan out. */
#ifndef TRI_PACER_PACER_H
#define TRI_PACER_PACER_H

#include "internal/base.h"

struct tri_pacer_input {
  uint64_t heap_marked; /* bytes marked in the last cycle, the ballast included */
  uint64_t stack_bytes; /* scanned in the last cycle */
  uint64_t globals_bytes;
  int gc_percent;          /* negative: off */
  uint64_t heap_reclaimed; /* bytes that the last cycle found dead, without what the program freed itself */
  bool frees_honoured;     /* free() frees: heap_live falls with it */
};

struct tri_pacer_plan {
  uint64_t heap_goal; /* the heap may grow to here; UINT64_MAX: no limit */
  uint64_t trigger;   /* the next cycle starts here */
};

struct tri_pacer_plan tri_pacer_plan(const struct tri_pacer_input *in);

#endif
