/* Which pages of a range of memory hold data, without touching them and without allocating. */
#ifndef TRI_GC_PAGES_H
#define TRI_GC_PAGES_H

#include "internal/base.h"

/* Opens what tri_pages_each needs; false when the kernel offers nothing. */
bool tri_pages_open(void);
/* may_stay: it may also be left open for the next tri_pages_open. */
void tri_pages_close(bool may_stay);
/* In a child that the C library's fork made: what it has inherited is closed. */
void tri_pages_after_fork(void);
/* Still open, and ours. */
bool tri_pages_are_open(void);
/* After open: true when this kernel can make single pages unreadable without splitting a mapping (MADV_GUARD_INSTALL);
 * then no mapping is read unasked. */
bool tri_pages_may_be_guarded(void);
/* Calls fn for each run of pages in [lo, hi) that are in memory or swapped out; with private_only not those that are
 * still the file's own. Guarded pages are left out. Never makes a page present. Any number of threads at once, between
 * open and close. */
bool tri_pages_each(uintptr_t lo, uintptr_t hi, bool private_only, void (*fn)(uintptr_t lo, uintptr_t hi, void *),
                    void *arg);

struct tri_pages_run {
  uintptr_t lo, hi;
};
/* Between open and close: runs of pages in [lo, hi) that are in memory and not parts of huge pages, at most `max`, the
 * first ones; returns how many. *ret_next: up to where it has looked. -1: this kernel cannot say. */
int tri_pages_small(uintptr_t lo, uintptr_t hi, struct tri_pages_run *ret, unsigned max, uintptr_t *ret_next);
/* Between open and close, [lo, hi) whole pages: all are in memory, anonymous, and mapped by this process alone. */
bool tri_pages_are_own(uintptr_t lo, uintptr_t hi);

#endif
