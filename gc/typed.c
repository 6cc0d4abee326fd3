/*
 * tri_alloc_typed: from a descriptor to the flags that gc/heap.c allocates by. How types are kept is in gc/types.c.
 *
 * No locks of its own; the table of types is entered inside the runtime. In a signal handler that interrupted the
 * runtime a type that is not in the table yet stays out of it. errno is set as tricolor/type.h says.
 */
#include "gc/typed.h"

#include <errno.h>

#include "gc/enter.h"
#include "gc/heap.h"
#include "gc/slot.h"
#include "gc/types.h"
#include "tricolor/tricolor.h"

static unsigned add(const struct tri_type *type) {
  struct tri_thread *t = tri_enter_registered();
  if (!t) return tri_types_are_good(type) ? TRI_TYPE_ANY : TRI_TYPE_BAD;
  unsigned number = tri_types_add(type);
  tri_runtime_leave(t);
  return number;
}

static unsigned flags_of(unsigned number) {
  if (number == TRI_TYPE_NOSCAN) return TRI_ALLOC_NOSCAN;
  return number >= TRI_TYPE_FIRST ? TRI_ALLOC_TYPE(number) : TRI_ALLOC_SCAN;
}

static void *take_small(size_t size, unsigned number) {
  struct tri_thread *t = tri_self;
  if (tri_unlikely(!tri_runtime_enter(t))) return NULL;
  return tri_runtime_leave_with(t, tri_heap_take_typed(t, tri_size_class(size ? size : 1), number));
}

void *tri_alloc_typed(const struct tri_type *type, size_t count) {
  size_t size;
  unsigned number = type ? tri_types_find(type) : TRI_TYPE_BAD;
  if (tri_unlikely(number == TRI_TYPE_UNKNOWN)) number = add(type);
  if (tri_unlikely(number == TRI_TYPE_BAD)) {
    errno = EINVAL;
    return NULL;
  }
  if (tri_unlikely(__builtin_mul_overflow(type->size, count, &size))) {
    errno = ENOMEM;
    return NULL;
  }
  if (tri_likely(size <= TRI_MAX_SMALL && number >= TRI_TYPE_FIRST)) {
    void *p = take_small(size, number);
    if (tri_likely(p != NULL)) return p;
  }
  return tri_heap_alloc(size, TRI_ALLOC_ZERO | flags_of(number));
}

void *tri_typed_alloc_like(const void *object, size_t size) {
  struct tri_slot s;
  if (!tri_slot_find((uintptr_t)object, &s)) return tri_alloc(size);
  if (tri_mspan_noscan(s.span)) return tri_alloc_noscan(size);
  return tri_heap_alloc(size, TRI_ALLOC_ZERO | flags_of(tri_types_of_slot(s.span, s.index)));
}
