/* Statistics with Go's names, for those who are inside the runtime already. */
#ifndef TRI_GC_STATS_H
#define TRI_GC_STATS_H

#include "tricolor/stats_page.h"

/* What tri_read_mem_stats and tri_read_metrics would tell, all of one moment; mem->size is left alone. The entries
 * of `metrics` come in the order of tri_metric_name; their names are left alone, too. Inside the runtime, or by the
 * holder of the cycle lock. */
void tri_stats_read_all(struct tri_mem_stats *mem, struct tri_stats_page_metric metrics[TRI_STATS_PAGE_METRICS]);

#endif
