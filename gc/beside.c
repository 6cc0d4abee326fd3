/*
 * Marking beside the running program. Called by gc/cycle.c between a cycle's two stops. What the program writes
 * meanwhile it learns from barrier/page.c, or, where the program stores through tri_write, from gc/hybrid.c;
 * gc/worker.c marks.
 *
 * Pacing is the same for both (pacer/lead.c): live bytes may grow from where the cycle began to the goal by the share
 * of the expected work that is done. Who allocates beyond that assists (gc/assist.c): the further beyond, the more, and
 * when it is as far beyond as the whole way, as much as its allocation is worth; where there is nothing to assist in,
 * it waits, at the latest then (gc/collector.c). Markers take a quarter of the CPUs where the program wants them all,
 * and more while somebody waits for them (gc/mark.c). The rest of this note is about the page barrier.
 *
 *   begin: track the heap's pages -> [stop: mark roots] -> mark: grey objects, while the program runs
 *     -> pages written to since: track again, scan the marked objects on them; again, while they become fewer; then
 *        only where most writes are
 *     -> [stop: all roots, pages written to since, to the end] -> end: untrack
 *
 * Why nothing is lost: in the last stop every root is scanned again, and every marked object on a page that was written
 * to since it was scanned. A pointer that is in neither place was in an object when that was scanned. New objects are
 * white: what points to them was written.
 *
 * Invariants:
 *   [BESIDE-1] pages are tracked before the first object is marked ([PAGE-1]).
 *   [BESIDE-2] dirty pages are listed when all markers are idle, and scanned in the next round: who marks an object
 *              in that round reads its contents after the list was made.
 *   [BESIDE-3] a round looks at words that point to below the heap's end as it was after the pages of the round were
 *              listed, or later: what points further was written later. Pages that are not tracked yet count as dirty.
 *   [BESIDE-4] while the phase is MARK no span of the heap dies or changes its size or class ([FREE-2]), and no page of
 *              the heap becomes unreadable (gc/rights.c).
 *
 * Locks: none; the runner holds the cycle lock. tri_beside_may_go_on is called by all markers and reads shared words.
 * Forbidden: reading foreign memory outside a stop.
 */
#include "gc/beside.h"

#include "alloc/mcentral.h"
#include "alloc/mheap.h"
#include "alloc/os.h"
#include "barrier/page.h"
#include "barrier/policy.h"
#include "gc/assist.h"
#include "gc/hybrid.h"
#include "gc/mark.h"
#include "gc/pages.h"
#include "gc/plan.h"
#include "gc/roots.h"
#include "gc/stop.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/lock.h"
#include "internal/race.h"
#include "internal/state.h"
#include "pacer/arith.h"
#include "pacer/lead.h"

/* So few pages are not worth another round. */
#define FEW_DIRTY_BYTES ((uint64_t)256 << 10)
/* Another round pays as long as each had less to do than this share of the one before. */
#define SHRINK 0.5
/* How far beyond its goal the heap may grow before the rest is marked in the stopped world. Threads are held up before.
 */
enum { OVERSHOOT_DIVISOR = 20, HYBRID_OVERSHOOT_DIVISOR = 2 }; /* short stops are what that barrier is for */

enum { MAX_ROUNDS = TRI_BESIDE_ROUNDS - 1 }; /* one entry is the last stop's */
/* To ask about all pages takes longer than to clean those that a program with a window writes to, and meanwhile it
 * writes on. So when the rounds gain no more, the last few ask only about where the one before found pages written,
 * parts that lie less than HOT_GAP apart as one, if that is at most one part in HOT_SHARE. */
#define HOT_GAP ((uintptr_t)2 << 20)
enum { MAX_HOT = 64, HOT_SHARE = 4, HOT_ROUNDS = 2 };
/* Large objects that the program freed while marking wait for the end of the cycle. */
#define MAX_DEFERRED_BYTES ((uint64_t)64 << 20)

enum { LARGE_SCAN = 0 }; /* span class */
enum { UNKNOWN, AVAILABLE, MISSING };
static bool hybrid;            /* the program stores through tri_write; decided once */
static bool stacks_lost;       /* of this cycle */
static enum tri_stacks stacks; /* how the first stop lists them */
static unsigned availability;  /* of the page barrier; decided once */
static struct tri_page_policy policy;
/* Places in the heap are told by their distance from its beginning: the library's variables are roots too, and the
 * address of a page would keep the object that begins there. */
static size_t tracked_bytes;
static size_t old_bytes;       /* when the cycle began: beyond them nothing was protected at first */
static uint64_t faulted_bytes; /* found written to in these */
static struct hot { size_t lo, hi; } hot[MAX_HOT]; /* ascending; of the last listing of all pages */
static unsigned nhot;
static struct tri_beside_stats stats;
/* Pacing, while marking beside the program. */
static tri_aword paced_from TRI_CACHE_ALIGNED; /* live bytes when marking began; 0: nothing is paced */
static tri_aword work_done TRI_CACHE_ALIGNED;  /* bytes scanned by markers since */
static tri_aword samples, outrun_samples;      /* how often markers looked, and found the program far ahead */
static uint64_t work_expected;                 /* what the last cycle scanned */
static tri_aint hurry;                         /* so many threads wait for the cycle to end */
static tri_aword waited_for_until;             /* until then somebody waits for marking to get on; only a hint */
static tri_aword waited_ns;                    /* together, in this cycle */
static bool all_dirty;                         /* of this cycle */

static enum tri_stacks stacks_for(const struct tri_config *config) {
  if (!hybrid || config->stacks == TRI_SET_STACKS_TOGETHER) return TRI_STACKS_LISTED;
  return config->stacks == TRI_SET_STACKS_RAGGED ? TRI_STACKS_LATER : TRI_STACKS_SELF;
}

struct tri_barrier_choice tri_beside_choose(const struct tri_config *config, bool malloc_replaced) {
  struct tri_barrier_input in = {
      .malloc_replaced = malloc_replaced, .gcstoptheworld = config->gcstoptheworld, .request = config->barrier};
  in.page_available = malloc_replaced;
  in.hybrid_available = !malloc_replaced;
  struct tri_barrier_choice choice = tri_barrier_choose(&in);
  hybrid = choice.kind == TRI_BARRIER_KIND_HYBRID;
  stacks = stacks_for(config);
  if (choice.kind != TRI_BARRIER_KIND_PAGE) {
    availability = MISSING;
    return choice;
  }
  const char *missing = tri_page_probe();
  availability = missing ? MISSING : AVAILABLE;
  if (!missing) return choice;
  choice.kind = TRI_BARRIER_KIND_STW;
  choice.reason = missing;
  return choice;
}

void tri_beside_init(const struct tri_config *config, bool malloc_replaced) {
  if (!malloc_replaced) {
    tri_beside_choose(config, malloc_replaced);
  } else if (config->barrier == TRI_BARRIER_HYBRID) {
    tri_warn("TRICOLOR=barrier=hybrid: malloc is replaced, and its users do not call tri_write; using auto");
  }
}

bool tri_beside_may_track_pages(void) {
  return availability != MISSING;
}

bool tri_beside_is_hybrid(void) {
  return hybrid;
}

enum tri_stacks tri_beside_stacks(void) {
  return stacks;
}

static bool wanted(const struct tri_config *config, bool malloc_replaced) {
  if (availability == MISSING) return false;
  if (config->barrier != TRI_BARRIER_PAGE && !tri_page_policy_try(&policy)) return false;
  if (availability == UNKNOWN && tri_beside_choose(config, malloc_replaced).kind != TRI_BARRIER_KIND_PAGE)
    availability = MISSING;
  return availability == AVAILABLE;
}

static uintptr_t at(size_t distance) {
  return tri_heap_range.base + distance;
}

static uintptr_t used_end(void) {
  return tri_heap_range.base + tri_load_acq(&tri_heap_range.used_bytes);
}

bool tri_beside_is_next(const struct tri_config *config) {
  if (hybrid) return true;
  if (availability != AVAILABLE) return false;
  return config->barrier == TRI_BARRIER_PAGE || tri_page_policy_would_try(&policy);
}

void tri_beside_hurry_begin(void) {
  tri_int_fetch_add_acq_rel(&hurry, 1);
  tri_mark_cut();
}

void tri_beside_hurry_end(void) {
  if (tri_int_load_acq(&hurry) != 0) tri_int_fetch_add_acq_rel(&hurry, -1u); /* 0: forked meanwhile, by a handler */
}

bool tri_beside_begin(const struct tri_config *config, bool malloc_replaced) {
  stats = (struct tri_beside_stats){0};
  if (hybrid) return true;
  if (!wanted(config, malloc_replaced)) return false;
  tracked_bytes = old_bytes = used_end() - tri_heap_range.base;
  faulted_bytes = 0;
  stats = (struct tri_beside_stats){.tracked_bytes = tracked_bytes};
  all_dirty = false;
  return tri_page_track(tri_heap_range.base, at(tracked_bytes));
}

void tri_beside_mark_roots(void) {
  if (hybrid) {
    tri_hybrid_begin_stw(stacks == TRI_STACKS_LATER);
  } else {
    tri_store_rel(&tri_state.born_marked_below, used_end());
  }
  tri_worker_round(TRI_ROUND_ROOTS);
}

struct listing {
  uint64_t bytes;
  bool complete, is_whole;
};

static void note_hot(size_t lo, size_t hi) {
  struct hot *last = nhot > 0 ? &hot[nhot - 1] : NULL;
  if (last && (lo - last->hi < HOT_GAP || nhot == MAX_HOT)) {
    last->hi = hi;
  } else {
    hot[nhot++] = (struct hot){lo, hi};
  }
}

static uint64_t hot_bytes(void) {
  uint64_t n = 0;
  for (unsigned i = 0; i < nhot; i++) n += hot[i].hi - hot[i].lo;
  return n;
}

static void list_run(uintptr_t lo, uintptr_t hi, void *listing) {
  struct listing *l = listing;
  l->bytes += hi - lo;
  faulted_bytes += tri_sub_sat(tri_min(hi, at(old_bytes)), lo);
  l->complete = l->complete && tri_roots_add_dirty(lo, hi);
  if (l->is_whole) note_hot(lo - tri_heap_range.base, hi - tri_heap_range.base);
}

/* What the heap has grown by is tracked as well; all of it counts as written. */
static bool track_growth(void) {
  uintptr_t end = used_end();
  if (end > at(tracked_bytes) && !tri_page_extend(end)) return false;
  tracked_bytes = end - tri_heap_range.base;
  return true;
}

static bool list_all(struct listing *l) {
  nhot = 0;
  return track_growth() && tri_page_each_written(tri_heap_range.base, at(tracked_bytes), list_run, l);
}

static bool list_hot(struct listing *l) {
  bool ok = true;
  for (unsigned i = 0; i < nhot && ok; i++) ok = tri_page_each_written(at(hot[i].lo), at(hot[i].hi), list_run, l);
  return ok;
}

/* [PAGE-2]: when it cannot be told which pages are dirty, all are, and stay so until the last stop. */
static void list_dirty(bool only_hot) {
  struct listing l = {.complete = true, .is_whole = !only_hot};
  if (!(only_hot ? list_hot(&l) : list_all(&l))) stats.lost = true;
  all_dirty |= stats.lost || !l.complete;
  stats.dirty_bytes[stats.rounds++] = l.bytes;
}

/* dirty[n - 1] bytes were just cleaned, if any were yet. */
static bool another_round_pays(const uint64_t *dirty, unsigned n) {
  if (n == 0) return true;
  if (n == MAX_ROUNDS || dirty[n - 1] < FEW_DIRTY_BYTES) return false;
  return n == 1 || (double)dirty[n - 1] < (double)dirty[n - 2] * SHRINK;
}

static bool hot_round_pays(unsigned hot_rounds) {
  if (stats.rounds == MAX_ROUNDS || stats.dirty_bytes[stats.rounds - 1] < FEW_DIRTY_BYTES) return false;
  return hot_rounds < HOT_ROUNDS && hot_bytes() < tracked_bytes / HOT_SHARE;
}

/* [BESIDE-2] */
static void wait_for_assists(void) {
  tri_assist_shut();
  while (tri_assist_is_under_way(0)) continue;
}

/* Threads that assist may leave some when the markers have found nothing more. */
static void mark_what_is_grey(void) {
  for (;;) {
    tri_worker_round(TRI_ROUND_BESIDE);
    wait_for_assists();
    if (tri_mark_was_cut() || tri_int_load_acq(&hurry) || !tri_work_available()) return;
    tri_roots_clear();
  }
}

static void mark_in_rounds(void) {
  unsigned hot_rounds = 0;
  tri_roots_clear();
  for (;;) {
    mark_what_is_grey();
    stats.cut = tri_mark_was_cut();
    if (stats.cut || tri_int_load_acq(&hurry)) return;
    bool whole = hot_rounds == 0 && another_round_pays(stats.dirty_bytes, stats.rounds);
    if (!whole && !hot_round_pays(hot_rounds)) return;
    if (!whole) hot_rounds++;
    tri_roots_clear();
    list_dirty(!whole);
    if (all_dirty) return;
  }
}

/* Threads were on stacks of their own making. The loader is not asked, so its lock is not needed. False: the stacks
 * cannot be listed; what was marked is worth nothing. */
static bool scan_stacks_in_a_stop(void) {
  tri_stop_world(true);
  if (tri_thread_is_registered(tri_self)) tri_self->sp = (uintptr_t)__builtin_frame_address(0);
  bool listed = tri_roots_gather_stacks();
  if (listed) tri_worker_round(TRI_ROUND_ROOTS);
  tri_start_world();
  return listed;
}

static void mark_while_pointers_are_shaded(void) {
  stacks_lost = stacks == TRI_STACKS_LATER && !tri_hybrid_scan_stacks() && !scan_stacks_in_a_stop();
  tri_roots_clear();
  TRI_RACE_POINT(SCANNED);
  if (stacks_lost) return;
  do {
    tri_worker_round(TRI_ROUND_BESIDE);
    stats.rounds++;
    stats.cut = tri_mark_was_cut();
  } while (!stats.cut && !tri_int_load_acq(&hurry) && tri_hybrid_look());
}

/* The runner may not get the CPU again for milliseconds after the stop: whoever is ahead meanwhile waits. */
void tri_beside_pace_stw(uint64_t heap_live, uint64_t expected_work) {
  tri_store_rlx(&work_done, 0);
  tri_store_rlx(&samples, 0);
  tri_store_rlx(&outrun_samples, 0);
  tri_store_rlx(&waited_ns, 0);
  work_expected = expected_work;
  tri_assist_begin();
  tri_store_rel(&paced_from, tri_max(heap_live, 1));
}

void tri_beside_mark(void) {
  if (hybrid) {
    tri_assist_open();
    mark_while_pointers_are_shaded();
  } else {
    mark_in_rounds();
  }
  tri_assist_shut();
  tri_store_rel(&paced_from, 0);
}

static void list_born(struct tri_mspan *s, void *complete) {
  bool *ok = complete;
  if (s->born_marked) *ok = *ok && tri_roots_add_untold(s->base, s->base + (s->npages << TRI_PAGE_SHIFT));
}

/* The markers ask for the dirty ones among the tracked pages themselves, all at once. */
bool tri_beside_prepare_last(void) {
  if (hybrid) {
    tri_hybrid_end_stw();
    return tri_pages_open() && !stacks_lost; /* the program may have closed it meanwhile */
  }
  tri_store_rel(&tri_state.born_marked_below, 0);
  if (all_dirty) tracked_bytes = 0;
  bool ok = tri_roots_add_tracked(tri_heap_range.base, at(tracked_bytes)) &&
            tri_roots_add_untold(at(tracked_bytes), used_end());
  tri_mcentral_each(LARGE_SCAN, list_born, &ok);
  return ok;
}

/* Without those that nobody had protected. After a loss nothing is known; the stop was as long as it was. */
static uint64_t written_pages(uint64_t last_bytes) {
  if (!all_dirty) faulted_bytes += tri_sub_sat(last_bytes, used_end() - at(old_bytes));
  return faulted_bytes / tri_os_page_size();
}

void tri_beside_end(const struct tri_mark_totals *all, uint64_t assist_cpu_ns, uint64_t stop_ns) {
  if (hybrid) return;
  tri_page_untrack();
  stats.dirty_bytes[stats.rounds++] = all->dirty_bytes;
  bool outrun = tri_load_rlx(&outrun_samples) * 2 > tri_load_rlx(&samples);
  struct tri_page_outcome outcome = {.mark_cpu_ns = all->cpu_ns + assist_cpu_ns,
                                     .markers = all->markers,
                                     .stop_ns = outrun ? UINT64_MAX : stop_ns,
                                     .written_pages = written_pages(all->dirty_bytes)};
  tri_page_policy_beside(&policy, &outcome);
}

void tri_beside_not(uint64_t mark_ns) {
  tri_page_policy_stopped(&policy, mark_ns);
}

void tri_beside_did(uint64_t scanned_bytes) {
  tri_fetch_add_rlx(&work_done, scanned_bytes);
}

unsigned tri_beside_outrun_by(uint64_t heap_live) {
  struct tri_lead_input in = {.triggered = tri_load_acq(&paced_from),
                              .heap_live = heap_live,
                              .heap_goal = tri_load_rlx(&tri_state.goal),
                              .work_done = tri_load_rlx(&work_done),
                              .work_expected = work_expected,
                              .by_limit = tri_plan_is_by_limit(),
                              .ends_early = hybrid || tri_plan_is_by_limit()};
  if (in.triggered == 0 || (int64_t)heap_live < 0 || in.heap_goal == UINT64_MAX) return 0;
  return tri_lead(&in);
}

bool tri_beside_is_far_outrun(void) {
  return tri_beside_outrun_by(tri_load_rlx(&tri_state.heap_live)) > TRI_LEAD_FAR;
}

bool tri_beside_is_outrun(uint64_t heap_live) {
  return tri_beside_outrun_by(heap_live) > 0;
}

void tri_beside_wait(tri_aint *word, unsigned value, uint64_t ns) {
  uint64_t begun = tri_now_ns();
  tri_store_rlx(&waited_for_until, begun + ns); /* no count: a handler may leave by a jump */
  tri_futex_wait(word, value, ns);
  tri_fetch_add_rlx(&waited_ns, tri_now_ns() - begun);
}

uint64_t tri_beside_waited_ns(void) {
  return tri_load_rlx(&waited_ns);
}

bool tri_beside_is_waited_for(uint64_t now_ns) {
  return now_ns < tri_load_rlx(&waited_for_until);
}

/* A cycle that begins beyond its goal is not to be cut for that. */
static uint64_t goal_or_start(uint64_t goal) {
  return tri_plan_is_by_limit() ? goal : tri_max(goal, tri_load_acq(&paced_from));
}

static uint64_t overshoot_allowed(uint64_t goal) {
  if (hybrid) return goal / HYBRID_OVERSHOOT_DIVISOR;
  return tri_plan_is_by_limit() ? 0 : goal / OVERSHOOT_DIVISOR;
}

bool tri_beside_may_go_on(void) {
  int64_t live = (int64_t)tri_load_rlx(&tri_state.heap_live);
  tri_fetch_add_rlx(&samples, 1);
  if (tri_beside_is_far_outrun()) tri_fetch_add_rlx(&outrun_samples, 1);
  uint64_t goal = tri_load_rlx(&tri_state.goal);
  if (live > 0 && goal != UINT64_MAX && (uint64_t)live > goal_or_start(goal) + overshoot_allowed(goal)) return false;
  return tri_int_load_acq(&hurry) == 0 && tri_mcentral_deferred_bytes() < MAX_DEFERRED_BYTES;
}

const struct tri_beside_stats *tri_beside_read_stats(void) {
  return &stats;
}

void tri_beside_after_fork(void) {
  tri_int_store_rel(&hurry, 0);
  tri_assist_after_fork();
  tri_page_after_fork();
}
