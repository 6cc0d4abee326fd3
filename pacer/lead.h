/* How far allocation is ahead of marking, for threads that assist or wait in steps. */
#ifndef TRI_PACER_LEAD_H
#define TRI_PACER_LEAD_H

#include "internal/base.h"

#define TRI_LEAD_SLACK ((uint64_t)1 << 20)
#define TRI_LEAD_SLACK_BY_LIMIT ((uint64_t)256 << 10)
#define TRI_LEAD_STEP_MIN ((uint64_t)32 << 10)
/* Beyond NEAR waits who finds nothing to assist in (with the hybrid barrier only near a memory limit); beyond FAR
 * everybody waits, or assists for much longer. */
enum { TRI_LEAD_NEAR = 4, TRI_LEAD_FAR = 64 };

struct tri_lead_input {
  uint64_t triggered; /* live bytes when the cycle began */
  uint64_t heap_live;
  uint64_t heap_goal;
  uint64_t work_done;
  uint64_t work_expected; /* 0: unknown, taken for all that was live */
  bool by_limit;          /* the goal comes from a memory limit */
  bool ends_early;        /* the way ends before the goal, by what those who assist are ahead */
};

/* 0: it is not ahead. Else from 1, by little, to TRI_LEAD_FAR and one more, by as much as the whole way to the goal. */
unsigned tri_lead(const struct tri_lead_input *in);

#endif
