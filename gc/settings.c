/*
 * Settings that a program changes while it runs: the public tri_set_* functions and tri_free_os_memory, each named in
 * tricolor/tricolor.h with its contract. The values are fields of the one configuration; the plan is made anew at once,
 * and a cycle is asked for where one is due by the new plan.
 *
 * Locks: the cycle lock, waited for outside the runtime, guards the fields, so a change waits for a cycle under way.
 * With collect=off and in an inert process a value is kept and has no effect.
 */
#include <errno.h>
#include <limits.h>

#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/enter.h"
#include "gc/limit.h"
#include "gc/runtime.h"
#include "gc/scavenger.h"
#include "internal/state.h"
#include "tricolor/tricolor.h"

/* False: this call came from inside the runtime, or there is no heap. */
static bool prepare(void) {
  struct tri_thread *t = tri_enter_registered();
  if (t) tri_runtime_leave(t);
  return t != NULL && !tri_cycle_is_mine();
}

static int normal_percent(int percent) {
  return percent < 0 ? -1 : percent;
}

int tri_set_gc_percent(int percent) {
  if (!prepare()) return tri_runtime_config()->gc_percent;
  tri_cycle_lock();
  struct tri_config *config = tri_runtime_config_to_change();
  int before = config->gc_percent;
  config->gc_percent = normal_percent(percent);
  tri_cycle_replan_locked(0);
  tri_cycle_unlock();
  tri_collector_request_if_due();
  return before;
}

static long long limit_as_signed(uint64_t bytes) {
  return bytes > LLONG_MAX ? LLONG_MAX : (long long)bytes;
}

long long tri_set_memory_limit(long long bytes) {
  if (bytes < 0 || !prepare()) return limit_as_signed(tri_limit_bytes());
  uint64_t before = tri_limit_set(bytes == LLONG_MAX ? UINT64_MAX : (uint64_t)bytes);
  tri_cycle_replan();
  return limit_as_signed(before);
}

size_t tri_set_ballast(size_t bytes) {
  if (!prepare()) {
    errno = ENOMEM;
    return (size_t)-1;
  }
  tri_cycle_lock();
  size_t before = tri_runtime_config()->ballast_bytes;
  bool ok = tri_runtime_change_ballast(bytes);
  if (ok) {
    tri_fetch_add_rlx(&tri_state.heap_live, (uint64_t)bytes - before);
    tri_cycle_replan_locked((int64_t)(bytes - before));
  }
  tri_cycle_unlock();
  tri_collector_request_if_due();
  if (ok) return before;
  errno = ENOMEM;
  return (size_t)-1;
}

size_t tri_free_os_memory(void) {
  if (!prepare()) return 0;
  tri_gc();
  uint64_t released = tri_scavenger_release_all();
  struct tri_thread *t = tri_enter_registered();
  if (!t) return released;
  tri_scavenger_print(true);
  if (released) tri_scavenger_print_classic(released);
  tri_runtime_leave(t);
  return released;
}
