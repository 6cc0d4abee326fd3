/*
 * Huge pages for a large heap: where small pages lie side by side in memory, the kernel makes huge ones of them
 * (MADV_COLLAPSE). Marking and programs that jump about in a large heap spend much of their time on misses of the
 * TLB, which huge pages save. Run by the collector thread between cycles (gc/collector.c), at a twentieth of its time.
 *
 *   pass (ten seconds apart) over the heap and its tables
 *     -> steps -> windows of 64 MiB -> runs of small pages -> blocks of a huge page's size
 *
 * Only blocks all of whose pages are in spans (or tables), in memory and nobody else's: nothing becomes larger, memory
 * shared with a forked process stays shared, and what the scavenger gives back does not return, but for a block that it
 * takes in the very moment between look and call. The kernel's own daemon, which fills holes, is not asked to (no
 * MADV_HUGEPAGE). No state is kept about pages: the kernel says which are small (PAGEMAP_SCAN, Linux 6.7) and whose
 * (/proc/self/pagemap). Without that, with GODEBUG=disablethp=1, where the administrator has said `never` and where
 * huge pages are larger than 4 MiB, nothing is done; nor with the page barrier, where the first write to a protected
 * page would split a huge one.
 *
 * A thread that touches a huge page in the making waits for it, half a millisecond and more. That is why a step ends as
 * soon as somebody wants a cycle: a stop would wait for the thread. The collector thread is in a safe region meanwhile.
 *
 * The page map is the descriptor that the last cycle has opened in its stop, and left open: opened while the program
 * runs it would take a number that the program counts on. With malloc replaced it is closed at the pass's end.
 *
 * Locks: the cycle's, around each look at the page map; the heap's, in tri_mheap_is_in_use. State is the collector
 * thread's; a fork's child begins without one, and with a pass of its own after its first cycle.
 */
#include "gc/hugepages.h"

#include "alloc/fixalloc.h"
#include "alloc/mheap.h"
#include "alloc/os.h"
#include "gc/beside.h"
#include "gc/cycle.h"
#include "gc/pages.h"
#include "gc/region.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "internal/check.h"
#include "internal/clock.h"

/* The pass ends after so many refusals in a row. */
enum { SHARE = 20, RUNS = 64, MOST_REFUSED = 16 };
#define LEAST_HEAP ((size_t)64 << 20)
#define LEAST_HEAP_UNDER_STRESS ((size_t)4 << 20)
#define WINDOW ((size_t)64 << 20)
#define LARGEST ((size_t)4 << 20)
#define MOST_NS ((uint64_t)100 * 1000 * 1000)
#define SLOW_NS ((uint64_t)5 * 1000 * 1000)
#define LEAST_REST_NS ((uint64_t)5 * 1000 * 1000)
#define PASS_NS ((uint64_t)10 * 1000 * 1000 * 1000)

static size_t huge, least_heap; /* bytes of a huge page; of a heap that is worth it */
static uint64_t pass_ns;
static tri_aint wanted;    /* written by the collector thread, as all below */
static tri_aword pass_due; /* no pass begins before; 0 while one is under way */
/* All below `cursor` in this range has been looked at in this pass; 0: none of it. */
enum range { HEAP, CUTS, SPANS, STRUCTS, NRANGES };
static unsigned range;
static uintptr_t cursor;
static uint64_t next_step_ns; /* not before */
static uint64_t last_ns;      /* when the last step ended */
static unsigned refused;      /* in a row */

void tri_hugepages_init(const struct tri_config *config) {
  huge = tri_os_huge_page_size();
  least_heap = config->stress_bytes ? LEAST_HEAP_UNDER_STRESS : LEAST_HEAP;
  pass_ns = config->stress_bytes ? 0 : PASS_NS;
  if (config->disablethp) tri_os_forbid_huge((void *)tri_heap_range.base, tri_heap_range.reserved_bytes);
  tri_int_store_rlx(&wanted, !config->disablethp && huge <= LARGEST && tri_os_allows_huge());
}

static bool pays(void) {
  return tri_int_load_rlx(&wanted) && tri_load_rlx(&tri_heap_range.used_bytes) >= least_heap &&
         !tri_beside_may_track_pages();
}

bool tri_hugepages_take_pages(void) {
  return pays() && tri_now_ns() >= tri_load_rlx(&pass_due);
}

/* -1: nobody can say, for now or for good. */
static int look(uintptr_t end, struct tri_pages_run *runs, uintptr_t *ret_next) {
  tri_cycle_lock();
  int n = tri_pages_are_open() ? tri_pages_small(cursor, end, runs, RUNS, ret_next) : -1;
  if (n < 0 && tri_pages_are_open()) tri_int_store_rlx(&wanted, 0);
  tri_cycle_unlock();
  return n;
}

/* The next step begins a pass. */
static void begin_anew(uint64_t due_ns) {
  range = HEAP;
  cursor = 0;
  refused = 0;
  tri_store_rlx(&pass_due, due_ns);
  tri_pages_close(!tri_malloc_mode);
}

/* A lock of the allocator may be held only where no stop can come. */
static void enter(void) {
  bool entered = tri_runtime_enter(tri_self);
  tri_check(entered);
}

static bool in_use(uintptr_t block) {
  enter();
  bool ret = tri_mheap_is_in_use(block, huge);
  tri_runtime_leave(tri_self);
  return ret;
}

static void structs_range(struct tri_pages_run *ret) {
  enter();
  tri_persistent_range(&ret->lo, &ret->hi);
  tri_runtime_leave(tri_self);
}

static bool is_own(uintptr_t block) {
  tri_cycle_lock();
  bool own = tri_pages_are_open() && tri_pages_are_own(block, block + huge);
  tri_cycle_unlock();
  return own;
}

TRI_NOINLINE static enum tri_os_huge make_huge(uintptr_t block) {
  TRI_BLOCKING(NULL);
  return tri_os_make_huge((void *)block, huge);
}

/* The heap, and what marking reads beside it. */
static struct tri_pages_run range_now(void) {
  uintptr_t used = tri_load_acq(&tri_heap_range.used_bytes), base = tri_heap_range.base;
  uintptr_t table = (used >> TRI_PAGE_SHIFT) * sizeof(void *);
  uintptr_t cuts = (uintptr_t)tri_heap_range.cuts, spans = (uintptr_t)tri_heap_range.spans;
  struct tri_pages_run r = {base, base + used};
  if (range == CUTS) r = (struct tri_pages_run){cuts, cuts + table};
  if (range == SPANS) r = (struct tri_pages_run){spans, spans + table};
  if (range == STRUCTS) structs_range(&r);
  r.lo = tri_align_up(r.lo, huge);
  r.hi = tri_max(tri_align_down(r.hi, huge), r.lo);
  return r;
}

enum progress { PASS_ENDS, STEP_ENDS, GO_ON };

/* A call that takes long, though it ends well, is counted as a refusal: the kernel had to look for memory. */
static enum progress try_block(uintptr_t block) {
  if ((range == HEAP && !in_use(block)) || !is_own(block)) return GO_ON;
  uint64_t start = tri_now_ns();
  enum tri_os_huge done = make_huge(block);
  if (done == TRI_OS_HUGE_NEVER) tri_int_store_rlx(&wanted, 0);
  bool slow = done == TRI_OS_HUGE_DONE && tri_now_ns() - start > SLOW_NS;
  refused = slow || done == TRI_OS_HUGE_NO_MEMORY ? refused + 1 : 0;
  return done == TRI_OS_HUGE_NEVER || refused >= MOST_REFUSED ? PASS_ENDS : GO_ON;
}

static enum progress do_run(const struct tri_pages_run *r, uint64_t deadline, bool (*stop)(void)) {
  uintptr_t lo = tri_align_up(r->lo, huge), hi = tri_align_down(r->hi, huge);
  enum progress p = GO_ON;
  for (; lo < hi && p == GO_ON; lo += huge) {
    cursor = lo;
    p = stop() || tri_now_ns() > deadline ? STEP_ENDS : try_block(lo);
  }
  return p;
}

static enum progress do_window(uintptr_t end, uint64_t deadline, bool (*stop)(void)) {
  struct tri_pages_run runs[RUNS];
  uintptr_t next = end;
  if (stop() || tri_now_ns() > deadline) return STEP_ENDS;
  int n = look(end, runs, &next);
  enum progress p = n < 0 ? PASS_ENDS : GO_ON;
  for (int i = 0; i < n && p == GO_ON; i++) p = do_run(&runs[i], deadline, stop);
  if (p == GO_ON) cursor = next;
  return p;
}

/* Goes on where the last step has ended. */
static enum progress do_step(uint64_t deadline, bool (*stop)(void)) {
  for (; range < NRANGES; range++, cursor = 0) {
    struct tri_pages_run r = range_now();
    enum progress p = GO_ON;
    cursor = tri_max(cursor, r.lo);
    while (cursor < r.hi && p == GO_ON)
      p = do_window(tri_min(tri_align_down(cursor, huge) + WINDOW, r.hi), deadline, stop);
    if (p != GO_ON) return p;
  }
  return PASS_ENDS;
}

uint64_t tri_hugepages_step(bool (*stop)(void)) {
  uint64_t start = tri_now_ns();
  if (!pays() || start < tri_load_rlx(&pass_due)) return 0;
  if (start < next_step_ns) return next_step_ns - start;
  if (last_ns == 0) last_ns = start;
  tri_store_rlx(&pass_due, 0);
  bool step_ends = do_step(start + tri_min((start - last_ns) / SHARE, MOST_NS), stop) == STEP_ENDS;
  last_ns = tri_now_ns();
  if (step_ends) {
    uint64_t rest = tri_min(tri_max((last_ns - start) * SHARE, LEAST_REST_NS), MOST_NS * SHARE);
    next_step_ns = last_ns + rest;
    return rest;
  }
  tri_cycle_lock();
  begin_anew(last_ns + pass_ns);
  tri_cycle_unlock();
  return 0;
}

void tri_hugepages_after_fork(void) {
  next_step_ns = last_ns = 0;
  tri_pages_after_fork();
  begin_anew(0);
}
