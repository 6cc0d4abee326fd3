/*
 * tri_read_gc_stats: the pauses of the last collections, from the history that each cycle adds to (gc/history.c), in
 * the order and with the quantiles of Go's debug.ReadGCStats. The declaration in tricolor.h is the contract.
 *
 * Reads copies only; no lock.
 */
#include <string.h>

#include "gc/assist.h"
#include "gc/cycle.h"
#include "gc/history.h"
#include "gc/stats.h"
#include "tricolor/tricolor.h"

static void sort(unsigned long *values, size_t n) {
  for (size_t i = 1; i < n; i++) {
    unsigned long v = values[i];
    size_t k = i;
    for (; k > 0 && values[k - 1] > v; k--) values[k] = values[k - 1];
    values[k] = v;
  }
}

static void fill_quantiles(struct tri_gc_stats *g, size_t n) {
  unsigned long sorted[TRI_HISTORY];
  enum { QUARTERS = 4 };
  memcpy(sorted, g->Pause, n * sizeof *sorted);
  sort(sorted, n);
  for (size_t i = 0; i <= QUARTERS; i++) g->PauseQuantiles[i] = sorted[(n - 1) * i / QUARTERS];
}

static void fill(struct tri_gc_stats *g) {
  uint64_t pauses[TRI_HISTORY], ends[TRI_HISTORY];
  struct tri_cycle_stats cycles;
  static_assert(sizeof g->Pause == sizeof pauses, "GCStats keeps what the history does");
  static_assert(TRI_ARRAY_LEN(g->Assists) == TRI_ASSIST_BUCKETS, "and what is counted of assists");
  tri_cycle_read_stats(&cycles);
  g->PauseTotal = cycles.pause_total_ns;
  for (unsigned i = 0; i < TRI_ARRAY_LEN(g->Assists); i++) g->Assists[i] = tri_assist_count(i);
  g->NumGC = tri_history_read(pauses, ends);
  size_t n = g->NumGC < TRI_HISTORY ? g->NumGC : TRI_HISTORY;
  for (size_t i = 0; i < n; i++) {
    g->Pause[i] = pauses[(g->NumGC - 1 - i) % TRI_HISTORY];
    g->PauseEnd[i] = ends[(g->NumGC - 1 - i) % TRI_HISTORY];
  }
  if (n == 0) return;
  g->LastGC = g->PauseEnd[0];
  fill_quantiles(g, n);
}

int tri_read_gc_stats(struct tri_gc_stats *stats) {
  struct tri_gc_stats full;
  if (!tri_stats_begin(stats, &full, sizeof full)) return -1;
  fill(&full);
  memcpy(stats, &full, stats->size);
  return 0;
}
