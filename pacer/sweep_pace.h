/* Proportional sweeping: pages to sweep for each byte allocated, so that sweeping ends before the next cycle. */
#ifndef TRI_PACER_SWEEP_PACE_H
#define TRI_PACER_SWEEP_PACE_H

#include "internal/base.h"

#define TRI_SWEEP_MARGIN ((uint64_t)1 << 20)

struct tri_sweep_input {
  uint64_t heap_live;
  uint64_t trigger;
  uint64_t pages_in_use;
  uint64_t pages_swept; /* since the cycle ended */
  bool sweep_done;
};

struct tri_sweep_pace {
  double pages_per_byte; /* 0: nothing to do */
  uint64_t heap_live_basis;
  uint64_t pages_swept_basis;
};

struct tri_sweep_pace tri_sweep_pace(const struct tri_sweep_input *in);

/* The pages that must be swept before span_bytes are taken. pages_credit: the caller sweeps these anyway. */
uint64_t tri_sweep_debt(const struct tri_sweep_pace *pace, uint64_t heap_live, uint64_t span_bytes,
                        uint64_t pages_swept, uint64_t pages_credit);

/* The least trigger of a cycle while sweeping goes on; 0 when it is done. */
uint64_t tri_sweep_min_trigger(uint64_t heap_live, bool sweep_done);

#endif
