/* Statistics with Go's names, for those who are inside the runtime already. */
#ifndef TRI_GC_STATS_H
#define TRI_GC_STATS_H

#include <stdbool.h>

#include "tricolor/stats_page.h"

/* What tri_read_mem_stats and tri_read_metrics would tell, all of one moment; mem->size is left alone. The entries
 * of `metrics` come in the order of tri_metric_name; their names are left alone, too. Inside the runtime, or by the
 * holder of the cycle lock. */
void tri_stats_read_all(struct tri_mem_stats *mem, struct tri_stats_page_metric metrics[TRI_STATS_PAGE_METRICS]);

/* How each of the tri_read_ functions begins: `asked` is the caller's struct, which begins with its size, and `full`
 * one of the size that is known, which is cleared but for the size asked for. False, with errno EINVAL: no such size.
 */
bool tri_stats_begin(const void *asked, void *full, size_t known);

#endif
