/*
 * Threads that the library was never told of: made by a raw clone, with the thread-local storage of who made them, or
 * by the C library's pthread_create behind ours. Each has an object that nothing but one of its registers knows, while
 * collections run. Some have all signals blocked, always or now and then: nobody waits for them. They come and go, and
 * errno of who shares its thread-local storage with them stays as it is. Who sleeps in poll is not woken, and who takes
 * a lock of the runtime's without ever having allocated is not stopped there.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "support/libc.h"

enum { STACK = 64 << 10, BYTES = 136, ROUNDS = 40, COLLECTIONS = 3, GARBAGE = 400, ALLOCATIONS = 20000 };
#define CLONED (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID)
#define LONGEST_NS ((int64_t)20 * 1000 * 1000 * 1000)

static void *gift;
static atomic_int holds, let_go, lost;
static int cloned_lives;                                                              /* cleared by the kernel */
static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *); /* behind our back */

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

static void *sleeps(void *unused) {
  atomic_store(&holds, 1);
  while (!atomic_load(&let_go)) CHECK(poll(NULL, 0, 10) == 0, "poll: %s", strerror(errno));
  return unused;
}

static void *watches(void *unused) {
  int ends[2], epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = ends};
  CHECK(epoll >= 0 && pipe(ends) == 0, "epoll_create1, pipe: %s", strerror(errno));
  atomic_store(&holds, 1);
  while (!atomic_load(&let_go)) {
    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0, "add: %s", strerror(errno));
    CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, ends[0], &event) == 0, "del: %s", strerror(errno));
  }
  close(ends[0]);
  close(ends[1]);
  close(epoll);
  return unused;
}

static void *waits(void *unused) {
  sem_t never;
  sem_init(&never, 0, 0);
  atomic_store(&holds, 1);
  while (!atomic_load(&let_go)) {
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += (soon.tv_nsec += 10000000) / 1000000000;
    soon.tv_nsec %= 1000000000;
    CHECK(sem_timedwait(&never, &soon) == -1 && errno == ETIMEDOUT, "sem_timedwait: %s", strerror(errno));
  }
  return unused;
}

/* The child runs in its parent's memory, and is nobody whom a stop could ask. */
static void *has_children(void *unused) {
  atomic_store(&holds, 1);
  while (!atomic_load(&let_go)) {
    struct timespec little = {0, 1000};
    int status;
    pid_t child = vfork();
    if (child == 0) {
      nanosleep(&little, NULL);
      _exit(3);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child, "vfork: %s", strerror(errno));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3, "the child ended with %#x", (unsigned)status);
  }
  void *p = malloc(BYTES);
  pattern_fill(p, BYTES, 7);
  CHECK(pattern_holds(p, BYTES, 7), "not the thread's own");
  free(p);
  return unused;
}

/* In the name of the thread that made it, which waits; a third one collects. */
static int allocates(void *unused) {
  for (int i = 0; i < ALLOCATIONS; i++) {
    void *p = malloc(BYTES);
    pattern_fill(p, BYTES, 8);
    if (!pattern_holds(p, BYTES, 8)) atomic_store(&lost, 1);
    free(p);
  }
  return 0;
}

static void *collector(void *unused) {
  while (!atomic_load(&let_go)) {
    collect();
    atomic_fetch_add(&holds, 1);
  }
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

static void with_unseen(void *(*fn)(void *)) {
  pthread_t t;
  atomic_store(&holds, 0);
  atomic_store(&let_go, 0);
  CHECK(create(&t, NULL, fn, NULL) == 0, "pthread_create");
  collect_while_it_holds();
  pthread_join(t, NULL);
}

static void with_allocating(char *stack) {
  pthread_t t;
  atomic_store(&holds, 0);
  atomic_store(&let_go, 0);
  CHECK(pthread_create(&t, NULL, collector, NULL) == 0, "pthread_create");
  do {
    clone_thread(allocates, stack);
    while (*(volatile int *)&cloned_lives) sched_yield();
  } while (atomic_load(&holds) < COLLECTIONS);
  atomic_store(&let_go, 1);
  pthread_join(t, NULL);
}

int main(void) {
  void *(*const called[])(void *) = {sleeps, watches, waits, has_children};
  char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(stack != MAP_FAILED, "mmap");
  *(void **)&create = libc_own("pthread_create");
  int64_t spent = 0;
  for (int i = 0; i < ROUNDS; i++) {
    give();
    with_cloned(cloned, stack);
    CHECK(!atomic_load(&lost), "round %d: the object of a cloned thread was reclaimed", i);
    give();
    with_unseen(unseen);
    CHECK(!atomic_load(&lost), "round %d: the object of an unseen thread was reclaimed", i);
    int64_t start = now();
    if (i % 8 == 0) with_cloned(deaf, stack);
    if (i % 8 == 4) with_cloned(hard_of_hearing, stack);
    spent += now() - start;
    if (i % 4 == 1) with_unseen(called[i / 4 % 4]);
    if (i % 8 == 3) with_allocating(stack);
  }
  CHECK(spent < LONGEST_NS, "somebody waited for a thread that takes no signals");
  puts("ok");
  return 0;
}
