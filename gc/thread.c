/*
 * The registry of threads. A thread gets in when pthread_create's trampoline runs (gc/pthread_hooks.c) or at its first
 * allocation or free. Past its last key destructor it gives up its spans and is "leaving": the C library still frees
 * memory and unmaps cached stacks on it, which must not happen in a stopped world, so it stays registered and is
 * stopped like any other until it is dead (tgkill says ESRCH). The main thread alone is taken out at once: it does none
 * of that, and a main thread that has ended stays a zombie. A thread that is first seen when it frees counts as leaving
 * from then on: the C library's own threads, that may be past their destructors already.
 *
 * Invariants:
 *   [THREAD-1] a block is in the list from before its thread's first allocation; blocks are type-stable (their mcache
 *              is asked by freeing threads) and are reused.
 *   [THREAD-3] blocks are taken from and given to their pool under the registry lock, which fork holds: the child finds
 *              no half-done change of the list or the pool.
 *   [THREAD-2] the registry lock is held through every stop (between two tries of one it is not); a thread waits for
 *              it outside the runtime (in_runtime 0, or not yet in the list), so a stop never waits for a thread that
 *              waits for the stop.
 *
 * Locks: registry, then centrals, heap, fixalloc. Who has the registry outside the runtime keeps the program's handlers
 * off: one that forks would wait for its own thread. Who waits for it lets them in now and then: a program may stop its
 * threads by signals, one that forks, and has the registry, among them. Forbidden: allocating from the collected heap
 * while holding it; pthread_getattr_np allocates and is therefore called after registration, outside the runtime.
 */
#include "gc/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/fixalloc.h"
#include "gc/scanstack.h"
#include "gc/signals.h"
#include "gc/stop.h"
#include "gc/strangers.h"
#include "gc/thread_record.h"
#include "gc/worker.h"
#include "gc/write.h"
#include "internal/check.h"
#include "internal/race.h"
#include "internal/state.h"

struct tri_thread tri_thread_none = {.in_runtime = 1};
struct tri_thread tri_thread_gone = {.in_runtime = 1};
TRI_TLS struct tri_thread *tri_self = &tri_thread_none;

struct tri_lock tri_registry_lock = TRI_LOCK_INIT(TRI_RANK_REGISTRY);

static struct tri_thread *threads; /* guarded by tri_registry_lock */
static struct tri_fixalloc thread_pool = TRI_FIXALLOC_INIT(sizeof(struct tri_thread));
enum { REAP_STEP = 32, ANNOUNCED = 4096 };
static unsigned nleaving, reap_at = REAP_STEP; /* guarded by tri_registry_lock */
static pthread_key_t exit_key;
static tri_aint exit_key_state; /* 0 none, 1 ready, 2 refused */

struct tri_thread *tri_thread_first(void) {
  return threads;
}

static tri_aint company; /* 1 for good when there was a second thread, or is to be */

static void list_add(struct tri_thread *t) {
  t->prev = NULL;
  t->next = threads;
  if (threads) threads->prev = t;
  threads = t;
  if (t->next) tri_int_store_rel(&company, 1);
}

static void list_remove(struct tri_thread *t) {
  if (t->prev) {
    t->prev->next = t->next;
  } else {
    threads = t->next;
  }
  if (t->next) t->next->prev = t->prev;
}

extern void *__libc_stack_end; /* the first thread's highest frame */

bool tri_thread_is_on_own_stack(const struct tri_thread *t, uintptr_t sp) {
  enum { FIRST_STACK_USED = 1 << 20 };
  uintptr_t top = (uintptr_t)__libc_stack_end;
  if (t->self_stack) return sp < top && top - sp < FIRST_STACK_USED;
  return sp >= t->stack_lo && sp < t->stack_hi;
}

bool tri_thread_is_alone(void) {
  return tri_int_load_acq(&company) == 0;
}

void tri_thread_is_coming(void) {
  tri_int_store_rel(&company, 1);
}

static TRI_TLS unsigned exit_rounds;

/* Destructors of the program's keys run after this one, with their values in registers: the thread stays registered,
 * and is stopped like any other, until the last round that the C library makes. */
static void exit_destructor(void *block) {
  if (++exit_rounds < PTHREAD_DESTRUCTOR_ITERATIONS && pthread_setspecific(exit_key, block) == 0) return;
  tri_thread_leave();
}

static void arm_exit(struct tri_thread *t) {
  if (tri_int_load_acq(&exit_key_state) == 0) {
    bool made = pthread_key_create(&exit_key, exit_destructor) == 0;
    tri_int_store_rel(&exit_key_state, made ? 1 : 2);
  }
  if (tri_int_load_acq(&exit_key_state) == 1) pthread_setspecific(exit_key, t);
}

/* A block with our tid belongs to a thread that died without its destructor. */
static void reap_namesake(int tid) {
  for (struct tri_thread *t = threads, *next; t; t = next) {
    next = t->next;
    if (t->tid == tid) tri_thread_reap(t);
  }
}

static uintptr_t thread_pointer(void) {
  uintptr_t p = 0;
#if defined(__x86_64__)
  __asm__("mov %%fs:0, %0" : "=r"(p));
#elif defined(__aarch64__)
  __asm__("mrs %0, tpidr_el0" : "=r"(p));
#endif
  return p;
}

static void set_leaving(struct tri_thread *t) {
  if (!tri_int_load_rlx(&t->leaving)) nleaving++;
  tri_int_store_rel(&t->leaving, 1);
}

static void init_block(struct tri_thread *t, int tid) {
  tri_mcache_init(&t->mcache);
  t->tid = tid;
  t->stack_lo = t->stack_hi = t->sp = t->alt_base = 0;
  t->thread_pointer = t->struct_pthread = 0;
  t->self_stack = t->alt_stack = t->stranger = t->unheard = false;
  t->excused_stop = 0;
  t->barrier = NULL;
  tri_int_store_rlx(&t->in_runtime, 0);
  tri_int_store_rlx(&t->stop_pending, 0);
  tri_int_store_rlx(&t->stop_request, 0);
  tri_int_store_rlx(&t->acked_stop, 0);
  tri_int_store_rlx(&t->leaving, 0);
  tri_int_store_rlx(&t->region, 0);
  tri_int_store_rlx(&t->scan, TRI_SCAN_NONE);
  t->on_stack = NULL;
  t->ninterrupted = 0;
  t->grown = 0;
  memset(t->interrupted, 0, sizeof t->interrupted);
  memset(t->kernel_writes, 0, sizeof t->kernel_writes);
  t->nkernel_writes = 0;
  memset(t->left_registers, 0, sizeof t->left_registers);
  t->shader = (struct tri_shader){0};
  tri_wbbuf_empty(&t->wbbuf);
}

static void register_locked(struct tri_thread *t) {
  init_block(t, (int)syscall(SYS_gettid));
  t->thread_pointer = thread_pointer();
  t->struct_pthread = (uintptr_t)pthread_self();
  t->self_stack = t->tid == getpid();
  reap_namesake(t->tid);
  tri_strangers_has_registered(t->tid);
  t->barrier = &tri_barrier_self;
  t->barrier->state = tri_int_load_rlx(&tri_state.barrier); /* no stop begins: the registry is locked */
  tri_self = t;
  list_add(t);
}

/* A process's first thread stays a zombie that takes signals until the process ends. "TID (name) S ...": the name may
 * hold anything, so the last parenthesis counts. */
static bool leader_is_zombie(void) {
  char stat[256];
  long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  long n = syscall(SYS_read, fd, stat, sizeof stat);
  syscall(SYS_close, fd);
  while (n > 0 && stat[n - 1] != ')') n--;
  return n > 0 && (size_t)n + 1 < sizeof stat && stat[n + 1] == 'Z';
}

bool tri_thread_is_dead(const struct tri_thread *t) {
  int saved_errno = errno, pid = getpid();
  bool dead = syscall(SYS_tgkill, pid, t->tid, 0) != 0 && errno == ESRCH;
  if (!dead && t->tid == pid) dead = leader_is_zombie();
  if (!dead && tri_int_load_rlx(&t->leaving)) dead = tri_worker_has_tid(t->tid); /* who does not register */
  errno = saved_errno;
  return dead;
}

/* Frees the blocks of threads that have died, when there are many of them. */
static void reap_left(void) {
  unsigned still = 0;
  if (nleaving < reap_at) return;
  for (struct tri_thread *t = threads, *next; t; t = next) {
    next = t->next;
    if (!tri_int_load_rlx(&t->leaving) || t == tri_self) continue;
    if (tri_thread_is_dead(t)) {
      tri_thread_reap(t);
    } else {
      still++;
    }
  }
  reap_at = still * 2 + REAP_STEP;
}

/* Those that wait for the lock in order to register, with the program's handlers kept off: they are no strangers to a
 * stop, though not in the list. Where there are more than entries, some are taken for such. */
static struct announced { tri_aint tid; /* 0: free */ } announced[ANNOUNCED];
static tri_aint waiting; /* so many threads */

static struct announced *announce(void) {
  unsigned tid = (unsigned)syscall(SYS_gettid);
  tri_int_fetch_add_acq_rel(&waiting, 1);
  for (unsigned i = 0; i < ANNOUNCED; i++)
    if (tri_int_cas_acq_rel(&announced[(tid + i) % ANNOUNCED].tid, 0, tid)) return &announced[(tid + i) % ANNOUNCED];
  return NULL;
}

static void retract(struct announced *mine) {
  if (mine) tri_int_store_rel(&mine->tid, 0);
  tri_int_fetch_add_acq_rel(&waiting, -1u);
}

unsigned tri_thread_number_waiting(void) {
  return tri_int_load_acq(&waiting);
}

bool tri_thread_waits_to_register(int tid) {
  for (unsigned i = 0; i < ANNOUNCED && tri_thread_number_waiting() > 0; i++)
    if (tri_int_load_acq(&announced[((unsigned)tid + i) % ANNOUNCED].tid) == (unsigned)tid) return true;
  return false;
}

/* The longer the more often the lock was not to be had: who waits anew waits behind others. */
static uint64_t take_registry(bool to_register) {
  enum { MOST_WAITS = 50 };
  for (unsigned waits = 1;; waits = tri_min(waits * 2, MOST_WAITS)) {
    uint64_t mask = tri_signals_keep_off();
    struct announced *mine = to_register ? announce() : NULL;
    bool taken = tri_lock_acquire_within(&tri_registry_lock, TRI_HANDLERS_WAIT_NS * waits);
    if (to_register) retract(mine);
    if (taken) return mask;
    tri_signals_let_in(mask);
  }
}

uint64_t tri_thread_take_registry(void) {
  return take_registry(false);
}

void tri_thread_give_registry(uint64_t mask) {
  tri_lock_release(&tri_registry_lock);
  tri_signals_let_in(mask);
}

/* Woken one by the other, each when it gets a CPU, they would not be in before the next stop, which makes more wait. */
void tri_thread_release_registry_to_all(void) {
  bool several = tri_thread_number_waiting() > 1;
  tri_lock_release(&tri_registry_lock);
  if (several) tri_lock_wake_all(&tri_registry_lock);
}

static struct tri_thread *make_block(bool leaving) {
  struct tri_thread *t = tri_fixalloc_alloc(&thread_pool);
  if (t) {
    reap_left();
    register_locked(t);
    if (leaving) set_leaving(t);
  }
  return t;
}

static struct tri_thread *register_self(bool leaving) {
  struct tri_thread *t = tri_self;
  if (tri_thread_is_registered(t)) return t;
  int saved_errno = errno;
  uint64_t mask = take_registry(true);
  TRI_RACE_POINT(THREAD_JOINS);
  t = tri_self; /* a handler may have come first */
  bool made = !tri_thread_is_registered(t);
  if (made) t = make_block(leaving);
  tri_lock_release(&tri_registry_lock);
  if (made && t) arm_exit(t); /* before a handler may end the thread */
  tri_signals_let_in(mask);
  errno = saved_errno;
  return t;
}

struct tri_thread *tri_thread_adopt(int tid) {
  tri_lock_assert_held(&tri_registry_lock);
  struct tri_thread *t = tri_fixalloc_alloc(&thread_pool);
  if (!t) return NULL;
  init_block(t, tid);
  t->stranger = true;
  list_add(t);
  return t;
}

struct tri_thread *tri_thread_register_self(void) {
  return register_self(false);
}

void tri_thread_adopt_self(void) {
  register_self(true);
}

void tri_thread_find_stack(struct tri_thread *t) {
  pthread_attr_t attr;
  void *lo;
  size_t size;
  if (t->self_stack || t->stack_hi) return;
  int saved_errno = errno;
  if (pthread_getattr_np(pthread_self(), &attr) == 0) {
    if (pthread_attr_getstack(&attr, &lo, &size) == 0) {
      t->stack_lo = (uintptr_t)lo;
      t->stack_hi = (uintptr_t)lo + size;
    }
    pthread_attr_destroy(&attr);
  }
  errno = saved_errno;
}

bool tri_thread_will_leave(void) {
  return tri_thread_is_registered(tri_self) && tri_int_load_acq(&exit_key_state) == 1;
}

static void give_up(struct tri_thread *t) {
  tri_runtime_enter(t);
  tri_mcache_release(&t->mcache);
  tri_write_flush(t);
  tri_runtime_leave(t);
}

static void take_out(struct tri_thread *t, struct tri_thread *instead) {
  uint64_t mask = tri_thread_take_registry();
  if (tri_self == t) { /* no handler has done it meanwhile */
    tri_write_flush(t);
    list_remove(t);
    if (tri_int_load_rlx(&t->leaving)) nleaving--;
    tri_scanstack_drop(t);
    t->barrier->state = TRI_BARRIER_UNREGISTERED;
    tri_self = instead;
    tri_fixalloc_free(&thread_pool, t);
  }
  tri_thread_give_registry(mask);
}

bool tri_thread_unregister_self(void) {
  struct tri_thread *t = tri_self;
  if (!tri_thread_is_registered(t) || tri_int_load_rlx(&t->in_runtime)) return false;
  give_up(t);
  if (tri_int_load_acq(&exit_key_state) == 1) pthread_setspecific(exit_key, NULL);
  take_out(t, &tri_thread_none);
  return true;
}

void tri_thread_leave(void) {
  struct tri_thread *t = tri_self;
  if (!tri_thread_is_registered(t) || tri_int_load_rlx(&t->in_runtime)) return;
  tri_thread_record_ends();
  give_up(t);
  if (t->self_stack) { /* it stays a zombie that answers no signal until the process ends */
    take_out(t, &tri_thread_gone);
    return;
  }
  uint64_t mask = tri_thread_take_registry();
  t->barrier->state = TRI_BARRIER_UNREGISTERED; /* its memory may go before the thread is known to be dead */
  t->barrier = NULL;
  set_leaving(t);
  reap_left();
  tri_thread_give_registry(mask);
}

void tri_thread_reap(struct tri_thread *t) {
  tri_lock_assert_held(&tri_registry_lock);
  list_remove(t);
  if (tri_int_load_rlx(&t->leaving)) nleaving--;
  tri_fetch_add_rlx(&tri_state.heap_live, (uint64_t)t->mcache.live_delta);
  tri_mcache_discard_stw(&t->mcache);
  tri_write_flush(t);
  if (t->stranger) tri_strangers_drop(t);
  tri_scanstack_drop(t);
  tri_fixalloc_free(&thread_pool, t);
}

bool tri_thread_after_fork(void) {
  bool inside = false;
  if (tri_int_load_rlx(&waiting) > 0) memset(announced, 0, sizeof announced);
  tri_int_store_rlx(&waiting, 0);
  for (struct tri_thread *t = threads, *next; t; t = next) {
    next = t->next;
    if (t == tri_self) continue;
    inside |= tri_int_load_rlx(&t->in_runtime) != 0;
    tri_thread_reap(t);
  }
  if (tri_thread_is_registered(tri_self)) {
    tri_self->tid = (int)syscall(SYS_gettid);
  }
  return inside;
}
