/*
 * A live heap of 128 MiB gets huge pages within seconds, what lies in it stays as it is, and memory that is dropped
 * goes back all the same. With the argument `no` (and GODEBUG=disablethp=1) it must get none. `fork`: a child's memory
 * stays its parent's as far as it was. `zero`: memory that was only read takes none. Where the kernel has no
 * PAGEMAP_SCAN or its administrator forbids huge pages: 77, skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#include "internal/pagemap.h"
#include "support/proc.h"
#include "tricolor/barrier.h"

enum {
  LISTS = 1024,
  NODES = (128 << 20) / 64,
  LENGTH = NODES / LISTS,
  ENOUGH_KIB = 64 << 10,
  PATIENCE = 900, /* the kernel may refuse for a while: the next pass is ten seconds later */
  NONE_STEPS = 10,
  STEP_US = 50 * 1000
};

struct node {
  struct node *next;
  uint64_t number, fill[6];
};

enum { BLOCKS = 128, BLOCK_BYTES = 1 << 20, BUSY_STEPS = 60, MOST_OWN_KIB = 90 << 10 };

static struct node **lists;

static size_t huge_kib(void) {
  return proc_kib("/proc/self/smaps_rollup", "AnonHugePages");
}

static bool system_can(void) {
  char text[64] = "[never]";
  FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
  if (f == NULL || fgets(text, sizeof text, f) == NULL || strstr(text, "[never]") != NULL) return false;
  fclose(f);
  struct page_region region;
  uintptr_t page = (uintptr_t)&region & ~(uintptr_t)65535;
  struct pm_scan_arg a = {.size = sizeof a,
                          .start = page,
                          .end = page + 65536,
                          .vec = (uintptr_t)&region,
                          .vec_len = 1,
                          .category_mask = PAGE_IS_PRESENT,
                          .return_mask = PAGE_IS_PRESENT};
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  bool can = fd >= 0 && ioctl(fd, TRI_PAGEMAP_SCAN, &a) >= 0;
  if (fd >= 0) close(fd);
  return can;
}

static void build(void) {
  lists = tri_alloc(LISTS * sizeof *lists);
  CHECK(lists, "tri_alloc");
  for (uint64_t i = 0; i < NODES; i++) {
    struct node *n = tri_alloc(sizeof *n);
    CHECK(n, "tri_alloc");
    n->number = i;
    tri_write(&n->next, lists[i / LENGTH]);
    tri_write(&lists[i / LENGTH], n);
  }
}

static void check(void) {
  for (uint64_t l = 0; l < LISTS; l++) {
    uint64_t expected = (l + 1) * LENGTH - 1;
    for (struct node *n = lists[l]; n; n = n->next, expected--)
      CHECK(n->number == expected, "%lu, not %lu", (unsigned long)n->number, (unsigned long)expected);
  }
}

/* Reads and allocates meanwhile, as programs do. */
static size_t wait_for_huge(size_t enough, unsigned steps) {
  for (unsigned i = 0; i < steps && huge_kib() < enough; i++) {
    for (int k = 0; k < 10000; k++) tri_write(&lists[0]->fill[0], tri_alloc(64));
    check();
    usleep(STEP_US);
  }
  return huge_kib();
}

static void let_go(void) {
  size_t before = proc_kib("/proc/self/status", "VmRSS");
  for (unsigned l = 0; l < LISTS; l++) tri_write(&lists[l], NULL);
  tri_gc();
  tri_gc();
  tri_free_os_memory();
  size_t after = proc_kib("/proc/self/status", "VmRSS");
  CHECK(after < before / 4, "%zu of %zu KiB are still there", after, before);
}

/* Cycles, and time for what comes after them. */
static void keep_busy(unsigned steps) {
  void **keep = tri_alloc(sizeof *keep);
  CHECK(keep, "tri_alloc");
  for (unsigned i = 0; i < steps; i++) {
    for (int k = 0; k < 200000; k++) tri_write(keep, tri_alloc(64));
    usleep(STEP_US);
  }
  tri_keep_alive(keep);
}

/* What a forked process shares with its parent stays shared: huge pages would be copies. */
static void child_shares(void) {
  int status = 0;
  build();
  pid_t child = fork();
  CHECK(child >= 0, "fork");
  if (child == 0) {
    keep_busy(BUSY_STEPS);
    size_t own = proc_kib("/proc/self/smaps_rollup", "Private_Dirty");
    CHECK(own < MOST_OWN_KIB, "%zu KiB are the child's own", own);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && status == 0, "the child's status is %d", status);
}

/* Memory that was only ever read is the one page of zeroes, and takes none, also beside a page that was written. */
static void zeroes_stay_small(void) {
  unsigned sum = 0;
  void **blocks = tri_alloc(BLOCKS * sizeof *blocks);
  for (int i = 0; i < BLOCKS; i++) {
    char *block = tri_alloc_noscan(BLOCK_BYTES);
    CHECK(block, "tri_alloc_noscan");
    block[1] = 1; /* no byte that is read */
    for (size_t at = 0; at < BLOCK_BYTES; at += 4096) sum += (unsigned char)((volatile char *)block)[at];
    tri_write(&blocks[i], block);
  }
  CHECK(sum == 0, "fresh memory is not zero");
  keep_busy(BUSY_STEPS);
  size_t rss = proc_kib("/proc/self/status", "VmRSS");
  CHECK(rss < MOST_OWN_KIB, "%zu KiB are resident", rss);
  tri_keep_alive(blocks);
}

static void live_heap(bool none) {
  build();
  size_t kib = none ? wait_for_huge(1, NONE_STEPS) : wait_for_huge(ENOUGH_KIB, PATIENCE);
  if (none) CHECK(kib == 0, "%zu KiB in huge pages", kib);
  if (!none) CHECK(kib >= ENOUGH_KIB, "%zu KiB in huge pages", kib);
  check();
  let_go();
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "yes";
  if (!system_can()) return 77;
  if (strcmp(what, "fork") == 0) {
    child_shares();
  } else if (strcmp(what, "zero") == 0) {
    zeroes_stay_small();
  } else {
    live_heap(strcmp(what, "no") == 0);
  }
  puts("ok");
  return 0;
}
