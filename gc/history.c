/*
 * A ring of the pauses of the last 256 cycles, for tri_read_mem_stats. Written at the end of each cycle, read at any
 * time, by many threads.
 *
 * Memory order: `version` is odd while the one writer (holder of the cycle lock) writes; a reader that sees it change
 * reads again.
 */
#include "gc/history.h"

#include <errno.h>
#include <time.h>

#include "internal/atomic.h"

static tri_aint version;
static tri_aword count, pauses[TRI_HISTORY], ends[TRI_HISTORY];

static uint64_t unix_ns(void) {
  struct timespec t = {0, 0};
  int saved_errno = errno;
  clock_gettime(CLOCK_REALTIME, &t);
  errno = saved_errno;
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void tri_history_add(uint64_t pause_ns) {
  uint64_t n = tri_load_rlx(&count);
  tri_int_fetch_add_acq_rel(&version, 1);
  tri_store_rel(&pauses[n % TRI_HISTORY], pause_ns);
  tri_store_rel(&ends[n % TRI_HISTORY], unix_ns());
  tri_store_rel(&count, n + 1);
  tri_int_fetch_add_acq_rel(&version, 1);
}

uint64_t tri_history_read(uint64_t pause_ns[TRI_HISTORY], uint64_t end_unix_ns[TRI_HISTORY]) {
  unsigned before, after;
  uint64_t n;
  do {
    before = tri_int_load_acq(&version);
    n = tri_load_acq(&count);
    for (int i = 0; i < TRI_HISTORY; i++) {
      pause_ns[i] = tri_load_acq(&pauses[i]);
      end_unix_ns[i] = tri_load_acq(&ends[i]);
    }
    after = tri_int_load_acq(&version);
  } while (before != after || before % 2 != 0);
  return n;
}
