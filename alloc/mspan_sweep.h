/* Sweeping one span: marked slots stay, the others become free. */
#ifndef TRI_ALLOC_MSPAN_SWEEP_H
#define TRI_ALLOC_MSPAN_SWEEP_H

#include "alloc/mspan.h"

struct tri_sweep_result {
  uint32_t live;  /* slots in use after the sweep */
  uint32_t freed; /* slots that the collector reclaimed */
};

/* The caller holds the span alone: it took it from the unswept list and set sweepgen to h - 1. Clears the marks, drops
 * the former owner, leaves sweepgen to the caller. */
struct tri_sweep_result tri_mspan_sweep(struct tri_mspan *s);

#endif
