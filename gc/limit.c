/*
 * The memory limit that holds now. Read by gc/plan.c, which turns it into a heap goal, and by the scavenger; set by the
 * environment, by gc/settings.c, and by the monitor thread while it follows the cgroup's limit.
 *
 * One word, no lock: a plan made with the value of a moment ago is renewed soon, by whoever changed the value.
 * Forbidden: allocation; tri_limit_reread opens files, so it is called outside the runtime.
 */
#include "gc/limit.h"

#include "gc/cgroup.h"
#include "internal/atomic.h"

enum { CGROUP_PERCENT = 90 };

static tri_aword limit_bytes = UINT64_MAX;
static tri_aint follows;
static const char *root;

static uint64_t share_of(uint64_t cgroup_bytes) {
  return cgroup_bytes == UINT64_MAX ? UINT64_MAX : cgroup_bytes / 100 * CGROUP_PERCENT;
}

void tri_limit_init(const struct tri_config *config) {
  root = config->cgroup_root;
  tri_int_store_rlx(&follows, config->limit_is_auto);
  tri_store_rel(&limit_bytes, config->limit_is_auto ? share_of(tri_cgroup_memory_limit(root)) : config->memory_limit);
}

uint64_t tri_limit_bytes(void) {
  return tri_load_rlx(&limit_bytes);
}

uint64_t tri_limit_set(uint64_t bytes) {
  tri_int_store_rel(&follows, 0);
  return tri_exchange_acq_rel(&limit_bytes, bytes);
}

bool tri_limit_follows_cgroup(void) {
  return tri_int_load_acq(&follows) != 0;
}

bool tri_limit_reread(void) {
  if (!tri_limit_follows_cgroup()) return false;
  uint64_t before = tri_limit_bytes(), now = share_of(tri_cgroup_memory_limit(root));
  /* A tri_limit_set in between wins: it stands before the swap, or it comes after it. */
  return now != before && tri_limit_follows_cgroup() && tri_cas_acq_rel(&limit_bytes, before, now);
}
