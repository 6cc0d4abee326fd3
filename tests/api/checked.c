/*
 * A program built with TRICOLOR_CHECKED: stores into objects, roots and stacks pass, and each wrong place ends the
 * program with one line that says what is wrong with it, whichever of the stores it is.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define TRICOLOR_CHECKED
#include "support/probe.h"

struct typed {
  uint64_t data[70];
  void *pointer;
};
TRI_TYPE(typed_type, struct typed, pointer);

static void *in_bss, *in_data = &in_data;
static __thread void *in_thread_local;

static void *odd_place(void) {
  static void *two[2];
  return (char *)two + 4;
}

static void *freed_object(void) {
  void *p = tri_alloc(64);
  tri_free(p);
  return p;
}

static void *const nothing[8];

static void by_write(void *slot) {
  tri_write(slot, NULL);
}
static void by_memmove(void *slot) {
  tri_memmove(slot, nothing, 20);
}
static void by_memcpy(void *slot) {
  tri_memcpy(slot, nothing, 32);
}
static void by_assign(void *slot) {
  TRI_ASSIGN((void **)slot, nothing);
}
static void by_exchange(void *slot) {
  tri_atomic_exchange(slot, NULL);
}
static void by_cas(void *slot) {
  tri_atomic_cas(slot, NULL, NULL);
}
static void (*const stores[])(void *) = {by_write, by_memmove, by_memcpy, by_assign, by_exchange, by_cas};
enum { STORES = sizeof stores / sizeof stores[0] };

/* These may meet the type's other words, and bytes at either end that are no whole word. */
static void copy_rightly(void *registered) {
  struct typed *t = tri_alloc_typed(&typed_type, 3), other = {.pointer = t};
  unsigned char *bytes = tri_alloc_noscan(16);
  TRI_ASSIGN(&t[2], &other);
  CHECK(t[2].pointer == t, "TRI_ASSIGN");
  tri_memcpy(&other, t, sizeof other);
  tri_zero(t, 3 * sizeof *t);
  CHECK(!t[2].pointer && !other.pointer, "tri_zero");
  tri_memmove(registered, nothing, sizeof nothing);
  tri_zero(bytes, 16);
  tri_memcpy(bytes + 1, "letters", 7);
  CHECK(memcmp(bytes, "\0letters", 8) == 0, "tri_memcpy");
}

static void on_signal(int sig) {
  void *on_alternate_stack = NULL;
  tri_write(&on_alternate_stack, NULL);
  tri_memmove(&on_alternate_stack, nothing, sizeof on_alternate_stack);
}

static void *store_elsewhere(void *mains_local) {
  static char memory[64 << 10];
  stack_t ss = {.ss_sp = memory, .ss_size = sizeof memory};
  CHECK(sigaltstack(&ss, NULL) == 0, "sigaltstack");
  raise(SIGUSR1);
  if (mains_local) tri_write(mains_local, NULL);
  return NULL;
}

/* Locals of others are right only with stacks=together. */
static void store_on_stacks(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
  const char *settings = getenv("TRICOLOR");
  void *local = NULL;
  pthread_t t;
  sigaction(SIGUSR1, &action, NULL);
  bool together = settings && strstr(settings, "stacks=together");
  CHECK(pthread_create(&t, NULL, store_elsewhere, together ? &local : NULL) == 0, "pthread_create");
  CHECK(pthread_join(t, NULL) == 0, "pthread_join");
}

static const struct {
  const char *says;
  int kind;
} wrong[] = {{"not aligned", 0},      {"free memory", 1},
             {"tri_alloc_noscan", 2}, {"neither in an object nor in a root", 3},
             {"does not name", 4},    {"does not name", 5}};

static void *wrong_slot(int kind) {
  switch (kind) {
    case 0:
      return odd_place();
    case 1:
      return freed_object();
    case 2:
      return tri_alloc_noscan(64);
    case 4:
      return &((struct typed *)tri_alloc_typed(&typed_type, 3))[2].data[69];
    case 5:
      return &((struct typed *)tri_alloc_typed(&typed_type, 3000))[2999].data[0];
    default:
      return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
}

static void must_die(void (*store)(void *), int kind, const char *says) {
  int out[2], status = 0;
  CHECK(pipe(out) == 0, "pipe");
  pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], 2);
    store(wrong_slot(kind));
    _exit(0);
  }
  close(out[1]);
  char text[1000] = "";
  size_t n = 0;
  for (ssize_t r; n + 1 < sizeof text && (r = read(out[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)r;
  CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "kind %d: status %#x",
        kind, status);
  CHECK(strstr(text, says), "kind %d says: %s", kind, text);
}

int main(void) {
  void *on_stack, **object = tri_alloc(64),
                  **registered = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(tri_roots_add(registered, 4096) == 0, "tri_roots_add");
  void **right[] = {&in_bss,
                    &in_data,
                    &in_thread_local,
                    &on_stack,
                    object + 3,
                    registered + 5,
                    tri_alloc(1 << 20),
                    tri_alloc_uncollectable(8),
                    &((struct typed *)tri_alloc_typed(&typed_type, 3))[2].pointer};
  for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) tri_write(right[i], object);
  copy_rightly(registered);
  store_on_stacks();
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) must_die(by_write, wrong[i].kind, wrong[i].says);
  for (size_t i = 1; i < STORES; i++)
    for (size_t j = 1; j < 4; j++) must_die(stores[i], wrong[j].kind, wrong[j].says);
  puts("ok");
  return 0;
}
