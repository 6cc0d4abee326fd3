/*
 * Records of threads that the program makes, off the heap; roots. Filled by gc/pthread_hooks.c when a thread is made,
 * asked by gc/joins.c.
 *
 * Until the trampoline runs, a thread's start argument may be nowhere but in the kernel's hands: the record holds it. A
 * result lies in struct pthread until it is joined. In malloc mode that is scanned as part of the thread's mapping. In
 * API mode, where mappings are not, the record stays and holds the result until somebody has joined or detached the
 * thread; a join that has begun claims the record first, since the thread's number is free for another as soon as it
 * has succeeded. The latest record that bears a number is the one that is meant.
 *
 * So that a thread may be joined or detached before it has run, the C library, which stores the number before it starts
 * the thread, stores it into the record. The program finds it where it wants it both when its maker comes back and when
 * the thread's function runs: who gets there first stores it, since the other may have let go of that memory. A number
 * that has not been told yet is not looked at: perhaps no thread can be made, and another gets it.
 *
 * Invariants:
 *   [RECORD-1] who comes back to a record (maker, claims) finds it: it is dropped when it is done and nobody will.
 *   [RECORD-2] the thread itself comes back to it (own) only while it is not done: it is done when the thread has
 * ended.
 *
 * Locks: the registry's guards the list and its pool: nobody is between "listed" and "registered" while the world
 * stops. It is held inside the runtime, or, by a thread that is not registered, with signals blocked, so that handlers
 * that interrupt the holder keep off. Program memory is written under it in one place, tell_number.
 */
#include "gc/thread_record.h"

#include "alloc/fixalloc.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "gc/thread.h"

static struct tri_thread_record *records; /* the latest first; guarded by tri_registry_lock */
static struct tri_fixalloc record_pool = TRI_FIXALLOC_INIT(sizeof(struct tri_thread_record));
static uint64_t mask; /* of signals, of a holder that is not registered; guarded by tri_registry_lock */
static TRI_TLS struct tri_thread_record *own; /* of a thread whose result is held here */
static TRI_TLS unsigned creating;             /* its address stands for the thread, in a forked child too */

bool tri_pthread_creating(void) {
  return creating != 0;
}

/* Waits outside the runtime [THREAD-2], holds inside. Returns whether it has entered. */
static bool lock_records(void) {
  while (tri_runtime_enter(tri_self)) {
    if (tri_lock_try(&tri_registry_lock)) return true;
    tri_runtime_leave(tri_self);
    tri_thread_give_registry(tri_thread_take_registry());
  }
  mask = tri_thread_take_registry();
  return false;
}

static void unlock_records(bool entered) {
  if (!entered) {
    tri_thread_give_registry(mask);
    return;
  }
  tri_lock_release(&tri_registry_lock);
  tri_runtime_leave(tri_self);
}

struct tri_thread_record *tri_thread_record_make(const struct tri_thread_record *from) {
  bool entered = lock_records();
  struct tri_thread_record *r = tri_fixalloc_alloc(&record_pool);
  if (r) {
    *r = *from;
    r->maker = &creating;
    r->prev = NULL;
    r->next = records;
    if (records) records->prev = r;
    records = r;
    creating++;
  }
  unlock_records(entered);
  return r;
}

static void drop_if_done(struct tri_thread_record *r) {
  if (!r->done || r->maker || r->claims) return;
  if (r->prev) {
    r->prev->next = r->next;
  } else {
    records = r->next;
  }
  if (r->next) r->next->prev = r->prev;
  tri_fixalloc_free(&record_pool, r);
}

static void is_done(struct tri_thread_record *r) {
  r->done = true;
  r->start.arg = r->result = NULL;
  drop_if_done(r);
}

void tri_thread_record_each_word(void (*fn)(uintptr_t word, void *), void *arg) {
  for (struct tri_thread_record *r = records; r; r = r->next) {
    fn((uintptr_t)r->start.arg, arg);
    fn((uintptr_t)r->result, arg);
    fn((uintptr_t)r->ret_thread, arg);
  }
}

/* A signal handler may have forked that interrupted pthread_create or a join, which go on. */
void tri_thread_record_after_fork(void) {
  own = NULL;
  for (struct tri_thread_record *r = records, *next; r; r = next) {
    next = r->next;
    if (r->maker == &creating || r->claims) continue;
    r->maker = NULL;
    is_done(r);
  }
}

static void tell_number(struct tri_thread_record *r) {
  if (r->ret_thread) *r->ret_thread = r->thread;
  r->ret_thread = NULL;
  r->told = true;
}

void tri_thread_record_made(struct tri_thread_record *r, bool made) {
  creating--;
  bool entered = lock_records();
  r->maker = NULL;
  if (made) {
    tell_number(r);
    drop_if_done(r);
  } else {
    is_done(r);
  }
  unlock_records(entered);
}

void tri_thread_record_take_over(struct tri_thread_record *r) {
  bool entered = lock_records();
  tell_number(r);
  r->start.arg = NULL;
  if (tri_malloc_mode || r->start.thrd_fn) {
    is_done(r);
  } else {
    own = r;
  }
  unlock_records(entered);
}

void tri_thread_record_result(void *result) {
  if (!own) return;
  bool entered = lock_records();
  own->result = result;
  unlock_records(entered);
}

static void let_go_if_ended(struct tri_thread_record *r) {
  if (r->detached && r->ended) is_done(r);
}

void tri_thread_record_ends(void) {
  struct tri_thread_record *r = own;
  own = NULL;
  if (!r) return;
  bool entered = lock_records();
  r->ended = true;
  let_go_if_ended(r);
  unlock_records(entered);
}

static struct tri_thread_record *find_locked(pthread_t thread) {
  for (struct tri_thread_record *r = records; r; r = r->next)
    if (r->told && !r->done && pthread_equal(r->thread, thread)) return r;
  return NULL;
}

struct tri_thread_record *tri_thread_record_claim(pthread_t thread) {
  if (tri_malloc_mode || !tri_runtime_ready()) return NULL;
  bool entered = lock_records();
  struct tri_thread_record *r = find_locked(thread);
  if (r) r->claims++;
  unlock_records(entered);
  return r;
}

void tri_thread_record_release(struct tri_thread_record *r) {
  if (!r) return;
  bool entered = lock_records();
  r->claims--;
  drop_if_done(r);
  unlock_records(entered);
}

void tri_thread_record_joined(struct tri_thread_record *r) {
  bool entered = lock_records();
  is_done(r);
  unlock_records(entered);
}

void tri_thread_record_detached(struct tri_thread_record *r) {
  bool entered = lock_records();
  r->detached = true;
  let_go_if_ended(r);
  unlock_records(entered);
}
