/* System calls that write into objects: with the hybrid barrier, what they overwrite is shaded like by a store. */
#ifndef TRI_GC_KERNEL_WRITES_H
#define TRI_GC_KERNEL_WRITES_H

#include <sys/uio.h>

#include "gc/shade.h"
#include "gc/thread.h"

enum { TRI_KERNEL_WRITES = 4 };

/* On the stack of the function that makes the call, for its time. */
struct tri_kernel_writes {
  struct tri_thread *t; /* NULL: nothing is published */
  unsigned n;
  struct tri_kernel_range *range[TRI_KERNEL_WRITES];
};

/* Before the call: it may write to these bytes. By any thread of the program; errno is kept. Nothing for memory that is
 * no object with pointers. Of more than four buffers the rest is left out. */
void tri_kernel_writes_begin(struct tri_kernel_writes *w, const struct iovec *buffers, size_t n);
void tri_kernel_writes_end(struct tri_kernel_writes *w);

/* In the flip, with t stopped. */
void tri_kernel_writes_shade(const struct tri_thread *t, struct tri_shader *s);

/* The rest of the function may write there. */
#define TRI_KERNEL_WRITES_TO(buffers, count)                                                                     \
  struct tri_kernel_writes tri_kernel_writes_here __attribute__((cleanup(tri_kernel_writes_end))) = {.t = NULL}; \
  tri_kernel_writes_begin(&tri_kernel_writes_here, buffers, count)

#endif
