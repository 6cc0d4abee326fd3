/* Marking beside a program that stores through tri_write: the collector's part of the hybrid barrier. */
#ifndef TRI_GC_HYBRID_H
#define TRI_GC_HYBRID_H

#include "internal/base.h"

/* All by the cycle's runner. */

/* World stopped, phase MARK, before the roots are marked: the barrier goes on, for every thread. */
void tri_hybrid_begin_stw(bool stacks_are_grey);
/* The program runs, and stacks are grey: has every thread scan its own. False: some could not; they must be scanned in
 * a stop. */
bool tri_hybrid_scan_stacks(void);
/* The program runs: marks what its threads have in their buffers. True: there was something unmarked among it, or some
 * thread has not scanned its stack yet. */
bool tri_hybrid_look(void);
/* World stopped, before the rest is marked: the same for the last time, and the barrier goes off. */
void tri_hybrid_end_stw(void);

#endif
