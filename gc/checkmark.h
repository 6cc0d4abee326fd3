/* gccheckmark=1: a second, independent marking of the stopped world. */
#ifndef TRI_GC_CHECKMARK_H
#define TRI_GC_CHECKMARK_H

#include "internal/base.h"

/* Hybrid barrier, world stopped, roots listed, nothing marked yet: notes what is reachable. stacks_too: whatever stacks
 * hold is marked before their threads go on. */
void tri_checkmark_begin(bool stacks_too);
/* What was noted is of no use: the marking was given up, or is done in the stop. */
void tri_checkmark_forget(void);
/* World stopped, marking done, roots listed. Marks again into bits of its own; fatal, naming object, holder and slot,
 * when a reachable object is not marked. after_hybrid: the marking was one with the hybrid barrier, for which all that
 * tri_checkmark_begin noted must be marked, and no pointer in a marked object may lead to an unmarked one that was not
 * garbage then. */
void tri_checkmark_run(bool after_hybrid);

#endif
