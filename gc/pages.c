/*
 * Which pages hold data, for whoever is about to read memory that its program may never have touched: the root scan
 * (gc/roots.c) and the marking of large objects (gc/mark.c). Reading an untouched page would make it present. And which
 * could be parts of huge pages (gc/hugepages.c).
 *
 * Presence comes from the PAGEMAP_SCAN ioctl (Linux 6.7) or, where it is missing, from the words of
 * /proc/self/pagemap (bit 63 present, 62 swapped, 61 file page or shared, 58 guard, 56 mapped only here).
 *
 * The holder of the cycle's lock opens, with the world stopped, since a new descriptor takes the program's lowest
 * number for a moment, and closes; in between any marker may ask: the buffers are on its stack, and `no_scan` only ever
 * goes from 0 to 1. The caller may let the descriptor stay for the next time, since to open it takes a third of a short
 * stop. It stays only where forked children can be told apart (internal/memory_id.h): what they inherit describes their
 * parent. They do not close that, since they may share the table of descriptors.
 *
 * No locks, no allocation. The calls are raw, since the C library's are cancellation points. The descriptor may meet a
 * program that closes every number it finds: gone, the question has no answer.
 */
#include "gc/pages.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/os.h"
#include "internal/atomic.h"
#include "internal/hidden_fd.h"
#include "internal/memory_id.h"
#include "internal/pagemap.h"

enum { SCAN_REGIONS = 64, PAGEMAP_WORDS = 256, MOST_LOSSES = 8 };

enum { GUARDS_UNKNOWN, GUARDS, NO_GUARDS };

static struct tri_hidden_fd pagemap = {.fd = -1};
static unsigned losses;  /* the program closes what it finds, or its threads have tables of their own */
static tri_aint no_scan; /* 1: this kernel has no PAGEMAP_SCAN */
static tri_aint guards;  /* set by the first tri_pages_open */

/* The kernel refuses categories that it does not know. */
static bool scan_knows_guards(void) {
  struct page_region region;
  struct pm_scan_arg a = {.size = sizeof a,
                          .start = tri_align_down((uintptr_t)&region, tri_os_page_size()),
                          .vec = (uintptr_t)&region,
                          .vec_len = 1,
                          .category_mask = PAGE_IS_GUARD,
                          .return_mask = PAGE_IS_GUARD};
  a.end = a.start + tri_os_page_size();
  return ioctl(pagemap.fd, TRI_PAGEMAP_SCAN, &a) >= 0;
}

static void note_loss(void) {
  losses += pagemap.fd >= 0 && pagemap.memory_id == tri_memory_id();
}

bool tri_pages_open(void) {
  int saved_errno = errno;
  if (!tri_hidden_fd_is_ours(&pagemap)) {
    note_loss();
    pagemap = tri_hidden_fd_adopt(tri_pagemap_open());
  }
  if (pagemap.fd >= 0 && tri_int_load_rlx(&guards) == GUARDS_UNKNOWN)
    tri_int_store_rlx(&guards, scan_knows_guards() ? GUARDS : NO_GUARDS);
  errno = saved_errno;
  return pagemap.fd >= 0;
}

bool tri_pages_may_be_guarded(void) {
  return tri_int_load_rlx(&guards) == GUARDS;
}

bool tri_pages_are_open(void) {
  return tri_hidden_fd_is_ours(&pagemap);
}

void tri_pages_close(bool may_stay) {
  if (!tri_hidden_fd_is_ours(&pagemap)) {
    note_loss();
    pagemap.fd = -1;
  } else if (!may_stay || losses > MOST_LOSSES || tri_memory_id() == 0) {
    tri_hidden_fd_drop(&pagemap);
  }
}

void tri_pages_after_fork(void) {
  tri_hidden_fd_drop(&pagemap);
}

static bool scan_by_ioctl(uintptr_t lo, uintptr_t hi, bool private_only, void (*fn)(uintptr_t, uintptr_t, void *),
                          void *arg) {
  struct page_region regions[SCAN_REGIONS];
  while (lo < hi) {
    struct pm_scan_arg a = {.size = sizeof a,
                            .start = lo,
                            .end = hi,
                            .vec = (uintptr_t)regions,
                            .vec_len = SCAN_REGIONS,
                            .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
                            .return_mask = PAGE_IS_PRESENT};
    if (private_only) a.category_mask |= PAGE_IS_FILE;
    if (tri_pages_may_be_guarded()) a.category_mask |= PAGE_IS_GUARD;
    a.category_inverted = a.category_mask;
    int n = ioctl(pagemap.fd, TRI_PAGEMAP_SCAN, &a);
    if (n < 0) return false;
    for (int i = 0; i < n; i++) fn(regions[i].start, regions[i].end, arg);
    if (a.walk_end <= lo) return false;
    lo = a.walk_end;
  }
  return true;
}

/* Of the pages from lo on, as many as there is room for; 0: nobody can say. */
static size_t read_words(uintptr_t lo, uintptr_t hi, uint64_t words[PAGEMAP_WORDS]) {
  size_t page = tri_os_page_size(), n = tri_min((hi - lo) / page, PAGEMAP_WORDS);
  ssize_t got = syscall(SYS_pread64, pagemap.fd, words, n * sizeof words[0], (off_t)(lo / page * sizeof words[0]));
  return got > 0 ? (size_t)got / sizeof words[0] : 0;
}

static bool page_counts(uint64_t word, bool private_only) {
  bool here = word >> 62 != 0;
  bool is_file = (word >> 61 & 1) != 0, guard = (word >> 58 & 1) != 0;
  return here && !guard && !(private_only && is_file);
}

static bool scan_by_words(uintptr_t lo, uintptr_t hi, bool private_only, void (*fn)(uintptr_t, uintptr_t, void *),
                          void *arg) {
  uint64_t words[PAGEMAP_WORDS];
  size_t page = tri_os_page_size();
  uintptr_t run = 0;
  while (lo < hi) {
    size_t n = read_words(lo, hi, words);
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++, lo += page) {
      bool counts = page_counts(words[i], private_only);
      if (counts && !run) run = lo;
      if (!counts && run) {
        fn(run, lo, arg);
        run = 0;
      }
    }
  }
  if (run) fn(run, hi, arg);
  return true;
}

struct clip {
  uintptr_t lo, hi;
  void (*fn)(uintptr_t lo, uintptr_t hi, void *);
  void *arg;
};

static void clipped(uintptr_t lo, uintptr_t hi, void *clip) {
  const struct clip *c = clip;
  c->fn(tri_max(lo, c->lo), tri_min(hi, c->hi), c->arg);
}

/* The program has closed our descriptor while it ran beside the marking. */
static bool lost(int saved_errno) {
  errno = saved_errno;
  return false;
}

/* The kernel speaks of whole pages; the range may begin at a stack pointer. */
bool tri_pages_each(uintptr_t lo, uintptr_t hi, bool private_only, void (*fn)(uintptr_t lo, uintptr_t hi, void *),
                    void *arg) {
  int saved_errno = errno;
  bool ok = false;
  struct clip c = {lo, hi, fn, arg};
  lo = tri_align_down(lo, tri_os_page_size());
  hi = tri_align_up(hi, tri_os_page_size());
  if (!tri_int_load_rlx(&no_scan)) {
    errno = 0;
    ok = scan_by_ioctl(lo, hi, private_only, clipped, &c);
    if (!ok && !tri_hidden_fd_is_ours(&pagemap)) return lost(saved_errno);
    if (!ok && (errno == ENOTTY || errno == EINVAL || errno == EPERM || errno == ENOSYS))
      tri_int_store_rlx(&no_scan, 1);
  }
  if (!ok) ok = scan_by_words(lo, hi, private_only, clipped, &c) && tri_hidden_fd_is_ours(&pagemap);
  errno = saved_errno;
  return ok;
}

/* The descriptor may be gone, which is no news of the kernel. */
static bool kernel_cannot(int error) {
  return error == ENOTTY || error == EINVAL || error == ENOSYS;
}

int tri_pages_small(uintptr_t lo, uintptr_t hi, struct tri_pages_run *ret, unsigned max, uintptr_t *ret_next) {
  struct page_region regions[SCAN_REGIONS];
  struct pm_scan_arg a = {.size = sizeof a,
                          .start = lo,
                          .end = hi,
                          .vec = (uintptr_t)regions,
                          .vec_len = tri_min(max, SCAN_REGIONS),
                          .category_mask = PAGE_IS_PRESENT | PAGE_IS_PFNZERO | PAGE_IS_HUGE,
                          .category_inverted = PAGE_IS_PFNZERO | PAGE_IS_HUGE,
                          .return_mask = PAGE_IS_PRESENT};
  int saved_errno = errno, n = ioctl(pagemap.fd, TRI_PAGEMAP_SCAN, &a);
  bool cannot = n < 0 && kernel_cannot(errno) && tri_hidden_fd_is_ours(&pagemap);
  errno = saved_errno;
  if (n < 0 || a.walk_end <= lo) return cannot ? -1 : 0;
  for (int i = 0; i < n; i++) ret[i] = (struct tri_pages_run){regions[i].start, regions[i].end};
  *ret_next = a.walk_end;
  return n;
}

static bool word_is_own(uint64_t word) {
  return (word >> 63 & 1) && (word >> 56 & 1) && !(word >> 61 & 1);
}

bool tri_pages_are_own(uintptr_t lo, uintptr_t hi) {
  uint64_t words[PAGEMAP_WORDS];
  int saved_errno = errno;
  bool own = true;
  for (size_t n; lo < hi && own; lo += n * tri_os_page_size()) {
    n = read_words(lo, hi, words);
    own = n > 0;
    for (size_t i = 0; i < n && own; i++) own = word_is_own(words[i]);
  }
  own = own && tri_hidden_fd_is_ours(&pagemap);
  errno = saved_errno;
  return own;
}
