/*
 * The lead of allocation over marking. While a cycle marks beside the program, live bytes may grow from where it began
 * to the goal by the share of the expected work that is done:
 *
 *   due = triggered + way * done / expected + slack       room = goal - triggered, or the slack if that is more
 *                                                         way = room; where it ends early, room / 8 and the slack
 *                                                         less, but at least half of the room
 *   lead = (heap_live - due) / (room / 64), in steps of 32 KiB at least
 *
 * The simpler of two rules (the other is assist_ratio.c): nothing is kept for each thread. Each that allocates asks,
 * and does so many small assists, or waits so long. Two forces meet where the lead is just large enough: for that the
 * way ends early, so that the heap ends at the goal and not beyond it. Threads that wait rather than assist (the page
 * barrier) keep to the way; near a memory limit it ends early for them as well, since there the cycle is cut.
 *
 * [LEAD-1] the lead grows with the heap, and falls as work is done. So while everybody who is beyond FAR marks several
 * bytes for each that it allocates, the heap stays below goal + room + slack + what is left to mark in that proportion.
 *
 * Pure: no lock, no clock, no global.
 */
#include "pacer/lead.h"

#include "pacer/arith.h"

enum { USUAL_LEAD = 8 }; /* a part of the room, measured where threads assist for a third of the time */

static uint64_t due_of(const struct tri_lead_input *in, uint64_t room, uint64_t slack) {
  uint64_t expected = in->work_expected ? in->work_expected : in->triggered;
  double share = in->work_done < expected ? (double)in->work_done / (double)expected : 1;
  uint64_t way = in->ends_early ? room - tri_min_u64(room / USUAL_LEAD + slack, room / 2) : room;
  return tri_add_sat(in->triggered, tri_add_sat(tri_u64_of((double)way * share), slack));
}

unsigned tri_lead(const struct tri_lead_input *in) {
  uint64_t slack = in->by_limit ? TRI_LEAD_SLACK_BY_LIMIT : TRI_LEAD_SLACK;
  uint64_t room = tri_max_u64(tri_sub_sat(in->heap_goal, in->triggered), slack);
  uint64_t ahead = tri_sub_sat(in->heap_live, due_of(in, room, slack));
  if (ahead == 0) return 0;
  return 1 + (unsigned)tri_min_u64(ahead / tri_max_u64(room / TRI_LEAD_FAR, TRI_LEAD_STEP_MIN), TRI_LEAD_FAR);
}
