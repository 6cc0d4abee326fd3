/*
 * tri_check_slot, tri_check_range: is a slot one that the collector looks into? Called by the stores of programs that
 * are built with TRICOLOR_CHECKED, before each; see tricolor/barrier.h. A pointer that is stored anywhere else keeps
 * nothing alive, and what it leads to may be gone at the next collection: such a program ends here, with one line, and
 * not later.
 *
 * Taken for roots: objects, in words that may hold pointers, the calling thread's stack and thread-local storage, its
 * alternate stack while it is there, with stacks=together those of other threads, declared stacks, registered ranges,
 * the data of the program and of loaded libraries. In malloc mode everything is.
 *
 * Locks: those of roots and stacks, one after the other; the loader's, outside the runtime; the registry's, if it is to
 * be had. Not in a handler that interrupted the runtime: then nothing is checked. glibc's _dl_find_object takes no
 * lock.
 */
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/beside.h"
#include "gc/enter.h"
#include "gc/roots.h"
#include "gc/slot.h"
#include "gc/stacks.h"
#include "gc/types.h"
#include "internal/check.h"
#include "tricolor/tricolor.h"

static const char nowhere[] = "is neither in an object nor in a root";

static const char *wrong_object(uintptr_t slot, bool by_type) {
  struct tri_slot s;
  if (!tri_slot_find(slot, &s) || !tri_slot_in_use(&s)) return "lies in free memory of the heap";
  if (tri_mspan_noscan(s.span)) return "lies in an object of tri_alloc_noscan";
  const struct tri_type_info *type = by_type ? tri_types_info(s.span, s.index) : NULL;
  if (!type || tri_type_mask(type, (slot - tri_slot_start(&s)) % type->size / sizeof(void *)) & 1) return NULL;
  return "is a word that its object's type does not name";
}

struct search {
  uintptr_t slot;
  bool found;
};

static int look_in_tls(struct dl_phdr_info *info, size_t size, void *arg) {
  struct search *s = arg;
  for (unsigned i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_tls_data)
      s->found |= s->slot - (uintptr_t)info->dlpi_tls_data < info->dlpi_phdr[i].p_memsz;
  return s->found;
}

/* Takes the loader's lock. */
static bool is_thread_local(uintptr_t slot) {
  struct search s = {slot, false};
  dl_iterate_phdr(look_in_tls, &s);
  return s.found;
}

static bool on_own_stack(const struct tri_thread *t, uintptr_t slot) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (t->self_stack) return slot >= here && slot - here < ((uintptr_t)1 << 32);
  return slot >= t->stack_lo && slot < t->stack_hi;
}

/* The kernel does not tell of a stack with SS_AUTODISARM while it is in use: what lies close above is on it. */
static bool on_alternate_stack(const struct tri_thread *t, uintptr_t slot) {
  enum { CLOSE = 64 << 10 };
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  stack_t ss;
  if (slot - here < CLOSE && !tri_thread_is_on_own_stack(t, here)) return true;
  return syscall(SYS_sigaltstack, NULL, &ss) == 0 && (ss.ss_flags & SS_ONSTACK) &&
         slot - (uintptr_t)ss.ss_sp < ss.ss_size;
}

extern void *__libc_stack_end; /* the first thread's highest frame */

static bool on_first_stack(uintptr_t slot) {
  struct rlimit limit;
  rlim_t most = 1 << 30; /* it may be unlimited */
  uintptr_t top = (uintptr_t)__libc_stack_end;
  return slot < top && getrlimit(RLIMIT_STACK, &limit) == 0 && top - slot < tri_min(limit.rlim_cur, most);
}

/* Programs that pass addresses of locals between threads have all stacks scanned together. */
static bool on_any_stack(uintptr_t slot) {
  if (tri_beside_stacks() != TRI_STACKS_LISTED) return false;
  bool found = on_first_stack(slot);
  struct tri_thread *self = tri_enter_registered(); /* no handler of the program's may find the lock held */
  if (self && tri_lock_try(&tri_registry_lock)) {
    for (const struct tri_thread *t = tri_thread_first(); t && !found; t = t->next)
      found = slot >= t->stack_lo && slot < t->stack_hi;
    tri_lock_release(&tri_registry_lock);
  } else {
    found = true; /* not to be known now */
  }
  if (self) tri_runtime_leave(self);
  return found;
}

static bool is_data(uintptr_t slot) {
  struct dl_find_object found;
  return _dl_find_object((void *)slot, &found) == 0;
}

static const char *wrong_place(const struct tri_thread *t, uintptr_t slot, bool by_type) {
  if (slot % sizeof(void *) != 0) return "is not aligned to 8";
  if (slot - tri_heap_range.base < tri_heap_range.reserved_bytes) return wrong_object(slot, by_type);
  if (tri_malloc_mode || on_own_stack(t, slot) || is_data(slot)) return NULL;
  if (tri_roots_is_registered(slot) || tri_stacks_declared(slot)) return NULL;
  return nowhere;
}

static void check(uintptr_t slot, bool by_type) {
  struct tri_thread *t = tri_enter_registered();
  if (!t) return;
  const char *why = wrong_place(t, slot, by_type);
  tri_runtime_leave(t);
  if (why == nowhere && (is_thread_local(slot) || on_alternate_stack(t, slot) || on_any_stack(slot))) why = NULL;
  if (why)
    tri_fatal(
        "tri_write or its kin: slot %p %s: what is stored there is not kept alive; see tri_roots_add, "
        "tri_alloc_uncollectable",
        (void *)slot, why);
}

void tri_check_slot(const void *slot) {
  check((uintptr_t)slot, true);
}

/* Words that are not whole hold no pointers. */
void tri_check_range(const void *at, size_t size) {
  uintptr_t first = tri_align_up((uintptr_t)at, sizeof(void *));
  uintptr_t last = ((uintptr_t)at + size) / sizeof(void *) * sizeof(void *);
  if (first >= last) return;
  check(first, false);
  check(last - sizeof(void *), false);
}
