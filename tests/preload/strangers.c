/*
 * Threads that the library was never told of: made by a raw clone, with the thread-local storage of who made them, or
 * by the C library's pthread_create behind ours. Each has an object that nothing but one of its registers knows, while
 * collections run. Some have all signals blocked, always or now and then: nobody waits for them. They come and go, and
 * errno of who shares its thread-local storage with them stays as it is.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/libc.h"

enum { STACK = 64 << 10, BYTES = 136, ROUNDS = 40, COLLECTIONS = 3, GARBAGE = 400 };
#define CLONED (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID)
#define LONGEST_NS ((int64_t)20 * 1000 * 1000 * 1000)

static void *gift;
static atomic_int holds, let_go, lost;
static int cloned_lives; /* cleared by the kernel */

/* The pointer is in a register alone, from the exchange on. */
NOINLINE static void hold_in_register(void) {
  void *p = NULL;
#if defined(__x86_64__)
  __asm__ volatile(
      "xchg %0, %1\n\t"
      "movl $1, %2\n"
      "1: pause\n\t"
      "cmpl $0, %3\n\t"
      "je 1b"
      : "+r"(p), "+m"(gift), "=m"(holds)
      : "m"(let_go)
      : "memory", "cc");
#else
  p = gift;
  gift = NULL;
  atomic_store(&holds, 1);
  while (!atomic_load(&let_go)) __asm__ volatile("" : "+r"(p));
#endif
  if (!pattern_holds(p, BYTES, 5)) atomic_store(&lost, 1);
}

static int cloned(void *unused) {
  hold_in_register();
  return 0;
}

static void *unseen(void *unused) {
  hold_in_register();
  free(malloc(100)); /* now it is known */
  return unused;
}

/* No signal ever reaches it. It has no object. */
static int deaf(void *unused) {
  unsigned long all = ~0UL;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
  atomic_store(&holds, 1);
  while (!atomic_load(&let_go)) syscall(SYS_sched_yield);
  return 0;
}

/* It takes them now and then. */
static int hard_of_hearing(void *unused) {
  unsigned long all = ~0UL, none = 0;
  atomic_store(&holds, 1);
  while (!atomic_load(&let_go)) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    for (int i = 0; i < 100; i++) syscall(SYS_sched_yield);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
  }
  return 0;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

NOINLINE static void give(void) {
  void *p = malloc(BYTES);
  pattern_fill(p, BYTES, 5);
  gift = p;
}

static void clone_thread(int (*fn)(void *), char *stack) {
  cloned_lives = 1;
  CHECK(clone(fn, stack + STACK, CLONED, NULL, NULL, NULL, &cloned_lives) > 0, "clone: %s", strerror(errno));
}

static void collect_while_it_holds(void) {
  while (!atomic_load(&holds)) sched_yield();
  wipe();
  errno = ERANGE;
  for (int i = 0; i < COLLECTIONS; i++) {
    for (int k = 0; k < GARBAGE; k++) pattern_fill(malloc(BYTES), BYTES, 9);
    collect();
  }
  CHECK(errno == ERANGE, "errno %d", errno);
  atomic_store(&let_go, 1);
}

static void with_cloned(int (*fn)(void *), char *stack) {
  atomic_store(&holds, 0);
  atomic_store(&let_go, 0);
  clone_thread(fn, stack);
  collect_while_it_holds();
  while (*(volatile int *)&cloned_lives) sched_yield();
}

static void with_unseen(int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)) {
  pthread_t t;
  atomic_store(&holds, 0);
  atomic_store(&let_go, 0);
  CHECK(create(&t, NULL, unseen, NULL) == 0, "pthread_create");
  collect_while_it_holds();
  pthread_join(t, NULL);
}

int main(void) {
  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack != MAP_FAILED, "mmap");
  *(void **)&create = libc_own("pthread_create");
  int64_t start = now();
  for (int i = 0; i < ROUNDS; i++) {
    give();
    with_cloned(cloned, stack);
    CHECK(!atomic_load(&lost), "round %d: the object of a cloned thread was reclaimed", i);
    give();
    with_unseen(create);
    CHECK(!atomic_load(&lost), "round %d: the object of an unseen thread was reclaimed", i);
    if (i % 8 == 0) with_cloned(deaf, stack);
    if (i % 8 == 4) with_cloned(hard_of_hearing, stack);
  }
  CHECK(now() - start < LONGEST_NS, "somebody waited for a thread that takes no signals");
  puts("ok");
  return 0;
}
