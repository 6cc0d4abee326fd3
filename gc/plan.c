/*
 * The plan of the next cycle. Takes what gc/cycle.c measured, asks pacer/ for goal and trigger, publishes both in
 * tri_state, where allocation looks at them (gc/collector.c).
 *
 * A cycle that stops the world begins when the heap reaches its goal. One that marks beside the program begins earlier,
 * so that it ends there: by the bytes that the program allocated for each byte marked in the last cycles. Where it is
 * late all the same, the rest is marked in the stopped world (gc/beside.c).
 *
 * With a memory limit the goal is the lesser of two. The one by the limit depends on what else takes memory (free runs,
 * the rest of spans, tables, off-heap memory), so it is made anew as the program allocates, as in Go. There objects
 * that are dead and not swept yet count as heap.
 *
 * Live bytes near the limit, or above it, would mean one cycle after the other. While the CPU limiter's bucket is full,
 * the collector rests after each cycle for as long as that took: the goal is that by percent alone, and the heap may
 * pass the limit. (Go leaves assists out; a stopped world cannot be left out, so whole cycles wait.) Threads that
 * allocate are held up for moments above the goal by the limit, so that a program which only allocates too fast stays
 * within it or near it; where nearly all is live, less so beyond the limit.
 *
 * The heap is also told what of it may stay resident (alloc/mheap.c): under a limit, so much as the rest leaves.
 *
 * Locks: plan_lock, before the heap's and after the cycle's and the registry's, guards `plan`. Goal and trigger are
 * stored under it; whoever reads them reads words.
 */
#include "gc/plan.h"

#include "alloc/mcentral.h"
#include "alloc/mheap.h"
#include "gc/beside.h"
#include "gc/limit.h"
#include "gc/memory.h"
#include "gc/procs.h"
#include "gc/roots.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/state.h"
#include "pacer/arith.h"
#include "pacer/cpu_limit.h"
#include "pacer/goal.h"
#include "pacer/trigger.h"

/* 32 MiB in a second, for each thread, and 256 MiB: little is lost by a program that does something with its memory. */
enum { FOLLOW_NS = 100 * 1000 };
enum { HOLD_UP_NS = 2 * 1000 * 1000, HOLD_UP_BEYOND_NS = 250 * 1000 };

static struct tri_lock plan_lock = TRI_LOCK_INIT(TRI_RANK_CENTRAL);
static struct {
  const struct tri_config *config; /* NULL: no plan yet */
  struct tri_goal_input by_percent;
  uint64_t runway; /* 0: the trigger is the goal */
  bool is_beside;
  uint64_t scanned_bytes;
  uint64_t ballast;
  uint64_t unswept_dead; /* found dead when marking ended; 0 once all is swept */
  uint64_t rest_until;   /* the limit is not heeded before this time; 0: it is */
} plan;
static tri_aint by_limit;
static tri_aword followed_ns;         /* when the goal by limit was last brought up to date by an allocating thread */
static tri_aint limiter_on;           /* on account of the memory limit */
static tri_aword soft_goal, soft_end; /* while resting: the goal by the limit, and the limit's place; else 0 */

static bool frees_honoured;
static struct tri_cons_mark cons_mark; /* holder of the cycle lock, as the next three */
static struct tri_cpu_limit cpu_limit;
static bool told_limited;
static tri_aword last_limited;

void tri_plan_init(bool frees) {
  frees_honoured = frees;
  tri_cpu_limit_init(&cpu_limit, (int64_t)tri_now_ns(), (int)tri_procs());
}

/* What of the dead objects still counts as heap. */
static uint64_t unswept_dead(void) {
  if (plan.unswept_dead == 0) return 0;
  if (tri_mcentral_all_swept()) return plan.unswept_dead = 0;
  return tri_sub_sat(plan.unswept_dead, tri_mcentral_swept_dead_bytes());
}

static bool rests(void) {
  if (plan.rest_until == 0) return false;
  if (tri_now_ns() >= plan.rest_until) plan.rest_until = 0;
  return plan.rest_until != 0;
}

static uint64_t limit_goal(const struct tri_memory_use *use) {
  struct tri_memory m = {.limit = tri_limit_bytes(),
                         .mapped_ready = use->mapped,
                         .heap_free = use->free,
                         .heap_alloc = use->objects + unswept_dead(),
                         .ballast = plan.ballast};
  return tri_goal_limit(&m, plan.by_percent.heap_marked);
}

/* What the goal by the limit leaves below the limit. */
static uint64_t headroom_of(uint64_t limited) {
  return tri_max_u64(limited / 100 * TRI_LIMIT_HEADROOM_PERCENT, TRI_LIMIT_HEADROOM_MIN);
}

/* Where live data leave next to nothing of the limit, waiting for a collection gains nothing beyond it. */
static uint64_t held_up_below(uint64_t limited) {
  bool mostly_live = plan.by_percent.heap_marked > limited / 16 * 15;
  return mostly_live ? limited + headroom_of(limited) : UINT64_MAX;
}

static void tell_heap(const struct tri_memory_use *use, bool has_limit, bool resting) {
  uint64_t beside_heap = use->meta + use->stacks + use->offheap;
  tri_mheap_set_most_retained(has_limit ? tri_sub_sat(tri_limit_bytes(), beside_heap) : SIZE_MAX, !resting);
}

/* The lesser of the two goals, or while the collector rests that by percent. */
static uint64_t goal_now(void) {
  struct tri_memory_use use = {0};
  uint64_t goal = tri_goal_percent(&plan.by_percent), limited = UINT64_MAX;
  bool has_limit = tri_limit_bytes() != TRI_NO_LIMIT, resting = has_limit && rests();
  if (has_limit) {
    tri_memory_read(&use, plan.ballast);
    limited = limit_goal(&use);
  }
  tell_heap(&use, has_limit, resting);
  tri_store_rlx(&soft_end, resting ? held_up_below(limited) : 0);
  tri_store_rlx(&soft_goal, resting ? limited : 0);
  tri_int_store_rlx(&by_limit, !resting && limited < goal);
  return resting ? goal : tri_min_u64(goal, limited);
}

static uint64_t trigger_beside(uint64_t goal) {
  struct tri_trigger_input in = {
      .heap_marked = plan.by_percent.heap_marked, .goal = goal, .runway = plan.runway, .min_num = TRI_TRIGGER_MIN_NUM};
  if (!tri_beside_is_hybrid()) {
    in.min_num = TRI_TRIGGER_MIN_NUM_PAGE;
    in.max_num = tri_plan_is_by_limit() ? TRI_TRIGGER_MAX_NUM_LIMIT : 0;
  }
  return tri_trigger(&in);
}

/* Called with the lock held. */
static void store_plan(void) {
  uint64_t goal = goal_now();
  tri_store_rel(&tri_state.goal, goal);
  tri_store_rel(&tri_state.trigger, plan.is_beside ? trigger_beside(goal) : goal);
}

static void take_settings(const struct tri_config *config) {
  plan.config = config;
  plan.by_percent.gc_percent = config->gc_percent;
  plan.ballast = config->ballast_bytes;
  plan.is_beside = tri_beside_is_next(config);
  plan.runway = tri_runway(cons_mark.estimate, plan.scanned_bytes);
}

void tri_plan_publish(const struct tri_config *config, const struct tri_plan_input *in) {
  tri_lock_acquire(&plan_lock);
  plan.by_percent = (struct tri_goal_input){.heap_marked = in->heap_marked,
                                            .stack_bytes = tri_roots_stack_bytes(),
                                            .globals_bytes = tri_roots_globals_bytes(),
                                            .heap_minimum = TRI_HEAP_MINIMUM,
                                            .heap_reclaimed = in->heap_reclaimed,
                                            .frees_honoured = frees_honoured};
  plan.scanned_bytes = in->scanned_bytes;
  plan.unswept_dead = in->heap_reclaimed == UINT64_MAX ? 0 : in->heap_reclaimed;
  take_settings(config);
  store_plan();
  tri_lock_release(&plan_lock);
}

void tri_plan_renew(const struct tri_config *config, int64_t added) {
  tri_lock_acquire(&plan_lock);
  plan.by_percent.heap_marked += (uint64_t)added;
  take_settings(config);
  store_plan();
  tri_lock_release(&plan_lock);
}

/* Often asked, in small steps, while threads assist. */
static bool is_time_to_follow(void) {
  uint64_t now = tri_now_ns(), last = tri_load_rlx(&followed_ns);
  return now - last >= FOLLOW_NS && tri_cas_acq_rel(&followed_ns, last, now);
}

void tri_plan_follow(void) {
  if (tri_limit_bytes() == TRI_NO_LIMIT || !is_time_to_follow() || !tri_lock_try(&plan_lock)) return;
  if (plan.config) store_plan();
  tri_lock_release(&plan_lock);
}

bool tri_plan_is_limited(void) {
  return tri_int_load_rlx(&limiter_on) != 0;
}

bool tri_plan_is_by_limit(void) {
  return tri_int_load_rlx(&by_limit) != 0;
}

uint64_t tri_plan_hold_up_ns(uint64_t heap_live) {
  uint64_t from = tri_load_rlx(&soft_goal), to = tri_load_rlx(&soft_end);
  if (from == 0 || (int64_t)heap_live <= 0 || heap_live <= from) return 0;
  return heap_live < to ? HOLD_UP_NS : HOLD_UP_BEYOND_NS;
}

void tri_plan_read(struct tri_goal_input *ret) {
  tri_lock_acquire(&plan_lock);
  *ret = plan.by_percent;
  tri_lock_release(&plan_lock);
}

void tri_plan_learn(const struct tri_plan_marking *marking) {
  uint64_t procs = tri_procs(), quarter = marking->duration_ns * procs / 4; /* what the pacer reckons with */
  struct tri_mark_measure m = {.triggered = marking->live_before,
                               .heap_live = marking->live_after,
                               .scan_work = marking->scanned_bytes,
                               .duration_ns = (int64_t)marking->duration_ns,
                               .assist_ns = (int64_t)marking->assist_cpu_ns,
                               .idle_mark_ns = (int64_t)tri_sub_sat(marking->marker_cpu_ns, quarter),
                               .held_up_ns = (int64_t)marking->held_up_ns,
                               .procs = (int)procs,
                               .frees_honoured = frees_honoured};
  tri_cons_mark_add(&cons_mark, &m);
}

double tri_plan_cons_mark(void) {
  return cons_mark.estimate;
}

static void tell_limited(void) {
  if (told_limited) return;
  told_limited = true;
  struct tri_memory_use use;
  tri_memory_read(&use, plan.ballast);
  tri_warn(
      "the memory limit of %llu MiB cannot be kept: %llu MiB are in use, %llu MiB of them live at the last collection; "
      "collecting is held to half of the CPU time, and memory may pass the limit (said once)",
      (unsigned long long)(tri_limit_bytes() >> 20), (unsigned long long)(use.mapped >> 20),
      (unsigned long long)(tri_sub_sat(plan.by_percent.heap_marked, plan.ballast) >> 20));
}

/* What it has been since the last cycle may have changed: the bucket drains, limits are lifted. */
void tri_plan_cycle_begins(uint64_t now) {
  tri_cpu_limit_update(&cpu_limit, (int64_t)now, 0, 0);
  bool has_limit = tri_limit_bytes() != TRI_NO_LIMIT;
  tri_int_store_rlx(&limiter_on, tri_plan_is_limited() && cpu_limit.limiting && has_limit);
}

void tri_plan_cycle_took(const struct tri_cycle_times *t, uint64_t num_gc) {
  bool was_by_limit = tri_plan_is_by_limit() || tri_plan_is_limited();
  uint64_t procs = tri_procs(), quarter = (t->mark_done - t->mark) / 4;
  uint64_t assists = tri_min_u64(t->assist_cpu_ns, quarter * 3 * procs);
  if ((int)procs != cpu_limit.procs) tri_cpu_limit_set_procs(&cpu_limit, (int64_t)t->start, (int)procs);
  tri_cpu_limit_stop_begin(&cpu_limit, (int64_t)t->start, 0, 0);
  if (t->is_beside) {
    tri_cpu_limit_stop_end(&cpu_limit, (int64_t)t->mark, true);
    tri_cpu_limit_stop_begin(&cpu_limit, (int64_t)t->mark_done, (int64_t)assists, 0);
  }
  tri_cpu_limit_stop_end(&cpu_limit, (int64_t)t->end, false);
  tri_int_store_rlx(&limiter_on, was_by_limit && cpu_limit.limiting);
  if (!tri_plan_is_limited()) return;
  uint64_t stopped = t->end - t->start - (t->is_beside ? quarter * 3 - assists / procs : 0);
  tri_lock_acquire(&plan_lock);
  plan.rest_until = t->end + (uint64_t)tri_cpu_limit_rest_ns(&cpu_limit, (int64_t)stopped);
  tri_lock_release(&plan_lock);
  tri_store_rel(&last_limited, num_gc);
  tell_limited();
}

uint64_t tri_plan_last_limited(void) {
  return tri_load_acq(&last_limited);
}

void tri_plan_lock_for_fork(void) {
  tri_lock_acquire_unranked(&plan_lock);
}

void tri_plan_unlock_for_fork(void) {
  tri_lock_release_unranked(&plan_lock);
}
