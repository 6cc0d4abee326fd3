/* Whether marking beside the program pays in a cycle. Pure. */
#ifndef TRI_BARRIER_POLICY_H
#define TRI_BARRIER_POLICY_H

#include "internal/base.h"

/* Stops shorter than this are left as they are. */
#define TRI_SHORT_STOP_NS ((uint64_t)1000 * 1000)
#define TRI_PAGE_MAX_BACKOFF 64
/* The program's first write to a tracked page: 1 us and less with one thread running, 10 where other CPUs must be told
 * and the machine is a virtual one. */
#define TRI_PAGE_FAULT_NS ((uint64_t)4 * 1000)

/* What is kept from cycle to cycle. All zero at first. */
struct tri_page_policy {
  uint64_t stopped_mark_ns; /* what marking would take with the world stopped, as last measured */
  unsigned skip;            /* so many cycles are not even tried */
  unsigned backoff;
};

struct tri_page_outcome {
  uint64_t mark_cpu_ns;   /* CPU time of all marking */
  unsigned markers;       /* that a stopped world has */
  uint64_t stop_ns;       /* the last stop */
  uint64_t written_pages; /* found written to, in all rounds together */
};

/* Asked once for each cycle. */
bool tri_page_policy_try(struct tri_page_policy *p);
bool tri_page_policy_would_try(const struct tri_page_policy *p); /* what the next question will be answered */
/* After a cycle that marked in the stopped world. */
void tri_page_policy_stopped(struct tri_page_policy *p, uint64_t mark_ns);
/* After a cycle that marked beside the program. */
void tri_page_policy_beside(struct tri_page_policy *p, const struct tri_page_outcome *outcome);

#endif
