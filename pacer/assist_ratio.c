/*
 * Mark assists. While a cycle marks, each byte allocated obliges its thread to scan work_per_byte bytes, so that
 * marking is through when the heap reaches its goal.
 *
 *   ratio = max(expected - done, 1000) / max(goal - live, 1)
 *   more work than expected   everything may be live: expected = all that can be scanned; the goal moves out in the
 *                             same measure, up to (1 + GOGC/100) times, so that the ratio stays as it was
 *   over the goal already     10% further, and everything may be live
 *
 * Where free() is honoured, net growth is charged. heap_live falls with frees too and the ratio with it, so what a
 * thread has in its favour from frees is kept up to 64 KiB only: more would be granted twice.
 * [ASSIST-1] both ratios are positive and finite. Credit pools and queues are the caller's, who holds their locks.
 * Pure: no lock, no clock, no global.
 */
#include "pacer/assist_ratio.h"

#include "pacer/arith.h"

/* The goal of a heap that grows beyond what was expected. */
static uint64_t extended_goal(const struct tri_assist_input *in) {
  double percent = in->gc_percent < 0 ? TRI_ASSIST_OFF_PERCENT : in->gc_percent;
  uint64_t hard = tri_u64_of((1 + percent / 100) * (double)in->heap_goal);
  if (in->work_expected == 0 || in->heap_goal <= in->triggered) return in->work_expected == 0 ? hard : in->heap_goal;
  double runway = (double)(in->heap_goal - in->triggered);
  double grown = runway / (double)in->work_expected * (double)in->work_max;
  return tri_min_u64(tri_add_sat(tri_u64_of(grown), in->triggered), hard);
}

struct tri_assist_ratio tri_assist_ratio(const struct tri_assist_input *in) {
  uint64_t goal = in->heap_goal;
  uint64_t expected = in->work_expected;
  if (in->work_done > in->work_expected) {
    goal = extended_goal(in);
    expected = in->work_max;
  }
  if (in->heap_live > goal) {
    goal = tri_u64_of((double)goal * TRI_ASSIST_OVERSHOOT);
    expected = in->work_max;
  }
  double remaining = (double)tri_max_u64(tri_sub_sat(expected, in->work_done), TRI_ASSIST_REMAINING_MIN);
  double distance = (double)tri_max_u64(tri_sub_sat(goal, in->heap_live), 1);
  return (struct tri_assist_ratio){.work_per_byte = remaining / distance, .bytes_per_work = distance / remaining};
}

struct tri_assist_need tri_assist_need(const struct tri_assist_ratio *ratio, int64_t balance) {
  if (balance >= 0) return (struct tri_assist_need){0, 0};
  int64_t bytes = balance == INT64_MIN ? INT64_MAX : -balance;
  int64_t work = tri_i64_of(ratio->work_per_byte * (double)bytes);
  if (work >= TRI_ASSIST_WORK_MIN) return (struct tri_assist_need){work, bytes};
  return (struct tri_assist_need){TRI_ASSIST_WORK_MIN, tri_i64_of(ratio->bytes_per_work * (double)TRI_ASSIST_WORK_MIN)};
}

int64_t tri_assist_worth(const struct tri_assist_ratio *ratio, int64_t work) {
  int64_t bytes = tri_i64_of(ratio->bytes_per_work * (double)work);
  return bytes == INT64_MAX ? bytes : bytes + 1; /* one more, so that rounding never leaves a debt behind */
}

int64_t tri_assist_charge(int64_t balance, uint64_t allocated, uint64_t freed) {
  int64_t surplus = balance > TRI_ASSIST_SURPLUS_MAX ? balance : TRI_ASSIST_SURPLUS_MAX;
  double after = (double)balance + (double)freed - (double)allocated;
  return after > (double)surplus ? surplus : tri_i64_of(after);
}

int64_t tri_assist_steal(int64_t *credit, int64_t work) {
  if (*credit <= 0 || work <= 0) return 0;
  int64_t stolen = *credit < work ? *credit : work;
  *credit -= stolen;
  return stolen;
}

bool tri_assist_pay(int64_t *balance, int64_t *worker_bytes) {
  if (*balance >= 0) return true;
  bool all = *worker_bytes >= 0 && *worker_bytes + *balance >= 0;
  int64_t paid = all ? -*balance : *worker_bytes;
  *balance += paid;
  *worker_bytes -= paid;
  return all;
}
