/* The page barrier: the kernel reports which pages of a range were written to. */
#ifndef TRI_BARRIER_PAGE_H
#define TRI_BARRIER_PAGE_H

#include "internal/base.h"

/* NULL when the kernel can track writes as it is needed here, tried out on a page of our own; else what it lacks, one
 * phrase. errno is kept, as by all of these. */
const char *tri_page_probe(void);

/* By one thread at a time, the runner of a cycle. */

/* From now on writes to pages of [lo, hi) are noticed. The range begins where the last one did or is a new one, and is
 * readable and writable memory that nobody unmaps. False: it cannot be tracked. */
bool tri_page_track(uintptr_t lo, uintptr_t hi);
/* The tracked range reaches to hi from now on; what is added counts as written. False: it cannot be tracked. */
bool tri_page_extend(uintptr_t hi);
/* Calls fn for each run of pages in [lo, hi), a part of the tracked range, that were written to since tri_page_track,
 * or since they were last asked about with this, and that hold data: pages whose writes were never tracked count as
 * written. Their tracking starts anew, before fn is called. False: tracking was lost; any page may have been written.
 */
bool tri_page_each_written(uintptr_t lo, uintptr_t hi, void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg);
/* The same without starting anew: when nothing is written any more. Pages that were never touched, or cannot be read,
 * may be named as well. Any number of threads at once. */
bool tri_page_each_written_at_last(uintptr_t lo, uintptr_t hi, void (*fn)(uintptr_t lo, uintptr_t hi, void *),
                                   void *arg);
/* Writes are no longer noticed, and cost nothing. */
void tri_page_untrack(void);

void tri_page_after_fork(void); /* in the child */

#endif
