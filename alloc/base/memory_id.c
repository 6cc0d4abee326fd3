/*
 * An identifier of this process's address space. What belongs to one (a page map, a userfaultfd) is inherited by a
 * forked child, where it still speaks of the parent's; handlers of pthread_atfork do not run where the child was made
 * by a system call of the program's own.
 *
 *   first call:  map a page that the kernel zero-fills in forked children (MADV_WIPEONFORK), put a number into it
 *   in a child:  the page reads 0: the next number is put into it. The count is ordinary memory, which a child
 * inherits, so it never takes a number that its parent had when it was made
 *
 * Parent and child, and two children, may come to the same number later; nothing that carries it can have gone from one
 * to the other.
 *
 * No locks: both words change by compare-and-swap, and who loses takes what is there. System calls are raw. A refusal
 * is final. The page holds nothing that looks like an object, so it may be scanned as a root. Forbidden: allocating.
 */
#include "internal/memory_id.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal/atomic.h"

enum { PAGE_BYTES = 4096 }; /* the kernel rounds it up */
#define REFUSED ((uintptr_t)1)
enum { NO_ADVICE = -1 };

static tri_aword place;   /* of the page that holds the number; 0: not tried yet */
static tri_aword numbers; /* given so far, here and in those that this process descends from */

static uintptr_t map_page(void) {
  long p = syscall(SYS_mmap, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
  if (p == -1) return REFUSED;
  bool emulated = syscall(SYS_madvise, p, PAGE_BYTES, NO_ADVICE) == 0; /* qemu-user says yes to everything */
  if (!emulated && syscall(SYS_madvise, p, PAGE_BYTES, MADV_WIPEONFORK) == 0) return (uintptr_t)p;
  syscall(SYS_munmap, p, PAGE_BYTES);
  return REFUSED;
}

static uintptr_t page(void) {
  uintptr_t p = tri_load_acq(&place);
  if (p != 0) return p;
  uintptr_t mapped = map_page();
  if (tri_cas_acq_rel(&place, 0, mapped)) return mapped;
  if (mapped != REFUSED) syscall(SYS_munmap, mapped, PAGE_BYTES);
  return tri_load_acq(&place);
}

uint64_t tri_memory_id(void) {
  int saved_errno = errno;
  uintptr_t p = page();
  errno = saved_errno;
  if (p == REFUSED) return 0;
  tri_aword *number = (tri_aword *)p;
  if (tri_load_acq(number) == 0) tri_cas_acq_rel(number, 0, tri_fetch_add_rlx(&numbers, 1) + 1);
  return tri_load_acq(number);
}
