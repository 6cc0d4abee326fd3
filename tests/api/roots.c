/*
 * Where the only pointer to an object may be: globals, thread-local storage of the main thread and of others,
 * thread-specific data, a registered range, the content of an uncollectable object, locals, an interior pointer; and
 * what must not keep an object: its freed holder. Each is looked at after collections that began while it was there. A
 * forked child has globals of its own, in pages that its parent has never touched.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/probe.h"

enum { SIZE = 176 };

static void *in_data = &in_data, *in_bss;
static __thread void *in_thread_local;
static pthread_key_t key;
static void **in_range;
static void **in_uncollectable;
static uintptr_t hidden[7];

static void *object(unsigned seed) {
  void *p = tri_alloc(SIZE);
  CHECK(p != NULL, "tri_alloc");
  pattern_fill(p, SIZE, seed);
  return p;
}

NOINLINE static void place(void) {
  tri_write(&in_data, object(0));
  tri_write(&in_bss, object(1));
  in_thread_local = object(2);
  pthread_setspecific(key, object(3));
  tri_write(in_range, object(4));
  tri_write(in_uncollectable, (char *)object(5) + 100);
  hidden[6] = HIDE(object(6));
}

static void churn_and_collect(void) {
  for (int i = 0; i < 20000; i++) tri_alloc(16 + (size_t)i % 400);
  tri_gc();
  wipe();
}

NOINLINE static void check(const void *p, unsigned seed, const char *where) {
  CHECK(pattern_holds(p, SIZE, seed), "the object that was pointed to from %s alone is gone", where);
}

static void check_all(void) {
  check(in_data, 0, ".data");
  check(in_bss, 1, ".bss");
  check(in_thread_local, 2, "thread-local storage");
  check(pthread_getspecific(key), 3, "thread-specific data");
  check(*in_range, 4, "a registered range");
  check((char *)*in_uncollectable - 100, 5, "an uncollectable object");
}

static atomic_bool placed, may_check;

static void *other_thread(void *unused) {
  in_thread_local = object(12);
  pthread_setspecific(key, object(13));
  wipe();
  atomic_store(&placed, true);
  while (!atomic_load(&may_check)) sched_yield();
  check(in_thread_local, 12, "another thread's thread-local storage");
  check(pthread_getspecific(key), 13, "another thread's specific data");
  return unused;
}

static void *sparse[1 << 19]; /* 4 MiB, touched by children only */

NOINLINE static void place_in_child(void) {
  tri_write(&sparse[300000], object(8));
  tri_write(&in_bss, in_bss); /* the barrier remembers the last store */
}

static void children_have_their_own_pages(void) {
  int status;
  pid_t pid = fork();
  CHECK(pid >= 0, "fork");
  if (pid == 0) {
    place_in_child();
    wipe();
    for (int i = 0; i < 3; i++) churn_and_collect();
    check(sparse[300000], 8, "a global of the child's");
    _exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0, "a child ended with %#x", status);
}

int main(void) {
  pthread_t t;
  CHECK(pthread_key_create(&key, NULL) == 0, "pthread_key_create");
  in_range = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(tri_roots_add(in_range, 4096) == 0, "tri_roots_add");
  in_uncollectable = tri_alloc_uncollectable(sizeof *in_uncollectable);
  CHECK(pthread_create(&t, NULL, other_thread, NULL) == 0, "pthread_create");
  while (!atomic_load(&placed)) sched_yield();
  place();
  wipe();
  for (int i = 0; i < 10; i++) churn_and_collect();
  check_all();
  CHECK(tri_base(UNHIDE(hidden[6])) != UNHIDE(hidden[6]) || !pattern_holds(UNHIDE(hidden[6]), SIZE, 6),
        "an object that nothing points to is still there");
  atomic_store(&may_check, true);
  pthread_join(t, NULL);
  children_have_their_own_pages();
  puts("ok");
  return 0;
}
