/*
 * mprotect, pkey_mprotect and madvise, interposed: a program may take the rights from pages that it has from malloc
 * (guard pages of coroutine stacks), but not while markers read the heap beside it.
 *
 * The thread makes the call inside the runtime, where no stop can begin, so none of a cycle's: either marking begins
 * afterwards, and finds the pages listed (gc/roots.c), or it is under way, and the thread hurries it to its end first.
 * Not seen: calls made directly to the kernel, mappings laid over memory from malloc, calls in a handler that
 * interrupted the runtime, and those of a child that shares our memory or was made by _Fork.
 *
 * errno and results are the kernel's. Async-signal-safe: a handler that interrupted the runtime calls the kernel at
 * once, as does a thread that is not registered.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/mheap.h"
#include "gc/beside.h"
#include "gc/rights.h"
#include "gc/stop.h"
#include "gc/strangers.h"
#include "internal/lock.h"
#include "internal/state.h"

/* Linux 6.13. */
#define TRI_MADV_GUARD_INSTALL 102
enum { WAIT_NS = 200 * 1000 };

static bool in_heap(const void *p, size_t n) {
  uintptr_t lo = (uintptr_t)p, used = tri_load_acq(&tri_heap_range.used_bytes);
  return lo - tri_heap_range.base < used || (lo < tri_heap_range.base && lo + n > tri_heap_range.base);
}

/* Inside the runtime afterwards (true), with no marker at work; false: the call is made as it is. */
static bool enter_unmarked(struct tri_thread *t) {
  if (!tri_thread_is_registered(t) || (int)syscall(SYS_gettid) != t->tid) return false;
  while (tri_runtime_enter(t)) {
    if (tri_load_acq(&tri_state.born_marked_below) == 0 && tri_int_load_acq(&tri_state.barrier) == 0) return true;
    tri_runtime_leave(t);
    tri_beside_hurry_begin();
    tri_futex_wait(&tri_state.phase, TRI_PHASE_MARK, WAIT_NS);
    tri_beside_hurry_end();
  }
  return false;
}

/* Markers remember which large objects have no page that must not be read; gc/mark.c. */
static void forget_whole(uintptr_t p) {
  struct tri_mspan *s = tri_mheap_span_of(p);
  if (s) tri_int_store_rlx(&s->whole_pieces, 0);
}

static tri_aint taken; /* 1: rights were taken from the heap, or may have been */

bool tri_rights_were_taken(void) {
  return tri_int_load_acq(&taken) != 0;
}

static int change(bool takes_rights, long number, void *p, size_t n, long what, long more) {
  int saved_errno = errno;
  bool ours = takes_rights && in_heap(p, n);
  struct tri_thread *t = ours ? tri_strangers_register_self() : NULL;
  if (ours) tri_int_store_rel(&taken, 1);
  bool entered = ours && enter_unmarked(t);
  if (entered) forget_whole((uintptr_t)p);
  errno = saved_errno;
  int result = (int)syscall(number, p, n, what, more);
  saved_errno = errno;
  if (entered) tri_runtime_leave(t);
  errno = saved_errno;
  return result;
}

TRI_EXPORT int mprotect(void *p, size_t n, int rights) {
  return change(!(rights & PROT_READ), SYS_mprotect, p, n, rights, 0);
}

TRI_EXPORT int pkey_mprotect(void *p, size_t n, int rights, int key) {
  return change(!(rights & PROT_READ) || key > 0, SYS_pkey_mprotect, p, n, rights, key);
}

TRI_EXPORT int madvise(void *p, size_t n, int advice) {
  return change(advice == TRI_MADV_GUARD_INSTALL, SYS_madvise, p, n, advice, 0);
}
