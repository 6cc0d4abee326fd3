/* The page in which other processes read this one's statistics; its format is tricolor/stats_page.h. */
#ifndef TRI_GC_STATS_PAGE_H
#define TRI_GC_STATS_PAGE_H

#include "internal/base.h"

/* All by the holder of the cycle lock, and none of them can fail: there may be no page. */

/* A cycle has ended: makes the page if there is none that others can find, and writes it. */
void tri_stats_page_cycle_ended(void);
/* Writes the page, if there is one. */
void tri_stats_page_write(void);
/* Before a cycle: forgets the page if this is a child that was forked past our handlers. */
void tri_stats_page_keep_own(void);
/* In the child: it has no page until its own first cycle ends. */
void tri_stats_page_after_fork(void);

/* Any thread. */
bool tri_stats_page_exists(void);

#endif
