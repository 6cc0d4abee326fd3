/*
 * Memory that may not be read: guard pages in objects from malloc, in mappings, and below a coroutine's stack that came
 * from malloc. The collector goes round them, finds the pointers beside them, and keeps objects with a protected page:
 * whoever got their memory next could not use it.
 */
#include <sys/mman.h>
#include <ucontext.h>

#include "support/keep.h"

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL, Linux 6.13 */

/* Pointers in the first page and in those after the second, which is protected. */
static void keep_beside(char *memory, size_t bytes, const char *name) {
  keep_in_block(memory, PAGE, name);
  keep_in_block(memory + 2 * PAGE, bytes - 2 * PAGE, name);
}

static char *aligned(size_t bytes) {
  void *p;
  CHECK(posix_memalign(&p, PAGE, bytes) == 0, "posix_memalign");
  memset(p, 0, bytes);
  return p;
}

static void in_object(size_t bytes, int rights) {
  char *p = aligned(bytes);
  CHECK(mprotect(p + PAGE, PAGE, rights) == 0, "mprotect");
  keep_beside(p, bytes, rights == PROT_NONE ? "beside an unreadable page" : "beside a read-only page");
  CHECK(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
  free(p);
}

NOINLINE static uintptr_t hidden_protected(void) {
  char *p = aligned(4 * PAGE);
  CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0, "mprotect");
  return HIDE(p);
}

/* Forgotten with its protection: were it reclaimed, the blocks that follow would end in a fault. */
static void forgotten(void) {
  uintptr_t hidden[16];
  static char *taken[256];
  for (int i = 0; i < 16; i++) hidden[i] = hidden_protected();
  wipe();
  collect();
  for (int i = 0; i < 256; i++) taken[i] = aligned(4 * PAGE);
  for (int i = 0; i < 256; i++) free(taken[i]);
  for (int i = 0; i < 16; i++) CHECK(!probe_live() || probe_base(UNHIDE(hidden[i])) != NULL, "%d was reclaimed", i);
}

static void in_mapping(size_t bytes) {
  char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED, "mmap");
  memset(p, 0, bytes);
  if (madvise(p + PAGE, PAGE, GUARD_INSTALL) == 0) {
    keep_beside(p, bytes, "mapping with a guard page");
  } else {
    puts("this kernel has no guard pages");
  }
  munmap(p, bytes);
}

static ucontext_t main_context, coroutine;
static uintptr_t on_coroutine;

static void run_coroutine(void) {
  void *volatile kept = UNHIDE(on_coroutine = hidden_object(500, 7));
  wipe();
  swapcontext(&coroutine, &main_context);
  CHECK(pattern_holds(kept, 500, 7), "an object on a coroutine's stack was reclaimed");
  collect();
  CHECK(pattern_holds(kept, 500, 7), "an object on the running coroutine's stack was reclaimed");
}

static void guarded_stack(void) {
  size_t bytes = 64 * PAGE;
  char *stack = aligned(bytes);
  CHECK(mprotect(stack, PAGE, PROT_NONE) == 0, "mprotect");
  getcontext(&coroutine);
  coroutine.uc_stack.ss_sp = stack;
  coroutine.uc_stack.ss_size = bytes;
  coroutine.uc_link = &main_context;
  makecontext(&coroutine, run_coroutine, 0);
  swapcontext(&main_context, &coroutine);
  collect();
  churn(1 << 20);
  swapcontext(&main_context, &coroutine);
  CHECK(mprotect(stack, PAGE, PROT_READ | PROT_WRITE) == 0, "mprotect");
  free(stack);
}

int main(void) {
  const size_t pages[] = {4, 8, 16, 100};
  for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
    in_object(pages[i] * PAGE, PROT_NONE);
    in_object(pages[i] * PAGE, PROT_READ);
    in_mapping(pages[i] * PAGE);
  }
  in_mapping(1000 * PAGE);
  forgotten();
  guarded_stack();
  puts("ok");
  return 0;
}
