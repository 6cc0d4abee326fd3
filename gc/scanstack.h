/* Threads that scan their own stacks, for the hybrid barrier; after Go's scanstack. */
#ifndef TRI_GC_SCANSTACK_H
#define TRI_GC_SCANSTACK_H

#include "gc/thread.h"

/* By the cycle's runner. */

/* World stopped, t parked on its own stack, of which `own` is in use; nobody else scans that. Its scan is due: it
 * happens before the thread resumes, or, later, when tri_scanstack_tell has told it to. */
void tri_scanstack_leave_to(struct tri_thread *t, struct tri_own_stack own, bool later);
/* The program runs: the threads with scans that are due later do them now, where they stand; sleepers are scanned here,
 * and who has died is dropped. To be called again while some are not finished. */
void tri_scanstack_tell(void);
/* Waits at most so long for scans that are due. True: there are none. */
bool tri_scanstack_finished(uint64_t ns);
/* After that, once: some thread was found on a stack of which nothing is known; all must be scanned in a stop. */
bool tri_scanstack_strayed(void);
/* Under the registry's lock: t is dead, or gives up what it has. */
void tri_scanstack_drop(struct tri_thread *t);
/* World stopped: nothing is due any more. */
void tri_scanstack_forget(void);

/* By a thread that is about to run the program again, outside the runtime, with all signals blocked: scans its stack
 * from sp, below which nothing is in use, if that is due. errno is kept. */
void tri_scanstack_self(struct tri_thread *t, uintptr_t sp);

/* The calling thread's scan, if one is due now or later. Outside the runtime; nothing for others. */
void tri_scanstack_now(struct tri_thread *t);

TRI_INLINE bool tri_scanstack_is_due(const struct tri_thread *t) {
  return tri_int_load_acq(&t->scan) == TRI_SCAN_DUE;
}

#endif
