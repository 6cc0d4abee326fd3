/*
 * The choice of the write barrier, made once at start; the first log line of a traced run names it with the reason.
 *
 * gcstoptheworld overrides everything, then the explicit request, then what the program is decides: a program with its
 * malloc replaced has no tri_write calls, so its stores are seen by the page barrier or not at all; an API program
 * uses the hybrid barrier. What is not available falls back to stopping the world, which is always right.
 * Pure: probing the kernel is the caller's business.
 */
#include "barrier/choose.h"

struct tri_barrier_choice tri_barrier_choose(const struct tri_barrier_input *in) {
  if (in->gcstoptheworld > 0)
    return (struct tri_barrier_choice){TRI_BARRIER_KIND_STW, "GODEBUG asks for gcstoptheworld"};
  if (in->request == TRI_BARRIER_STW)
    return (struct tri_barrier_choice){TRI_BARRIER_KIND_STW, "TRICOLOR asks for barrier=stw"};
  if (in->malloc_replaced) {
    if (in->request == TRI_BARRIER_HYBRID && in->page_available)
      return (struct tri_barrier_choice){TRI_BARRIER_KIND_PAGE, "malloc is replaced, so barrier=hybrid cannot be had"};
    if (in->page_available) return (struct tri_barrier_choice){TRI_BARRIER_KIND_PAGE, "malloc is replaced"};
    return (struct tri_barrier_choice){TRI_BARRIER_KIND_STW, "malloc is replaced and there is no page barrier"};
  }
  if (in->request == TRI_BARRIER_PAGE && in->hybrid_available)
    return (struct tri_barrier_choice){TRI_BARRIER_KIND_HYBRID,
                                       "barrier=page is for programs whose malloc is replaced"};
  if (in->hybrid_available) return (struct tri_barrier_choice){TRI_BARRIER_KIND_HYBRID, "the program uses the API"};
  return (struct tri_barrier_choice){TRI_BARRIER_KIND_STW, "the program uses the API and there is no hybrid barrier"};
}

const char *tri_barrier_name(enum tri_barrier_kind kind) {
  switch (kind) {
    case TRI_BARRIER_KIND_PAGE:
      return "page";
    case TRI_BARRIER_KIND_HYBRID:
      return "hybrid";
    default:
      return "stw";
  }
}
