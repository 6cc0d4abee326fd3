/*
 * pthread_create and thrd_create, interposed, and with them what ends a thread or takes its result. The new thread's
 * trampoline registers it before the program's function runs. Until then its start argument may be nowhere but in the
 * kernel's hands, so the thread's record (off-heap) is listed and is a root; the trampoline has copied the argument to
 * its own stack and is registered when it lets go of the record's.
 *
 * A result lies in struct pthread until it is joined. In malloc mode that is scanned as part of the thread's mapping.
 * In API mode, where mappings are not, the record stays and holds the result until somebody has joined or detached the
 * thread; a join that has begun claims the record first, since the thread's number is free for another as soon as it
 * has succeeded.
 *
 * So that a thread may be joined or detached before it has run, the C library, which stores the number before it starts
 * the thread, stores it into the record. The program finds it where it wants it both when its maker comes back and when
 * the thread's function runs: who gets there first stores it, since the other may have let go of that memory.
 *
 * So in API mode a join is a safe region too: what it fetches in a stopped world is held by the record until it is out.
 * Not in malloc mode, where the C library may free the dead thread's memory, by our free(), before it comes back.
 *
 * Locks: the registry's guards the list of records and their pool: nobody is between "listed" and "registered" while
 * the world stops. Program memory is written under it in one place, tell_number.
 */
#include "gc/pthread_hooks.h"

#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "alloc/fixalloc.h"
#include "gc/real.h"
#include "gc/region.h"
#include "gc/runtime.h"
#include "gc/thread.h"
#include "internal/check.h"
#include "internal/race.h"

struct thread_record {
  struct thread_record *next, *prev;
  void *(*fn)(void *);
  thrd_start_t thrd_fn;
  void *word;            /* the argument, later the result */
  pthread_t thread;      /* stored by the C library before the thread runs; 0: by nobody yet */
  pthread_t *ret_thread; /* where the program wants it; NULL once it is there */
  bool being_made;       /* its maker comes back to it; who drops it meanwhile leaves it to the maker */
  bool dropped, claimed, detached, ended;
};

static struct thread_record *records; /* guarded by tri_registry_lock */
static struct tri_fixalloc record_pool = TRI_FIXALLOC_INIT(sizeof(struct thread_record));
static TRI_TLS struct thread_record *own; /* of a thread whose result is held here */
static TRI_TLS unsigned creating;

bool tri_pthread_creating(void) {
  return creating != 0;
}

static struct thread_record *record_add(const struct thread_record *from) {
  tri_lock_acquire(&tri_registry_lock);
  struct thread_record *r = tri_fixalloc_alloc(&record_pool);
  if (r) {
    *r = *from;
    r->prev = NULL;
    r->next = records;
    if (records) records->prev = r;
    records = r;
  }
  tri_lock_release(&tri_registry_lock);
  return r;
}

static void remove_locked(struct thread_record *r) {
  if (r->being_made) {
    r->dropped = true;
    r->word = NULL;
    return;
  }
  if (r->prev) {
    r->prev->next = r->next;
  } else {
    records = r->next;
  }
  if (r->next) r->next->prev = r->prev;
  tri_fixalloc_free(&record_pool, r);
}

static void record_remove(struct thread_record *r) {
  tri_lock_acquire(&tri_registry_lock);
  remove_locked(r);
  tri_lock_release(&tri_registry_lock);
}

void tri_pthread_each_word(void (*fn)(uintptr_t word, void *), void *arg) {
  for (struct thread_record *r = records; r; r = r->next) fn((uintptr_t)r->word, arg);
}

void tri_pthread_after_fork(void) {
  own = NULL;
  while (records) {
    struct thread_record *r = records;
    records = r->next;
    tri_fixalloc_free(&record_pool, r);
  }
}

/* Beginning. */

static void tell_number(struct thread_record *r) {
  if (r->ret_thread) *r->ret_thread = r->thread;
  r->ret_thread = NULL;
}

/* From here on the caller's stack holds the argument, and the record the result or nothing. */
static void take_over(struct thread_record *r) {
  tri_lock_acquire(&tri_registry_lock);
  tell_number(r);
  if (tri_malloc_mode || r->thrd_fn) {
    remove_locked(r);
  } else {
    r->word = NULL;
    own = r;
  }
  tri_lock_release(&tri_registry_lock);
}

/* Moves the start from the record to the caller's stack and registers the thread. */
static void begin_thread(struct thread_record *r, struct thread_record *ret_copy) {
  *ret_copy = *r;
  TRI_RACE_POINT(THREAD_BEGINS);
  struct tri_thread *t = tri_thread_register_self();
  if (!t) tri_fatal("no memory to register a new thread");
  take_over(r);
  tri_thread_find_stack(t);
}

/* Where nobody else will say so. Also run by pthread_exit and cancellation, whose result cleanup handlers may still
 * replace. */
static void trampoline_is_left(const void *unused) {
  (void)unused;
  if (!tri_thread_will_leave()) tri_pthread_ends();
}

static void *pthread_trampoline(void *record) {
  __attribute__((cleanup(trampoline_is_left))) struct thread_record start;
  begin_thread(record, &start);
  void *result = start.fn(start.word);
  tri_pthread_has_result(result);
  return result;
}

static int thrd_trampoline(void *record) {
  struct thread_record start;
  begin_thread(record, &start);
  return start.thrd_fn(start.word);
}

/* What a record holds is a root in the first stop of a cycle; after it, ragged stacks ask for more. */
static void shade_hand_over(const void *pointer) {
  void *nowhere = NULL;
  if (tri_barrier_self.state) tri_write_shade(&nowhere, pointer);
}

static bool starts_detached(const pthread_attr_t *attr) {
  int state;
  return attr && pthread_attr_getdetachstate(attr, &state) == 0 && state == PTHREAD_CREATE_DETACHED;
}

/* In API mode the first thread that a program makes may come before its first object: it is known all the same, and
 * its maker too. */
static bool is_ready(void) {
  if (!tri_malloc_mode && !tri_runtime_inert() && !tri_thread_is_registered(tri_self) && tri_runtime_init())
    tri_thread_register_self();
  return tri_runtime_ready();
}

static void record_made(struct thread_record *r, bool ok) {
  tri_lock_acquire(&tri_registry_lock);
  r->being_made = false;
  if (ok) tell_number(r);
  if (!ok || r->dropped) remove_locked(r);
  tri_lock_release(&tri_registry_lock);
}

TRI_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg) {
  if (!is_ready()) return tri_real()->pthread_create(thread, attr, fn, arg);
  struct thread_record *r = record_add(&(struct thread_record){
      .fn = fn, .word = arg, .ret_thread = thread, .being_made = true, .detached = starts_detached(attr)});
  if (!r) return EAGAIN;
  shade_hand_over(arg);
  creating++;
  int err = tri_real()->pthread_create(&r->thread, attr, pthread_trampoline, r);
  creating--;
  record_made(r, err == 0);
  return err;
}

TRI_EXPORT int thrd_create(thrd_t *thread, thrd_start_t fn, void *arg) {
  if (!is_ready()) return tri_real()->thrd_create(thread, fn, arg);
  struct thread_record *r = record_add(&(struct thread_record){.thrd_fn = fn, .word = arg});
  if (!r) return thrd_nomem;
  shade_hand_over(arg);
  creating++;
  int err = tri_real()->thrd_create(thread, thrd_trampoline, r);
  creating--;
  if (err != thrd_success) record_remove(r);
  return err;
}

/* Ending. */

void tri_pthread_has_result(void *result) {
  if (!own) return;
  tri_lock_acquire(&tri_registry_lock);
  own->word = result;
  tri_lock_release(&tri_registry_lock);
  shade_hand_over(result);
}

void tri_pthread_ends(void) {
  struct thread_record *r = own;
  own = NULL;
  if (!r) return;
  tri_lock_acquire(&tri_registry_lock);
  r->ended = true;
  if (r->detached) remove_locked(r);
  tri_lock_release(&tri_registry_lock);
}

TRI_EXPORT void pthread_exit(void *result) {
  tri_pthread_has_result(result);
  tri_real()->pthread_exit(result);
  __builtin_unreachable();
}

static struct thread_record *find_locked(pthread_t thread) {
  for (struct thread_record *r = records; r; r = r->next)
    if (!r->claimed && !r->dropped && pthread_equal(r->thread, thread)) return r;
  return NULL;
}

static struct thread_record *claim(pthread_t thread) {
  if (tri_malloc_mode || !tri_runtime_ready()) return NULL;
  tri_lock_acquire(&tri_registry_lock);
  struct thread_record *r = find_locked(thread);
  if (r) r->claimed = true;
  tri_lock_release(&tri_registry_lock);
  return r;
}

/* A join that is cancelled gives its claim back. */
static void give_back(struct thread_record **r) {
  if (!*r) return;
  tri_lock_acquire(&tri_registry_lock);
  (*r)->claimed = false;
  tri_lock_release(&tri_registry_lock);
}
#define TRI_GIVEN_BACK __attribute__((cleanup(give_back)))

static void enter_join(struct tri_region *r) {
  if (!tri_malloc_mode) tri_region_enter(r);
}
#define TRI_JOINING(...) TRI_BLOCKING_BY(enter_join, __VA_ARGS__)

static int wait_for_end(pthread_t thread, void **result) {
  const struct tri_real *real = tri_real();
  TRI_JOINING(NULL);
  return real->pthread_join(thread, result);
}

static int wait_for_end_until(pthread_t thread, void **result, clockid_t clock, const struct timespec *until) {
  const struct tri_real *real = tri_real();
  TRI_JOINING(until);
  return real->pthread_clockjoin_np(thread, result, clock, until);
}

/* The result is on the caller's stack by now. It may go into an object. */
static int joined(struct thread_record **claimed, int err, void *result, void **ret) {
  if (*claimed && !err) {
    record_remove(*claimed);
    *claimed = NULL;
  }
  if (!err && ret) tri_write(ret, result);
  return err;
}

TRI_EXPORT int pthread_join(pthread_t thread, void **ret) {
  void *result = NULL;
  struct thread_record *r TRI_GIVEN_BACK = claim(thread);
  int err = wait_for_end(thread, &result);
  return joined(&r, err, result, ret);
}

TRI_EXPORT int pthread_tryjoin_np(pthread_t thread, void **ret) {
  void *result = NULL;
  struct thread_record *r TRI_GIVEN_BACK = claim(thread);
  int err = tri_real()->pthread_tryjoin_np(thread, &result);
  return joined(&r, err, result, ret);
}

TRI_EXPORT int pthread_timedjoin_np(pthread_t thread, void **ret, const struct timespec *until) {
  void *result = NULL;
  struct thread_record *r TRI_GIVEN_BACK = claim(thread);
  int err = wait_for_end_until(thread, &result, CLOCK_REALTIME, until);
  return joined(&r, err, result, ret);
}

TRI_EXPORT int pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock, const struct timespec *until) {
  void *result = NULL;
  struct thread_record *r TRI_GIVEN_BACK = claim(thread);
  int err = wait_for_end_until(thread, &result, clock, until);
  return joined(&r, err, result, ret);
}

static int wait_for_thrd(thrd_t thread, int *result) {
  const struct tri_real *real = tri_real();
  TRI_JOINING(NULL);
  return real->thrd_join(thread, result);
}

TRI_EXPORT int thrd_join(thrd_t thread, int *ret) {
  int result, err = wait_for_thrd(thread, &result);
  if (err == thrd_success && ret) *ret = result;
  return err;
}

TRI_EXPORT int pthread_detach(pthread_t thread) {
  if (!tri_malloc_mode && tri_runtime_ready()) {
    tri_lock_acquire(&tri_registry_lock);
    struct thread_record *r = find_locked(thread);
    if (r) r->detached = true;
    if (r && r->ended) remove_locked(r);
    tri_lock_release(&tri_registry_lock);
  }
  return tri_real()->pthread_detach(thread);
}
