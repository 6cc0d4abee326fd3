/*
 * tri_check_slot: is a slot one that the collector looks into? Called by the inline stores of programs that are built
 * with TRICOLOR_CHECKED, before each; see tricolor/barrier.h. A pointer that is stored anywhere else keeps nothing
 * alive, and what it leads to may be gone at the next collection: such a program ends here, with one line, and not
 * later.
 *
 * Taken for roots: objects that may hold pointers, the calling thread's stack and thread-local storage, declared
 * stacks, registered ranges, the data of the program and of loaded libraries. In malloc mode everything is. Locks:
 * those of roots and stacks, one after the other. Not in a handler that interrupted the runtime: then nothing is
 * checked. glibc's _dl_find_object takes no lock.
 */
#include <dlfcn.h>

#include "gc/enter.h"
#include "gc/roots.h"
#include "gc/slot.h"
#include "gc/stacks.h"
#include "internal/check.h"
#include "tricolor/tricolor.h"

/* Static thread-local storage lies below the thread pointer, on aarch64 above; it is not more than that. */
#define TLS_REACH ((uintptr_t)1 << 20)

static const char *wrong_object(uintptr_t slot) {
  struct tri_slot s;
  if (!tri_slot_find(slot, &s) || !tri_slot_in_use(&s)) return "lies in free memory of the heap";
  return tri_mspan_noscan(s.span) ? "lies in an object of tri_alloc_noscan" : NULL;
}

static bool near_own_tls(uintptr_t slot) {
  uintptr_t here = (uintptr_t)&tri_barrier_self;
  return slot - (here - TLS_REACH) < 2 * TLS_REACH;
}

static bool on_own_stack(const struct tri_thread *t, uintptr_t slot) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (t->self_stack) return slot >= here && slot - here < ((uintptr_t)1 << 32);
  return slot >= t->stack_lo && slot < t->stack_hi;
}

static bool is_data(uintptr_t slot) {
  struct dl_find_object found;
  return _dl_find_object((void *)slot, &found) == 0;
}

static const char *wrong_place(const struct tri_thread *t, uintptr_t slot) {
  if (slot % sizeof(void *) != 0) return "is not aligned to 8";
  if (slot - tri_heap_range.base < tri_heap_range.reserved_bytes) return wrong_object(slot);
  if (tri_malloc_mode || on_own_stack(t, slot) || near_own_tls(slot) || is_data(slot)) return NULL;
  if (tri_roots_is_registered(slot) || tri_stacks_declared(slot)) return NULL;
  return "is neither in an object nor in a root";
}

void tri_check_slot(const void *slot) {
  struct tri_thread *t = tri_enter_registered();
  if (!t) return;
  const char *why = wrong_place(t, (uintptr_t)slot);
  tri_runtime_leave(t);
  if (why)
    tri_fatal(
        "tri_write: slot %p %s: what is stored there is not kept alive; see tri_roots_add, tri_alloc_uncollectable",
        slot, why);
}
