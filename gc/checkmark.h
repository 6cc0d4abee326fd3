/* gccheckmark=1: a second, independent marking of the stopped world. */
#ifndef TRI_GC_CHECKMARK_H
#define TRI_GC_CHECKMARK_H

#include "internal/base.h"

/* World stopped, marking done, roots listed. Marks again into bits of its own; fatal, naming object, holder and slot,
 * when a reachable object is not marked. after_hybrid: the marking was one with the hybrid barrier, for which no
 * pointer in a marked object may lead to an unmarked one. */
void tri_checkmark_run(bool after_hybrid);

#endif
