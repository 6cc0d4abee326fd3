/*
 * What programs tell the collector of their threads: a thread made behind the C library's back registers, a thread that
 * sleeps in a system call of its own is neither woken nor overlooked, one that has unregistered is left alone, and a
 * program's own settings come before its user's.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>

#include "support/probe.h"
#include "support/woken.h"

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
  long r = syscall(SYS_ppoll, &p, 1, NULL, NULL, 0);
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

/* Who waits for another's end is not woken by collections, in any of the ways to wait. */
static atomic_int joiner_tid;
static pthread_t awaited;
static thrd_t awaited_thrd;

static void *end_with_chain(void *unused) {
  struct pollfd p = {wake_up[0], POLLIN, 0};
  CHECK(poll(&p, 1, -1) == 1, "poll");
  return chain(11);
}

static int end_with_number(void *unused) {
  struct pollfd p = {wake_up[0], POLLIN, 0};
  return poll(&p, 1, -1) + 16;
}

static void *join(void *unused) {
  void *result = NULL;
  CHECK(pthread_join(awaited, &result) == 0, "pthread_join");
  check_chain(result, 11);
  return unused;
}

static void *join_until(void *unused) {
  struct timespec never = {.tv_sec = time(NULL) + 1000};
  void *result = NULL;
  CHECK(pthread_timedjoin_np(awaited, &result, &never) == 0, "pthread_timedjoin_np");
  check_chain(result, 11);
  return unused;
}

static void *join_thrd(void *unused) {
  int result = 0;
  CHECK(thrd_join(awaited_thrd, &result) == thrd_success && result == 17, "thrd_join gave %d", result);
  return unused;
}

static void *begin_to_join(void *how) {
  atomic_store(&joiner_tid, (int)syscall(SYS_gettid));
  return (*(void *(**)(void *))how)(NULL);
}

static void joins_sleep_on(void *(*how)(void *)) {
  pthread_t joiner;
  CHECK(pipe(wake_up) == 0, "pipe");
  if (how == join_thrd) {
    CHECK(thrd_create(&awaited_thrd, end_with_number, NULL) == thrd_success, "thrd_create");
  } else {
    CHECK(pthread_create(&awaited, NULL, end_with_chain, NULL) == 0, "pthread_create");
  }
  atomic_store(&joiner_tid, 0);
  CHECK(pthread_create(&joiner, NULL, begin_to_join, &how) == 0, "pthread_create");
  while (atomic_load(&joiner_tid) == 0) sched_yield();
  nanosleep(&(struct timespec){0, 50000000}, NULL);
  long before = times_woken(atomic_load(&joiner_tid));
  for (int i = 0; i < ROUNDS; i++) collect_garbage();
  long after = times_woken(atomic_load(&joiner_tid));
  CHECK(after - before <= 1, "the joiner was woken %ld times", after - before);
  CHECK(write(wake_up[1], "x", 1) == 1, "write");
  pthread_join(joiner, NULL);
}

static void no_join_before_its_time(void) {
  pthread_t t;
  void *result = &t;
  CHECK(pipe(wake_up) == 0, "pipe");
  CHECK(pthread_create(&t, NULL, end_with_chain, NULL) == 0, "pthread_create");
  struct timespec soon = {.tv_sec = time(NULL)};
  CHECK(pthread_timedjoin_np(t, &result, &soon) == ETIMEDOUT && result == &t, "it has not ended");
  CHECK(pthread_clockjoin_np(t, &result, CLOCK_REALTIME, &soon) == ETIMEDOUT && result == &t, "it has not ended");
  CHECK(pthread_clockjoin_np(t, &result, -5, &soon) == EINVAL, "there is no such clock");
  CHECK(write(wake_up[1], "x", 1) == 1, "write");
  soon.tv_sec += 1000;
  CHECK(pthread_clockjoin_np(t, &result, CLOCK_REALTIME, &soon) == 0, "pthread_clockjoin_np");
  check_chain(result, 11);
}

/* A join that is cancelled leaves the thread to the next. */
static void joins_can_be_cancelled(void) {
  pthread_t joiner;
  void *result;
  CHECK(pipe(wake_up) == 0, "pipe");
  CHECK(pthread_create(&awaited, NULL, end_with_chain, NULL) == 0, "pthread_create");
  CHECK(pthread_create(&joiner, NULL, join, NULL) == 0, "pthread_create");
  nanosleep(&(struct timespec){0, 20000000}, NULL);
  collect_garbage();
  CHECK(pthread_cancel(joiner) == 0, "pthread_cancel");
  CHECK(pthread_join(joiner, &result) == 0 && result == PTHREAD_CANCELED, "pthread_cancel");
  collect_garbage();
  CHECK(write(wake_up[1], "x", 1) == 1, "write");
  nanosleep(&(struct timespec){0, 20000000}, NULL);
  collect_garbage();
  join(NULL);
}

/* What nobody can ask for any more is collected, however soon the join or the detaching came. */
enum { BIG = 1 << 20, BIGS = 16 };

static void *big_result(void *unused) {
  return memset(tri_alloc_noscan(BIG), 1, BIG);
}

static void *big_result_unregistered(void *unused) {
  void *result = big_result(unused);
  CHECK(tri_thread_unregister() == 0, "unregister");
  return result;
}

NOINLINE static void join_at_once(void *(*fn)(void *)) {
  pthread_t t;
  void *result;
  CHECK(pthread_create(&t, NULL, fn, NULL) == 0 && pthread_join(t, &result) == 0 && result, "pthread_join");
}

NOINLINE static void detach_at_once(void *(*fn)(void *)) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, fn, NULL) == 0 && pthread_detach(t) == 0, "pthread_detach");
}

NOINLINE static void join_after_a_cancelled_join(void *(*fn)(void *)) {
  pthread_t joiner;
  void *result;
  CHECK(pipe(wake_up) == 0, "pipe");
  CHECK(pthread_create(&awaited, NULL, end_with_chain, NULL) == 0, "pthread_create");
  CHECK(pthread_create(&joiner, NULL, join, NULL) == 0, "pthread_create");
  nanosleep(&(struct timespec){0, 5000000}, NULL);
  CHECK(pthread_cancel(joiner) == 0 && pthread_join(joiner, &result) == 0, "pthread_cancel");
  CHECK(write(wake_up[1], "x", 1) == 1, "write");
  CHECK(pthread_join(awaited, &result) == 0, "pthread_join");
  close(wake_up[0]);
  close(wake_up[1]);
}

static unsigned long heap_bytes(void) {
  struct tri_stats s = {.size = sizeof s};
  wipe();
  for (int i = 0; i < 3; i++) collect_garbage();
  CHECK(tri_read_stats(&s) == 0, "tri_read_stats");
  return s.heap_alloc;
}

static void let_go(const char *how, void (*end)(void *(*)(void *)), void *(*fn)(void *), unsigned long most) {
  unsigned long before = heap_bytes();
  for (int i = 0; i < BIGS; i++) end(fn);
  nanosleep(&(struct timespec){0, 50000000}, NULL);
  unsigned long after = heap_bytes();
  CHECK(after < before + most, "%s: %lu bytes are kept", how, after - before);
}

/* The number is where the program wants it for the thread and for its maker, and nobody stores it there later. */
struct numbered {
  pthread_t thread;
};

static void *find_number(void *numbered) {
  struct numbered *n = numbered;
  CHECK(pthread_equal(n->thread, pthread_self()), "the thread does not find its number");
  memset(n, 0x55, sizeof *n);
  return numbered;
}

static void numbers_are_told(void) {
  for (int i = 0; i < 500; i++) {
    struct numbered n;
    pthread_t t;
    CHECK(pthread_create(&n.thread, NULL, find_number, &n) == 0, "pthread_create");
    memcpy(&t, &n.thread, sizeof t);
    if (t == 0x5555555555555555) continue; /* it was as quick as that */
    CHECK(pthread_join(t, NULL) == 0, "pthread_join");
    CHECK(n.thread == 0x5555555555555555, "the number was stored again");
  }
}

static void results_are_let_go(void) {
  let_go("joined at once", join_at_once, big_result, 3 * BIG);
  let_go("joined, unregistered", join_at_once, big_result_unregistered, 3 * BIG);
  let_go("detached at once", detach_at_once, big_result, 3 * BIG);
  let_go("detached, unregistered", detach_at_once, big_result_unregistered, 3 * BIG);
  let_go("joined after a cancelled join", join_after_a_cancelled_join, NULL, 4 * OBJECTS * sizeof(struct object));
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
  joins_sleep_on(join);
  joins_sleep_on(join_until);
  joins_sleep_on(join_thrd);
  no_join_before_its_time();
  joins_can_be_cancelled();
  numbers_are_told();
  results_are_let_go();
  check_chain(mine, 1);
  puts("ok");
  return 0;
}
