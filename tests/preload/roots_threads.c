/*
 * Objects whose only pointer belongs to another thread: its stack, its thread-local variables (static TLS, or the
 * dynamic TLS of the plugin in argument 1), its specific data, the start argument before it runs, its result after it
 * ended. The owner executes each put and get itself, between two barriers, and is blocked while main collects.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "support/keep.h"

static __thread void *in_tls[KEEP];
static pthread_key_t keys[KEEP];
static void (*plugin_put)(int, void *);
static void *(*plugin_get)(int);

static void put_tls(int i, void *p) {
  in_tls[i] = p;
}
static void *get_tls(int i) {
  return in_tls[i];
}
static void put_specific(int i, void *p) {
  pthread_setspecific(keys[i], p);
}
static void *get_specific(int i) {
  return pthread_getspecific(keys[i]);
}
static void put_dynamic(int i, void *p) {
  plugin_put(i, p);
}
static void *get_dynamic(int i) {
  return plugin_get(i);
}

static void **on_stack; /* an array in the first frame of the owner */
static void put_stack(int i, void *p) {
  on_stack[i] = p;
}
static void *get_stack(int i) {
  return on_stack[i];
}

/* The owner: executes one order of main at a time. */
static struct {
  pthread_barrier_t turn;
  enum { ORDER_PUT, ORDER_GET, ORDER_QUIT } order;
  const struct keep *kind;
  int i;
  uintptr_t hidden;
} owner;

NOINLINE static void obey(void) {
  if (owner.order == ORDER_PUT) owner.kind->put(owner.i, owner.hidden != 0 ? UNHIDE(owner.hidden) : NULL);
  if (owner.order == ORDER_GET) owner.hidden = HIDE(owner.kind->get(owner.i));
}

static void *owner_main(void *unused) {
  void *volatile array[KEEP] = {0};
  on_stack = (void **)array;
  bool quit = false;
  while (!quit) {
    pthread_barrier_wait(&owner.turn);
    quit = owner.order == ORDER_QUIT; /* read in our turn: behind the next barrier it may be the next order */
    obey();
    wipe();
    pthread_barrier_wait(&owner.turn);
  }
  on_stack = NULL;
  return unused;
}

static void order(int what, int i, uintptr_t hidden) {
  owner.order = what;
  owner.i = i;
  owner.hidden = hidden;
  pthread_barrier_wait(&owner.turn);
  pthread_barrier_wait(&owner.turn);
}

/* Until the owner has it the object is held here: a collection may come in between. */
static void put_owner(int i, void *p) {
  void *volatile held = p;
  order(ORDER_PUT, i, p == NULL ? 0 : HIDE(p));
  held = NULL;
  (void)held;
}
static void *get_owner(int i) {
  order(ORDER_GET, i, 0);
  return UNHIDE(owner.hidden);
}

static void in_owner(const char *name, void (*put)(int, void *), void *(*get)(int)) {
  struct keep inner = {name, put, get}, outer = {name, put_owner, get_owner};
  owner.kind = &inner;
  keep_run(&outer);
}

static void owners(void) {
  pthread_t t;
  pthread_barrier_init(&owner.turn, NULL, 2);
  CHECK(pthread_create(&t, NULL, owner_main, NULL) == 0, "pthread_create");
  in_owner("stack of a thread", put_stack, get_stack);
  in_owner("thread-local variable of a thread", put_tls, get_tls);
  in_owner("thread-specific data of a thread", put_specific, get_specific);
  in_owner("dynamic TLS of a thread", put_dynamic, get_dynamic);
  order(ORDER_QUIT, 0, 0);
  pthread_join(t, NULL);
}

/* Results of threads that ended and were not joined. */
static pthread_t ended[KEEP];
static bool joined[KEEP];

static void *give_back(void *arg) {
  return arg;
}

static void put_result(int i, void *p) {
  void *ignored;
  if (p != NULL) {
    CHECK(pthread_create(&ended[i], NULL, give_back, p) == 0, "pthread_create");
    usleep(500);
  } else if (!joined[i]) {
    pthread_join(ended[i], &ignored);
  }
}

static void *get_result(int i) {
  void *result = NULL;
  pthread_join(ended[i], &result);
  joined[i] = true;
  return result;
}

/* Start arguments: another thread collects without pause, so that collections fall between creation and first steps. */
static atomic_bool stop_collecting;
static atomic_int right;

static void *collect_always(void *unused) {
  while (!atomic_load(&stop_collecting)) collect();
  return unused;
}

static void *take_argument(void *arg) {
  CHECK(pattern_holds(arg, 300, 44), "a start argument was reclaimed");
  free(arg);
  atomic_fetch_add(&right, 1);
  return NULL;
}

NOINLINE static void start_one(pthread_t *t) {
  char *p = malloc(300);
  pattern_fill(p, 300, 44);
  CHECK(pthread_create(t, NULL, take_argument, p) == 0, "pthread_create");
}

static void start_arguments(void) {
  enum { GROUPS = 25, GROUP = 16 };
  pthread_t collector, t[GROUP];
  CHECK(pthread_create(&collector, NULL, collect_always, NULL) == 0, "pthread_create");
  for (int n = 0; n < GROUPS; n++) {
    for (int i = 0; i < GROUP; i++) start_one(&t[i]);
    wipe();
    for (int i = 0; i < GROUP; i++) pthread_join(t[i], NULL);
  }
  atomic_store(&stop_collecting, true);
  pthread_join(collector, NULL);
  CHECK(right == GROUPS * GROUP, "%d threads had their argument", right);
  puts("start argument");
}

int main(int argc, char **argv) {
  struct keep results = {"result of an ended thread", put_result, get_result};
  CHECK(argc > 1, "usage: roots_threads PLUGIN");
  void *handle = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  CHECK(handle != NULL, "%s", dlerror());
  CHECK(probe_symbol("plugin_put_tls", &plugin_put) && probe_symbol("plugin_get_tls", &plugin_get), "plugin");
  for (int i = 0; i < KEEP; i++) pthread_key_create(&keys[i], NULL);
  owners();
  keep_run(&results);
  start_arguments();
  puts("ok");
  return 0;
}
