/* All settings of a process, read once from its environment. */
#ifndef TRI_GC_CONFIG_H
#define TRI_GC_CONFIG_H

#include "barrier/choose.h"
#include "internal/base.h"

enum tri_free_mode {
  TRI_FREE_NOW,    /* free() frees */
  TRI_FREE_IGNORE, /* free() does nothing; the collector alone reclaims */
};

/* When stacks are scanned by the hybrid barrier, see gc/scanstack.c. */
enum tri_stacks_setting { TRI_SET_STACKS_SNAPSHOT, TRI_SET_STACKS_TOGETHER, TRI_SET_STACKS_RAGGED };

#define TRI_CONFIG_PATH_SIZE 512

struct tri_config {
  int gc_percent; /* GOGC; -1: off */
  size_t ballast_bytes;
  bool collect;
  enum tri_free_mode free_mode;
  uint64_t memory_limit; /* GOMEMLIMIT; UINT64_MAX: none */
  bool limit_is_auto;    /* of the cgroup, re-read while running */
  int gctrace, gcpacertrace, scavtrace, gcstoptheworld, gccheckmark, clobberfree, madvdontneed,
      disablethp;     /* GODEBUG */
  int period_seconds; /* a cycle after so long without one; 0: never */
  int signal;         /* that stops threads; 0: choose */
  bool stats_page;    /* figures for other processes */
  bool strangers;     /* threads that nobody told of are looked for */
  bool strict;
  size_t stress_bytes; /* collect each time so many bytes were allocated; 0: off */
  enum tri_barrier_request barrier;
  enum tri_stacks_setting stacks;
  char log_path[TRI_CONFIG_PATH_SIZE];    /* empty: stderr */
  char cgroup_root[TRI_CONFIG_PATH_SIZE]; /* put before the names of cgroup files, for tests */
};

void tri_config_init_defaults(struct tri_config *c);
/* Reads GOGC, GOMEMLIMIT, GODEBUG, TRICOLOR and TRICOLOR_BALLAST from a NULL-terminated list of "NAME=value" (which
 * may itself be NULL). Each bad setting is one line on stderr, and the default holds; with strict=1 the first bad
 * setting ends the process with status 2. */
void tri_config_parse(struct tri_config *c, char *const *environ_list);

#endif
