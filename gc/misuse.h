/* Wrong calls end here: one line that says what the pointer is, then abort. */
#ifndef TRI_GC_MISUSE_H
#define TRI_GC_MISUSE_H

#include "gc/slot.h"

/* p is not the start of a live object. */
_Noreturn void tri_misuse_bad_free(const void *p, const char *caller) TRI_COLD;
/* p is the start of a slot that another thread freed already. */
_Noreturn void tri_misuse_double_free(const void *p, const struct tri_mspan *s, const char *caller) TRI_COLD;
/* True when p lies in memory of the C library's allocator (brk heap): left alone. */
bool tri_misuse_is_libc_memory(const void *p);

#endif
