/*
 * The monitor thread, as Go's sysmon: a cycle after two minutes without one, the scavenger's rhythm, the cgroup's
 * limit read again. Made with the collector thread, when the first cycle is due (a program that hardly allocates stays
 * without threads of ours), or before it where the memory limit follows the cgroup. A fork's child has it from its own
 * first cycle on: one that never collects may have shut itself in by then, or want to be alone (unshare, setns).
 *
 * It sleeps until the earliest of: the scavenger's next step, the time for a cycle, one second where the cgroup is
 * followed; or until it is kicked. When live bytes have fallen below the scavenger's watermark it first waits half a
 * second: a program that frees a lot often allocates it again at once. An idle program is woken at most once a second,
 * and without a followed cgroup once in two minutes.
 *
 * Where there is a statistics page it is written once a second while the figures change. When they have not for a
 * second the monitor is `quiet`, until the next flush of counted bytes wakes it.
 *
 * A registered thread (spans may not die under a marker), asleep in a safe region, so that a stop need not wake it.
 * `wakes` counts reasons to wake up, `kicks` those of them that concern the scavenger; kickers add and wake, the thread
 * compares. No locks.
 */
#include "gc/monitor.h"

#include <string.h>

#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/exec.h"
#include "gc/limit.h"
#include "gc/plan.h"
#include "gc/region.h"
#include "gc/runtime.h"
#include "gc/scavenger.h"
#include "gc/stats_page.h"
#include "gc/stop.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/state.h"

#define SECOND ((uint64_t)1000 * 1000 * 1000)
#define CGROUP_PERIOD SECOND
#define PAGE_PERIOD SECOND
#define SETTLE_NS (SECOND / 2)
/* What a program may allocate before it gets a thread for the sake of the cgroup's limit. */
#define FEW_BYTES ((uint64_t)4 << 20)

enum { NOT_STARTED, STARTING, STARTED, REFUSED };
static tri_aint state;
static tri_aint wakes; /* futex word */
static tri_aint kicks;
static tri_aint quiet; /* 1: nothing is allocated or freed, and the statistics page is not written */
static tri_aint
    falling; /* 1: live bytes have fallen below the watermark since the last step; no more kicks till the next */
static const struct tri_config *settings;

void tri_monitor_init(const struct tri_config *config) {
  settings = config;
  tri_scavenger_init(config);
}

/* The caller's frame holds no pointer to an object. */
TRI_NOINLINE static void sleep_on(unsigned seen, uint64_t ns) {
  TRI_BLOCKING(NULL);
  tri_futex_wait(&wakes, seen, ns);
}

static uint64_t until(uint64_t now, uint64_t when) {
  return when > now ? when - now : 1;
}

/* Asks for a cycle when there has been none for too long. Returns the nanoseconds until then. */
static uint64_t force_cycle(uint64_t now) {
  struct tri_cycle_stats cycles;
  uint64_t period = (uint64_t)settings->period_seconds * SECOND;
  tri_cycle_read_stats(&cycles);
  if (cycles.num_gc == 0 || settings->gc_percent < 0 || period == 0) return UINT64_MAX;
  if (now < cycles.last_end_ns + period) return until(now, cycles.last_end_ns + period);
  if (settings->gctrace > 0) tri_log_raw("GC forced\n", sizeof "GC forced\n" - 1);
  tri_collector_request();
  return SECOND;
}

static uint64_t reread_limits(uint64_t now) {
  static uint64_t next;
  if (!tri_limit_follows_cgroup()) return UINT64_MAX;
  if (now < next) return until(now, next);
  next = now + CGROUP_PERIOD;
  if (tri_limit_reread()) tri_cycle_replan();
  return CGROUP_PERIOD;
}

/* Since the last call. */
static bool figures_have_changed(void) {
  static uint64_t told[3];
  uint64_t is[3] = {tri_load_rlx(&tri_state.total_alloc), tri_load_rlx(&tri_state.heap_live),
                    tri_scavenger_background_bytes()};
  bool changed = memcmp(told, is, sizeof told) != 0;
  memcpy(told, is, sizeof told);
  return changed;
}

static uint64_t refresh_stats_page(uint64_t now) {
  static uint64_t next;
  if (!tri_stats_page_exists()) return UINT64_MAX;
  if (now < next) return until(now, next);
  tri_int_store_rel(&quiet, 1);
  tri_fence_seq(); /* who flushes after the comparison sees it */
  if (!figures_have_changed()) return UINT64_MAX;
  tri_int_store_rel(&quiet, 0);
  next = now + PAGE_PERIOD;
  tri_cycle_refresh_stats_page();
  return PAGE_PERIOD;
}

static uint64_t least(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static void monitor_main(void *arg) {
  struct tri_thread *t = tri_thread_register_self();
  if (!t) tri_fatal("no memory to register the monitor thread");
  if (!tri_malloc_mode) tri_thread_find_stack(t);
  uint64_t next_step = 0, rests_since = 0;
  unsigned seen = tri_int_load_acq(&wakes), seen_kicks = tri_int_load_acq(&kicks);
  for (;;) {
    uint64_t now = tri_now_ns();
    if (tri_int_load_acq(&falling)) next_step = least(next_step, now + SETTLE_NS);
    uint64_t sleep = least(force_cycle(now), reread_limits(now));
    if (now >= next_step) {
      tri_int_store_rel(&falling, 0);
      if (rests_since != 0) tri_scavenger_slept(now - rests_since);
      uint64_t wait = tri_scavenger_step();
      rests_since = tri_now_ns();
      next_step = wait == UINT64_MAX ? UINT64_MAX : rests_since + wait;
    }
    now = tri_now_ns();
    sleep = least(sleep, refresh_stats_page(now));
    sleep = least(sleep, next_step == UINT64_MAX ? UINT64_MAX : until(now, next_step));
    sleep_on(seen, sleep == UINT64_MAX ? 0 : sleep);
    seen = tri_int_load_acq(&wakes);
    unsigned kicked = tri_int_load_acq(&kicks);
    if (kicked != seen_kicks && !tri_int_load_acq(&falling)) next_step = 0;
    seen_kicks = kicked;
  }
}

bool tri_monitor_is_wanted(void) {
  return tri_limit_follows_cgroup() && tri_int_load_rlx(&state) == NOT_STARTED &&
         tri_load_rlx(&tri_state.total_alloc) >= FEW_BYTES;
}

bool tri_monitor_runs(void) {
  return tri_int_load_acq(&state) == STARTED;
}

void tri_monitor_start(void) {
  if (!tri_int_cas_acq_rel(&state, NOT_STARTED, STARTING)) return;
  bool exec_before = tri_exec_is_under_way(), ok = tri_worker_spawn(monitor_main, NULL);
  bool again = !ok && (exec_before || tri_exec_is_under_way());
  tri_int_store_rel(&state, ok ? STARTED : again ? NOT_STARTED : REFUSED);
}

static void wake(void) {
  tri_int_fetch_add_acq_rel(&wakes, 1);
  tri_futex_wake(&wakes, 1);
}

void tri_monitor_kick(void) {
  if (!tri_monitor_runs()) return;
  tri_int_fetch_add_acq_rel(&kicks, 1);
  wake();
}

void tri_monitor_live_is(uint64_t heap_live) {
  if (tri_int_load_rlx(&quiet) != 0 && tri_int_exchange_acq_rel(&quiet, 0) != 0 && tri_monitor_runs()) wake();
  if (heap_live >= tri_scavenger_watermark() || (int64_t)heap_live < 0 || !tri_monitor_runs()) return;
  if (tri_int_load_rlx(&falling) == 0 && tri_int_exchange_acq_rel(&falling, 1) == 0) wake();
}

void tri_monitor_after_fork(void) {
  tri_int_store_rel(&state, NOT_STARTED);
  tri_int_store_rel(&falling, 0);
  tri_int_store_rel(&quiet, 0);
}
