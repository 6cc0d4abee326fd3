/*
 * The shared page in which a running program publishes its statistics: what `tricolor stats PID` reads, for other
 * monitors to read as well. It is there from the end of the program's first collection on, unless TRICOLOR=stats=off.
 *
 * It is found as the target of one of the links in /proc/PID/fd, "/memfd:" TRI_STATS_PAGE_NAME " (deleted)", and mapped
 * read-only. It is sealed against shrinking, which the reader should check before it maps. A page whose magic, version
 * or size are others is not this struct. `pid` tells a process's own page from one that a child has inherited.
 *
 * Reading: load `sequence` (acquire); if it is odd or 0, wait a little and begin anew; copy what is wanted; after an
 * acquire fence load `sequence` again, and begin anew if it has changed.
 */
#ifndef TRICOLOR_STATS_PAGE_H
#define TRICOLOR_STATS_PAGE_H

#include "tricolor/tricolor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRI_STATS_PAGE_NAME "tricolor-stats"
#define TRI_STATS_PAGE_MAGIC "tristats" /* without its final zero */
#define TRI_STATS_PAGE_VERSION 1
#define TRI_STATS_PAGE_METRICS 32

/* As struct tri_metric, with the name in place. */
struct tri_stats_page_metric {
  char name[56]; /* zero-terminated; empty: no more metrics */
  enum tri_metric_kind kind;
  union {
    unsigned long count;
    double number; /* seconds */
  } value;
};

struct tri_stats_page {
  /* Constant. */
  char magic[8];
  unsigned int version;
  unsigned int size; /* sizeof(struct tri_stats_page) */
  unsigned long pid; /* as the program itself sees it */
  /* Changing. */
  unsigned long sequence;   /* odd while the rest is being written; 0: nothing is written yet */
  unsigned long written_ns; /* when, by CLOCK_MONOTONIC */
  struct tri_mem_stats mem; /* as tri_read_mem_stats would have filled it in */
  struct tri_stats_page_metric metrics[TRI_STATS_PAGE_METRICS]; /* of the same moment */
};

#ifdef __cplusplus
}
#endif

#endif
