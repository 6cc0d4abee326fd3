/* Whether marking beside the program pays in a cycle. Pure. */
#ifndef TRI_BARRIER_POLICY_H
#define TRI_BARRIER_POLICY_H

#include "internal/base.h"

/* Stops shorter than this are left as they are. */
#define TRI_SHORT_STOP_NS ((uint64_t)1000 * 1000)
#define TRI_PAGE_MAX_BACKOFF 64

/* What is kept from cycle to cycle. All zero at first. */
struct tri_page_policy {
  uint64_t stopped_mark_ns; /* what marking would take with the world stopped, as last measured */
  unsigned skip;            /* so many cycles are not even tried */
  unsigned backoff;
};

/* Asked once for each cycle. */
bool tri_page_policy_try(struct tri_page_policy *p);
bool tri_page_policy_would_try(const struct tri_page_policy *p); /* what the next question will be answered */
/* After a cycle that marked in the stopped world. */
void tri_page_policy_stopped(struct tri_page_policy *p, uint64_t mark_ns);
/* After a cycle that marked beside the program: CPU time of all marking, the number of markers that a stopped world
 * has, and how long the world was stopped at last. */
void tri_page_policy_beside(struct tri_page_policy *p, uint64_t mark_cpu_ns, unsigned markers, uint64_t stop_ns);

#endif
