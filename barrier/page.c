/*
 * The page barrier's kernel side: userfaultfd write protection in asynchronous mode (the kernel lifts the protection at
 * the first write and lets the writer go on) and PAGEMAP_SCAN, which lists the pages without it and can set it again in
 * the same step. Linux 6.7; no privileges needed, and system calls may write to protected pages.
 *
 *   track: register the range, protect what is present -> each_written ... -> each_written_at_last -> untrack
 *
 * The registration stays between cycles and grows with the heap; the protection does not, since each first write to a
 * protected page is a fault of about a microsecond. Where the program has closed our descriptor the kernel has dropped
 * the registration: before a cycle it is made anew, during one the scan refuses (PM_SCAN_CHECK_WPASYNC) and the caller
 * is told. A fork's child has neither.
 *
 * Invariants:
 *   [PAGE-1] a page is protected before anything on it is marked, and fetching what was written and protecting it again
 *            is one call: no write falls between.
 *   [PAGE-2] a page that is not known to be unwritten counts as written.
 *
 * Memory ordering: when the ioctl has returned, every processor has acknowledged the new protection, and with it made
 * its earlier writes to the page visible. No locks: one thread at a time, but for each_written_at_last, which changes
 * nothing. System calls are direct.
 * Forbidden: touching the memory.
 */
#include "barrier/page.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal/hidden_fd.h"
#include "internal/pagemap.h"

/* Newer than Debian 12's headers. */
#define FEATURE_WP_ASYNC ((uint64_t)1 << 15)

enum { SCAN_REGIONS = 128 };
/* How much is unprotected in one call: page faults of the program wait for it. */
#define UNPROTECT_STEP ((uintptr_t)64 << 20)

static struct tracker {
  struct tri_hidden_fd uffd, pagemap; /* pagemap: while tracking */
  uintptr_t lo, hi;                   /* registered */
} tracker = {.uffd = {.fd = -1}, .pagemap = {.fd = -1}};

static bool open_uffd(struct tracker *t) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (fd < 0) return false;
  struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_WP_ASYNC | UFFD_FEATURE_PAGEFAULT_FLAG_WP};
  if (ioctl(fd, UFFDIO_API, &api) != 0) {
    syscall(SYS_close, fd);
    return false;
  }
  t->uffd = tri_hidden_fd_adopt(fd);
  t->lo = t->hi = 0;
  return t->uffd.fd >= 0;
}

static bool register_range(struct tracker *t, uintptr_t lo, uintptr_t hi) {
  uintptr_t from = t->lo == lo && t->hi > lo ? t->hi : lo;
  if (from >= hi) return true;
  struct uffdio_register r = {.range = {from, hi - from}, .mode = UFFDIO_REGISTER_MODE_WP};
  if (ioctl(t->uffd.fd, UFFDIO_REGISTER, &r) != 0) return false;
  t->lo = lo;
  t->hi = hi;
  return true;
}

/* MADV_GUARD_INSTALL (Linux 6.13) makes single pages unreadable; kernels that can name them say so (6.15). */
static bool knows_guards; /* set by the probe */

/* Pages that were never touched count as written for the kernel. To protect them would plant markers in page tables, by
 * which they look as if they were swapped out; so only pages that hold data are asked for, except at last: there the
 * kernel is twice as fast when it is asked for nothing else. */
static bool scan_part(const struct tracker *t, uintptr_t lo, uintptr_t hi, const struct pm_scan_arg *what,
                      void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg) {
  struct page_region regions[SCAN_REGIONS];
  while (lo < hi) {
    struct pm_scan_arg a = *what;
    a.size = sizeof a;
    a.flags |= PM_SCAN_CHECK_WPASYNC;
    a.start = lo;
    a.end = hi;
    a.category_mask |= PAGE_IS_WRITTEN;
    a.return_mask = PAGE_IS_WRITTEN;
    a.vec = (uintptr_t)regions;
    a.vec_len = SCAN_REGIONS;
    int n = ioctl(t->pagemap.fd, TRI_PAGEMAP_SCAN, &a);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || a.walk_end <= lo) return false;
    for (int i = 0; i < n; i++) fn(regions[i].start, regions[i].end, arg);
    lo = a.walk_end;
  }
  return true;
}

/* Only pages that hold data and can be read. */
static bool scan_data(const struct tracker *t, uintptr_t lo, uintptr_t hi, uint64_t flags,
                      void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg) {
  struct pm_scan_arg what = {.flags = flags, .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED};
  if (knows_guards) what.category_mask = what.category_inverted = PAGE_IS_GUARD;
  return scan_part(t, lo, hi, &what, fn, arg);
}

static bool scan(const struct tracker *t, uint64_t flags, void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg) {
  return scan_data(t, t->lo, t->hi, flags, fn, arg);
}

static void ignore(uintptr_t lo, uintptr_t hi, void *arg) {}

static bool track(struct tracker *t, uintptr_t lo, uintptr_t hi) {
  if (!tri_hidden_fd_is_ours(&t->uffd) && !open_uffd(t)) return false;
  if (!register_range(t, lo, hi)) return false;
  t->pagemap = tri_hidden_fd_adopt(tri_pagemap_open());
  return t->pagemap.fd >= 0 && scan(t, PM_SCAN_WP_MATCHING, ignore, NULL);
}

static void unprotect(struct tracker *t) {
  if (!tri_hidden_fd_is_ours(&t->uffd)) return;
  for (uintptr_t lo = t->lo; lo < t->hi; lo += UNPROTECT_STEP) {
    struct uffdio_writeprotect w = {.range = {lo, tri_min(UNPROTECT_STEP, t->hi - lo)}};
    while (ioctl(t->uffd.fd, UFFDIO_WRITEPROTECT, &w) != 0 && errno == EAGAIN) continue;
  }
}

static void untrack(struct tracker *t) {
  unprotect(t);
  tri_hidden_fd_drop(&t->pagemap);
}

bool tri_page_track(uintptr_t lo, uintptr_t hi) {
  int saved_errno = errno;
  bool ok = track(&tracker, lo, hi);
  if (!ok) untrack(&tracker);
  errno = saved_errno;
  return ok;
}

bool tri_page_extend(uintptr_t hi) {
  int saved_errno = errno;
  bool ok = tri_hidden_fd_is_ours(&tracker.uffd) && register_range(&tracker, tracker.lo, hi);
  errno = saved_errno;
  return ok;
}

bool tri_page_each_written(uintptr_t lo, uintptr_t hi, void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg) {
  int saved_errno = errno;
  bool ok = scan_data(&tracker, lo, hi, PM_SCAN_WP_MATCHING, fn, arg);
  errno = saved_errno;
  return ok;
}

bool tri_page_each_written_at_last(uintptr_t lo, uintptr_t hi, void (*fn)(uintptr_t lo, uintptr_t hi, void *),
                                   void *arg) {
  int saved_errno = errno;
  bool ok = scan_part(&tracker, lo, hi, &(struct pm_scan_arg){0}, fn, arg);
  errno = saved_errno;
  return ok;
}

void tri_page_untrack(void) {
  int saved_errno = errno;
  untrack(&tracker);
  errno = saved_errno;
}

void tri_page_after_fork(void) {
  tri_hidden_fd_drop(&tracker.uffd);
  tri_hidden_fd_drop(&tracker.pagemap);
  tracker.lo = tracker.hi = 0;
}

static void count_page(uintptr_t lo, uintptr_t hi, void *n) {
  *(unsigned *)n += hi > lo;
}

/* A write must be seen, its absence too. */
static const char *try_out(struct tracker *t, volatile char *page, size_t size) {
  unsigned before = 0, after = 0;
  page[0] = 1;
  if (!open_uffd(t)) return "userfaultfd with WP_ASYNC is refused";
  knows_guards = true;
  if (!track(t, (uintptr_t)page, (uintptr_t)page + size)) knows_guards = false;
  untrack(t);
  if (!track(t, (uintptr_t)page, (uintptr_t)page + size)) return "PAGEMAP_SCAN is refused";
  bool ok = scan(t, 0, count_page, &before);
  page[0] = 2;
  ok = ok && scan(t, 0, count_page, &after);
  return ok && before == 0 && after == 1 ? NULL : "PAGEMAP_SCAN does not see writes";
}

const char *tri_page_probe(void) {
  int saved_errno = errno;
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  const char *missing = "no memory to try it out";
  struct tracker t = {.uffd = TRI_HIDDEN_FD_NONE, .pagemap = TRI_HIDDEN_FD_NONE};
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) {
    missing = try_out(&t, page, size);
    untrack(&t);
    tri_hidden_fd_drop(&t.uffd);
    munmap(page, size);
  }
  errno = saved_errno;
  return missing;
}
