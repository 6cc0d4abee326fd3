/*
 * Huge pages for a large heap: where small pages lie side by side in memory, the kernel makes huge ones of them
 * (MADV_COLLAPSE). Marking and programs that jump about in a large heap spend much of their time on misses of the
 * TLB, which huge pages save. Run by the collector thread between cycles (gc/collector.c), at a twentieth of its time.
 *
 * Only memory that is resident anyway: nothing becomes larger, and the kernel's own daemon, which fills holes, is not
 * asked to (no MADV_HUGEPAGE). What the scavenger gives back of a huge page is gone, the rest stays as small pages. No
 * state is kept about pages: the kernel says which are small (PAGEMAP_SCAN, Linux 6.7), so forks and releases need no
 * care. Without that, with GODEBUG=disablethp=1 and where the administrator has said `never`, nothing is done; nor with
 * the page barrier, where the first write to a protected page would split a huge one.
 *
 * A thread that touches a huge page in the making waits for half a millisecond. That is why it is done between cycles:
 * a stop would wait for the thread. The collector thread is in a safe region meanwhile.
 *
 * Locks: the cycle's, around the look at the page map. State is the collector thread's.
 */
#include "gc/hugepages.h"

#include "alloc/mheap.h"
#include "alloc/os.h"
#include "gc/beside.h"
#include "gc/cycle.h"
#include "gc/pages.h"
#include "gc/region.h"
#include "internal/clock.h"

enum { SHARE = 20, RUNS = 32, AT_ONCE = 2 };
/* The system has no memory for huge pages: not before the next cycle. */
enum { MOST_REFUSED = 16 };
#define LEAST_HEAP ((size_t)64 << 20)
#define MOST_NS ((uint64_t)100 * 1000 * 1000)
/* From one pass over the heap to the next: where memory goes back and comes again pages would be made huge for nothing.
 */
#define PASS_NS ((uint64_t)10 * 1000 * 1000 * 1000)

static bool wanted;
static size_t huge;      /* bytes of a huge page */
static uintptr_t cursor; /* all below has been looked at in this pass */
static uint64_t next_pass_ns;
static uint64_t last_ns; /* when the last step ended */
static unsigned refused; /* in a row */

void tri_hugepages_init(const struct tri_config *config) {
  huge = tri_os_huge_page_size();
  if (config->disablethp) tri_os_forbid_huge((void *)tri_heap_range.base, tri_heap_range.reserved_bytes);
  wanted = !config->disablethp && tri_os_allows_huge();
}

static int look(uintptr_t end, struct tri_pages_run *runs, uintptr_t *ret_next) {
  tri_cycle_lock();
  int n = tri_pages_open() ? tri_pages_small(cursor, end, runs, RUNS, ret_next) : -1;
  tri_pages_close();
  tri_cycle_unlock();
  return n;
}

TRI_NOINLINE static enum tri_os_huge make_huge(uintptr_t lo, size_t size) {
  TRI_BLOCKING(NULL);
  return tri_os_make_huge((void *)lo, size);
}

/* False: no more in this step. */
static bool make_huge_in(const struct tri_pages_run *r, uint64_t deadline, bool (*stop)(void)) {
  uintptr_t lo = tri_align_up(r->lo, huge), hi = tri_align_down(r->hi, huge);
  while (lo < hi) {
    size_t size = tri_min(hi - lo, AT_ONCE * huge);
    if (stop() || tri_now_ns() > deadline) return false;
    enum tri_os_huge done = make_huge(lo, size);
    if (done == TRI_OS_HUGE_NEVER) wanted = false;
    refused = done == TRI_OS_HUGE_DONE ? 0 : refused + 1;
    if (!wanted || refused > MOST_REFUSED) return false;
    lo += size;
    cursor = lo;
  }
  return true;
}

/* Goes on where the last step has ended. True: the pass is complete. */
static bool work(uint64_t deadline, bool (*stop)(void)) {
  struct tri_pages_run runs[RUNS];
  uintptr_t end = tri_heap_range.base + tri_align_down(tri_load_acq(&tri_heap_range.used_bytes), huge), next = 0;
  cursor = tri_max(cursor, tri_heap_range.base);
  while (cursor < end) {
    int n = look(end, runs, &next);
    if (n < 0) wanted = false;
    for (int i = 0; i < n; i++)
      if (!make_huge_in(&runs[i], deadline, stop)) return false;
    if (!wanted) return false;
    cursor = next;
  }
  cursor = 0;
  return true;
}

uint64_t tri_hugepages_step(bool (*stop)(void)) {
  if (!wanted || tri_load_rlx(&tri_heap_range.used_bytes) < LEAST_HEAP || tri_beside_may_track_pages()) return 0;
  uint64_t start = tri_now_ns(), budget = tri_min((start - last_ns) / SHARE, MOST_NS);
  if (start < next_pass_ns) return 0;
  refused = 0;
  bool complete = work(start + budget, stop);
  last_ns = tri_now_ns();
  if (complete) next_pass_ns = last_ns + PASS_NS;
  if (complete || !wanted || refused > MOST_REFUSED) return 0;
  return (last_ns - start) * SHARE + MOST_NS / SHARE;
}
