/* PAGEMAP_SCAN on /proc/self/pagemap: from linux/fs.h of Linux 6.7 and later, which Debian 12's headers lack. And how
 * that file is opened: alloc/base/pagemap.c. */
#ifndef TRI_INTERNAL_PAGEMAP_H
#define TRI_INTERNAL_PAGEMAP_H

#include <sys/ioctl.h>

#include "internal/base.h"

struct page_region {
  uint64_t start, end, categories;
};
struct pm_scan_arg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define TRI_PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
enum { PM_SCAN_WP_MATCHING = 1 << 0, PM_SCAN_CHECK_WPASYNC = 1 << 1 };
enum {
  PAGE_IS_WRITTEN = 1 << 1,
  PAGE_IS_FILE = 1 << 2,
  PAGE_IS_PRESENT = 1 << 3,
  PAGE_IS_SWAPPED = 1 << 4,
  PAGE_IS_PFNZERO = 1 << 5,
  PAGE_IS_HUGE = 1 << 6,
  PAGE_IS_GUARD = 1 << 8
};

/* For reading; CLOEXEC. Any thread. -1, errno as openat's: it cannot be opened. */
int tri_pagemap_open(void);

#endif
