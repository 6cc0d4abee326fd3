/* Stores through the write barrier, as far as the collector takes part; the forms for programs are in
 * tricolor/barrier.h. */
#ifndef TRI_GC_WRITE_H
#define TRI_GC_WRITE_H

#include "gc/thread.h"

/* Shades what is in a thread's buffer. By the thread inside the runtime, or with it stopped. */
void tri_write_flush(struct tri_thread *t);
/* The program has made [start, start+size) a root: where stacks are grey, what it holds is shaded. Inside the runtime.
 */
void tri_write_new_root(struct tri_thread *t, const void *start, size_t size);
/* What is about to overwrite these words knows no barrier: they are shaded if it is on. Outside the runtime. */
void tri_write_shade_range(const void *start, size_t size);
/* Before the program frees what starts at p, which need not be an object: the pointers in it are about to be
 * overwritten. In the same stay inside the runtime as the free; nested: in a handler that interrupted the runtime. */
void tri_write_before_free(struct tri_thread *t, void *p, bool nested);

#endif
