/* Stacks that programs make for coroutines: roots while nobody runs on them. The public half is tricolor/thread.h. */
#ifndef TRI_GC_STACKS_H
#define TRI_GC_STACKS_H

#include "gc/thread.h"

/* World stopped. */

/* The declared stack that holds sp, from its first byte on: its end, or 0. */
uintptr_t tri_stacks_end_of(uintptr_t sp);
/* Calls fn for the part of each that may hold pointers. */
void tri_stacks_each(void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg);
/* Calls fn for the part of each that may not. */
void tri_stacks_each_dead(void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg);
/* Calls fn for registers that were left behind. */
void tri_stacks_each_word(void (*fn)(uintptr_t word, void *), void *arg);

/* Any thread, inside the runtime. */
bool tri_stacks_declared(uintptr_t address);

void tri_stacks_lock(void); /* fork */
void tri_stacks_unlock(void);

#endif
