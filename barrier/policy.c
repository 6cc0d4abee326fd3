/*
 * When the page barrier is worth its price. A cycle with it costs two stops, and the program a fault at its first
 * write to each page. It buys a stop that is short when few pages were written to.
 *
 *   - A cycle whose marking takes less than a millisecond is done in one stop.
 *   - It has failed when the last stop took more than half of what marking everything in it would have taken; when the
 *     program allocated so fast that it had to wait for the markers half of the time (the stop then counts as endless);
 *     when the faults took the program more CPU time than marking took: a stop would have cost it less.
 *   - After a failure the next cycle is not tried, after the next one two are not, and so on to 64: programs that write
 *     all over their heap pay a hundredth for being asked now and then whether they still do.
 *
 * Pure: no clock, no global.
 */
#include "barrier/policy.h"

bool tri_page_policy_would_try(const struct tri_page_policy *p) {
  return p->stopped_mark_ns >= TRI_SHORT_STOP_NS && p->skip == 0;
}

bool tri_page_policy_try(struct tri_page_policy *p) {
  if (p->stopped_mark_ns < TRI_SHORT_STOP_NS) return false;
  if (p->skip == 0) return true;
  p->skip--;
  return false;
}

void tri_page_policy_stopped(struct tri_page_policy *p, uint64_t mark_ns) {
  p->stopped_mark_ns = mark_ns;
}

static bool paid(const struct tri_page_outcome *o, uint64_t stopped_mark_ns) {
  return o->stop_ns <= stopped_mark_ns / 2 && o->written_pages <= o->mark_cpu_ns / TRI_PAGE_FAULT_NS;
}

void tri_page_policy_beside(struct tri_page_policy *p, const struct tri_page_outcome *outcome) {
  p->stopped_mark_ns = outcome->mark_cpu_ns / (outcome->markers ? outcome->markers : 1);
  if (paid(outcome, p->stopped_mark_ns)) {
    p->backoff = 0;
    return;
  }
  p->backoff = p->backoff == 0 ? 1 : (unsigned)tri_min(p->backoff * 2, TRI_PAGE_MAX_BACKOFF);
  p->skip = p->backoff;
}
