/*
 * pthread_create and thrd_create, interposed, and with them pthread_exit. The new thread's trampoline registers it
 * before the program's function runs. What the thread begins and ends with is kept in its record (gc/thread_record.c);
 * the trampoline has copied the argument to its own stack and is registered when it lets go of the record's.
 *
 * No locks of its own. Compiled with -fexceptions: pthread_exit and cancellation unwind through the trampoline.
 * Forbidden: starting a thread of the runtime's in here (tri_pthread_creating).
 */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "gc/collector.h"
#include "gc/real.h"
#include "gc/runtime.h"
#include "gc/thread.h"
#include "gc/thread_record.h"
#include "internal/check.h"
#include "internal/race.h"

/* Moves the start from the record to the caller's stack and registers the thread. */
static void begin_thread(struct tri_thread_record *r, struct tri_thread_start *ret_start) {
  *ret_start = r->start;
  TRI_RACE_POINT(THREAD_BEGINS);
  struct tri_thread *t = tri_thread_register_self();
  if (!t) tri_fatal("no memory to register a new thread");
  tri_thread_record_take_over(r);
  tri_thread_find_stack(t);
  tri_collector_remind();
}

/* What a record holds is a root in the first stop of a cycle; after it, ragged stacks ask for more. */
static void shade_hand_over(const void *pointer) {
  void *nowhere = NULL;
  if (tri_barrier_self.state) tri_write_shade(&nowhere, pointer);
}

static void has_result(void *result) {
  tri_thread_record_result(result);
  shade_hand_over(result);
}

/* Where nobody else will say so. Also run by pthread_exit and cancellation, whose result cleanup handlers may still
 * replace. */
static void trampoline_is_left(const void *unused) {
  (void)unused;
  if (!tri_thread_will_leave()) tri_thread_record_ends();
}

static void *pthread_trampoline(void *record) {
  __attribute__((cleanup(trampoline_is_left))) struct tri_thread_start start;
  begin_thread(record, &start);
  void *result = start.fn(start.arg);
  has_result(result);
  return result;
}

static int thrd_trampoline(void *record) {
  struct tri_thread_start start;
  begin_thread(record, &start);
  return start.thrd_fn(start.arg);
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

static struct tri_thread_record *begin_making(const struct tri_thread_record *from) {
  struct tri_thread_record *r = tri_thread_record_make(from);
  if (!r) return NULL;
  tri_thread_is_coming(); /* it may stop its maker, which must be in a region by then if it sleeps */
  shade_hand_over(from->start.arg);
  shade_hand_over(from->ret_thread);
  return r;
}

TRI_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg) {
  if (!is_ready()) return tri_real()->pthread_create(thread, attr, fn, arg);
  struct tri_thread_record *r = begin_making(&(struct tri_thread_record){
      .start = {.fn = fn, .arg = arg}, .ret_thread = thread, .detached = starts_detached(attr)});
  if (!r) return EAGAIN;
  int err = tri_real()->pthread_create(&r->thread, attr, pthread_trampoline, r);
  tri_thread_record_made(r, err == 0);
  return err;
}

TRI_EXPORT int thrd_create(thrd_t *thread, thrd_start_t fn, void *arg) {
  if (!is_ready()) return tri_real()->thrd_create(thread, fn, arg);
  struct tri_thread_record *r =
      begin_making(&(struct tri_thread_record){.start = {.thrd_fn = fn, .arg = arg}, .ret_thread = thread});
  if (!r) return thrd_nomem;
  int err = tri_real()->thrd_create(&r->thread, thrd_trampoline, r);
  tri_thread_record_made(r, err == thrd_success);
  return err;
}

TRI_EXPORT void pthread_exit(void *result) {
  has_result(result);
  tri_real()->pthread_exit(result);
  __builtin_unreachable();
}
