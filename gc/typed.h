/* Allocation of objects with a type. */
#ifndef TRI_GC_TYPED_H
#define TRI_GC_TYPED_H

#include "internal/base.h"

/* An object of `size` bytes of the same kind as `object`: with its type, without pointers, or conservative. Zeroed, but
 * for those without pointers. NULL with errno ENOMEM. */
void *tri_typed_alloc_like(const void *object, size_t size);

#endif
