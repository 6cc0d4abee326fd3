/*
 * pthread_create and thrd_create, interposed. The new thread's trampoline registers it before the program's function
 * runs. Until then its start argument may be nowhere but in the kernel's hands, so the start record (off-heap) is
 * listed and is a root; the trampoline has copied the argument to its own stack and is registered when it takes the
 * record out. A result lies in struct pthread, which is part of the thread's mapping.
 *
 * Locks: the registry's guards the list of records and their pool: nobody is between "listed" and "registered" while
 * the world stops.
 */
#include "gc/pthread_hooks.h"

#include <errno.h>
#include <pthread.h>
#include <threads.h>

#include "alloc/fixalloc.h"
#include "gc/real.h"
#include "gc/runtime.h"
#include "gc/thread.h"
#include "internal/check.h"

struct start_record {
  struct start_record *next, *prev;
  void *(*fn)(void *);
  thrd_start_t thrd_fn;
  void *arg;
};

static struct start_record *records; /* guarded by tri_registry_lock */
static struct tri_fixalloc record_pool = TRI_FIXALLOC_INIT(sizeof(struct start_record));
static TRI_TLS unsigned creating;

bool tri_pthread_creating(void) {
  return creating != 0;
}

static struct start_record *record_add(void *(*fn)(void *), thrd_start_t thrd_fn, void *arg) {
  tri_lock_acquire(&tri_registry_lock);
  struct start_record *r = tri_fixalloc_alloc(&record_pool);
  if (r) {
    *r = (struct start_record){.next = records, .fn = fn, .thrd_fn = thrd_fn, .arg = arg};
    if (records) records->prev = r;
    records = r;
  }
  tri_lock_release(&tri_registry_lock);
  return r;
}

static void record_remove(struct start_record *r) {
  tri_lock_acquire(&tri_registry_lock);
  if (r->prev) {
    r->prev->next = r->next;
  } else {
    records = r->next;
  }
  if (r->next) r->next->prev = r->prev;
  tri_fixalloc_free(&record_pool, r);
  tri_lock_release(&tri_registry_lock);
}

void tri_pthread_each_start_argument(void (*fn)(uintptr_t word, void *), void *arg) {
  for (struct start_record *r = records; r; r = r->next) fn((uintptr_t)r->arg, arg);
}

void tri_pthread_after_fork(void) {
  while (records) {
    struct start_record *r = records;
    records = r->next;
    tri_fixalloc_free(&record_pool, r);
  }
}

/* Moves the start from the record to the caller's stack and registers the thread. */
static void begin_thread(struct start_record *r, struct start_record *ret_copy) {
  *ret_copy = *r;
  struct tri_thread *t = tri_thread_register();
  if (!t) tri_fatal("no memory to register a new thread");
  record_remove(r);
  tri_thread_find_stack(t);
}

static void *pthread_trampoline(void *record) {
  struct start_record start;
  begin_thread(record, &start);
  return start.fn(start.arg);
}

static int thrd_trampoline(void *record) {
  struct start_record start;
  begin_thread(record, &start);
  return start.thrd_fn(start.arg);
}

TRI_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg) {
  if (!tri_runtime_ready()) return tri_real()->pthread_create(thread, attr, fn, arg);
  struct start_record *r = record_add(fn, NULL, arg);
  if (!r) return EAGAIN;
  creating++;
  int err = tri_real()->pthread_create(thread, attr, pthread_trampoline, r);
  creating--;
  if (err) record_remove(r);
  return err;
}

TRI_EXPORT int thrd_create(thrd_t *thread, thrd_start_t fn, void *arg) {
  if (!tri_runtime_ready()) return tri_real()->thrd_create(thread, fn, arg);
  struct start_record *r = record_add(NULL, fn, arg);
  if (!r) return thrd_nomem;
  creating++;
  int err = tri_real()->thrd_create(thread, thrd_trampoline, r);
  creating--;
  if (err != thrd_success) record_remove(r);
  return err;
}
