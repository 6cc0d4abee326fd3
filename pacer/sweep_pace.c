/*
 * Proportional sweeping: pages still to sweep, divided by the bytes that may be allocated before 1 MiB short of the
 * trigger. Who takes a span first sweeps what is due for it. A leaf; planned after each cycle and when settings change.
 * Where free() is honoured heap_live may fall below the basis: then nothing is due until it is back there.
 * [SWEEP-1] at the trigger less 1 MiB the debt is what is left, all of it. Pure: no lock, no clock, no global.
 */
#include "pacer/sweep_pace.h"

#include "pacer/arith.h"

struct tri_sweep_pace tri_sweep_pace(const struct tri_sweep_input *in) {
  struct tri_sweep_pace pace = {0, in->heap_live, in->pages_swept};
  uint64_t left = tri_sub_sat(in->pages_in_use, in->pages_swept);
  if (in->sweep_done || left == 0) return pace;
  uint64_t distance = tri_sub_sat(in->trigger, tri_add_sat(in->heap_live, TRI_SWEEP_MARGIN));
  pace.pages_per_byte = (double)left / (double)tri_max_u64(distance, TRI_PAGE_SIZE);
  return pace;
}

uint64_t tri_sweep_debt(const struct tri_sweep_pace *pace, uint64_t heap_live, uint64_t span_bytes,
                        uint64_t pages_swept, uint64_t pages_credit) {
  if (pace->pages_per_byte <= 0) return 0;
  uint64_t grown = tri_sub_sat(tri_add_sat(heap_live, span_bytes), pace->heap_live_basis);
  uint64_t due = tri_u64_of(pace->pages_per_byte * (double)grown);
  return tri_sub_sat(tri_sub_sat(due, pages_credit), tri_sub_sat(pages_swept, pace->pages_swept_basis));
}

uint64_t tri_sweep_min_trigger(uint64_t heap_live, bool sweep_done) {
  return sweep_done ? 0 : tri_add_sat(heap_live, TRI_SWEEP_MARGIN);
}
