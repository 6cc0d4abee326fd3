/*
 * What programs tell the collector of their threads: a thread made behind the C library's back registers, a thread that
 * sleeps in a system call of its own is neither woken nor overlooked, one that has unregistered is left alone, and a
 * program's own settings come before its user's.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "support/probe.h"

enum { OBJECTS = 200, ROUNDS = 20 };

struct object {
  struct object *next;
  unsigned long tag;
};

static struct object *chain(unsigned long tag) {
  struct object *list = NULL;
  for (int i = 0; i < OBJECTS; i++) {
    struct object *o = tri_alloc(sizeof *o);
    o->tag = tag;
    tri_write(&o->next, list);
    list = o;
  }
  return list;
}

static void check_chain(const struct object *list, unsigned long tag) {
  int n = 0;
  for (; list; list = list->next, n++) CHECK(list->tag == tag, "an object of chain %lu has tag %#lx", tag, list->tag);
  CHECK(n == OBJECTS, "%d objects are left", n);
}

static void collect_garbage(void) {
  for (int i = 0; i < 50; i++) chain(99);
  tri_gc();
}

/* A sleeper: poll by its number, which the library does not know; ended by a byte in the pipe. */
static int wake_up[2];
static atomic_int asleep, interrupted;

static void *sleep_by_number(void *unused) {
  struct object *mine = chain(7);
  struct {
    int fd;
    short events, revents;
  } p = {wake_up[0], 1, 0};
  struct tri_blocking b;
  atomic_fetch_add(&asleep, 1);
  tri_blocking_begin(&b);
  long r = syscall(SYS_poll, &p, 1, -1);
  tri_blocking_end(&b);
  if (r != 1) atomic_fetch_add(&interrupted, 1);
  check_chain(mine, 7);
  return unused;
}

static void sleepers_sleep_on(void) {
  pthread_t t[4];
  CHECK(pipe(wake_up) == 0, "pipe");
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&t[i], NULL, sleep_by_number, NULL) == 0, "pthread_create");
  while (atomic_load(&asleep) < 4) sched_yield();
  nanosleep(&(struct timespec){0, 20000000}, NULL);
  for (int i = 0; i < ROUNDS; i++) collect_garbage();
  CHECK(write(wake_up[1], "x", 1) == 1, "write");
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  CHECK(atomic_load(&interrupted) == 0, "%d sleepers were interrupted", atomic_load(&interrupted));
}

/* A thread that has unregistered is not stopped: it spins without ever calling anything, all signals blocked. */
static atomic_bool gone, may_end;

static void *unregister(void *unused) {
  check_chain(chain(8), 8);
  CHECK(tri_thread_unregister() == 0, "unregister");
  CHECK(tri_thread_unregister() == -1 && errno == EINVAL, "unregistered twice");
  unsigned long all = ~0ul;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, 8);
  atomic_store(&gone, true);
  while (!atomic_load(&may_end)) continue;
  syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &all, NULL, 8);
  CHECK(tri_thread_register() == 0, "register again");
  check_chain(chain(9), 9);
  return unused;
}

static void unregistered_are_left_alone(void) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, unregister, NULL) == 0, "pthread_create");
  while (!atomic_load(&gone)) sched_yield();
  for (int i = 0; i < ROUNDS; i++) collect_garbage();
  atomic_store(&may_end, true);
  pthread_join(t, NULL);
}

static void results_wait_for_their_join(void) {
  enum { MANY = 30 };
  pthread_t t[MANY];
  for (unsigned long i = 0; i < MANY; i++)
    CHECK(pthread_create(&t[i], NULL, (void *(*)(void *))(void (*)(void))chain, (void *)i) == 0, "pthread_create");
  nanosleep(&(struct timespec){0, 50000000}, NULL);
  collect_garbage();
  for (unsigned long i = 0; i < MANY; i++) {
    void *result = NULL;
    CHECK(pthread_join(t[i], &result) == 0 && result, "pthread_join");
    collect_garbage();
    check_chain(result, i);
  }
}

int main(void) {
  struct tri_options options = {.size = sizeof options, .gogc = "37", .tricolor = "ballast=1MiB"};
  CHECK(tri_init(NULL) == -1 && errno == EINVAL, "no options");
  CHECK(tri_init(&options) == 0, "tri_init");
  CHECK(tri_init(&options) == -1 && errno == EBUSY, "tri_init twice");
  struct object *mine = chain(1);
  sleepers_sleep_on();
  unregistered_are_left_alone();
  results_wait_for_their_join();
  check_chain(mine, 1);
  puts("ok");
  return 0;
}
