/* Which address space this is. Implemented in alloc/base/memory_id.c. Any context; errno is kept. */
#ifndef TRI_INTERNAL_MEMORY_ID_H
#define TRI_INTERNAL_MEMORY_ID_H

#include "internal/base.h"

/* A number that a process shares only with those in the same address space (vfork): its forked children get another
 * one, however they were made. 0: they cannot be told apart (before Linux 4.14), or there is no memory. */
uint64_t tri_memory_id(void);

#endif
