/*
 * The edges of what the collector knows, in API mode: a thread that was made before the program's first object and only
 * reads; coroutines whose stacks have guard pages, suspended with objects in the frame that switches; thread-local
 * storage of a library that was loaded late; and children of fork, which must get the loader's lock although another
 * thread collects all the time.
 *
 *   edges PLUGIN
 */
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "support/probe.h"

enum { SIZE = 208, COROUTINES = 20, STACK_BYTES = 64 << 10, GUARD_BYTES = 64 << 10, FORKS = 60 };

static void *volatile box;
static atomic_int step;

NOINLINE static void *object(unsigned seed) {
  void *p = tri_alloc(SIZE);
  pattern_fill(p, SIZE, seed);
  return p;
}

static void collect_twice(void) {
  wipe();
  tri_gc();
  for (int i = 0; i < 20000; i++) object(99);
  tri_gc();
}

/* Before anything else of the library is called. */
static void *reader(void *unused) {
  while (atomic_load(&step) < 1) sched_yield();
  void *volatile mine = box;
  atomic_store(&step, 2);
  while (atomic_load(&step) < 3) sched_yield();
  CHECK(pattern_holds(mine, SIZE, 7), "the object of a thread that only reads is gone");
  return unused;
}

NOINLINE static void put(void) {
  tri_write((void *)&box, object(7));
}

static void early_threads_are_known(void) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, reader, NULL) == 0, "pthread_create");
  put();
  wipe();
  atomic_store(&step, 1);
  while (atomic_load(&step) < 2) sched_yield();
  tri_write((void *)&box, NULL);
  collect_twice();
  atomic_store(&step, 3);
  pthread_join(t, NULL);
}

static ucontext_t caller, context[COROUTINES];
static tri_stack *stack[COROUTINES];
static int current;

NOINLINE static void hold_over_a_switch(int me) {
  void *volatile p = object((unsigned)me);
  tri_stack_switch(NULL);
  swapcontext(&context[me], &caller);
  CHECK(pattern_holds(p, SIZE, (unsigned)me), "the object of suspended coroutine %d is gone", me);
}

static void coroutine(void) {
  hold_over_a_switch(current);
  tri_stack_switch(NULL);
  swapcontext(&context[current], &caller);
}

static void resume(int i) {
  current = i;
  tri_stack_switch(stack[i]);
  swapcontext(&caller, &context[i]);
}

static char *guarded(void) {
  char *p = mmap(NULL, STACK_BYTES + 2 * GUARD_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(p + GUARD_BYTES, STACK_BYTES, PROT_READ | PROT_WRITE);
  return p + GUARD_BYTES;
}

static void coroutines_keep_their_frames(void) {
  for (int i = 0; i < COROUTINES; i++) {
    char *memory = guarded();
    stack[i] = tri_stack_register(memory, STACK_BYTES);
    getcontext(&context[i]);
    context[i].uc_stack.ss_sp = memory;
    context[i].uc_stack.ss_size = STACK_BYTES;
    makecontext(&context[i], coroutine, 0);
    resume(i);
  }
  collect_twice();
  for (int i = 0; i < COROUTINES; i++) resume(i);
  for (int i = 0; i < COROUTINES; i++) tri_stack_unregister(stack[i]);
}

static void late_thread_locals_are_roots(const char *plugin) {
  void **(*slot)(void);
  void *library = dlopen(plugin, RTLD_NOW);
  CHECK(library != NULL, "%s", dlerror());
  *(void **)&slot = dlsym(library, "plugin_slot");
  *slot() = object(5);
  collect_twice();
  CHECK(pattern_holds(*slot(), SIZE, 5), "what a late library's thread-local storage points to is gone");
}

static atomic_bool stopping;

static void *collect_on_and_on(void *unused) {
  while (!atomic_load(&stopping)) tri_gc();
  return unused;
}

static int first_only(struct dl_phdr_info *info, size_t size, void *unused) {
  return 1;
}

static void children_get_the_loaders_lock(void) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, collect_on_and_on, NULL) == 0, "pthread_create");
  for (int i = 0; i < FORKS; i++) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
      alarm(10);
      dl_iterate_phdr(first_only, NULL);
      tri_gc();
      _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "child %d ended with %#x", i, status);
  }
  atomic_store(&stopping, true);
  pthread_join(t, NULL);
}

int main(int argc, char **argv) {
  CHECK(argc > 1, "usage: edges PLUGIN");
  early_threads_are_known();
  coroutines_keep_their_frames();
  late_thread_locals_are_roots(argv[1]);
  children_get_the_loaders_lock();
  puts("ok");
  return 0;
}
