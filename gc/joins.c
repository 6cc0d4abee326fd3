/*
 * pthread_join and its kin, thrd_join and pthread_detach, interposed: what takes a thread's result.
 *
 * In API mode a join is a safe region (gc/region.c): what it fetches in a stopped world is held by the thread's record
 * until it is out. Not in malloc mode, where the C library may free the dead thread's memory, by our free(), before it
 * comes back.
 *
 * No locks of its own. A join that is cancelled unwinds through these functions and gives its claim back: compiled with
 * -fexceptions. Results and errors are the C library's. Forbidden: anything else between the region's beginning and the
 * call.
 */
#include <pthread.h>
#include <threads.h>

#include "gc/real.h"
#include "gc/region.h"
#include "gc/runtime.h"
#include "gc/thread_record.h"
#include "tricolor/barrier.h"

static void give_back(struct tri_thread_record **r) {
  tri_thread_record_release(*r);
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
static int joined(struct tri_thread_record *claimed, int err, void *result, void **ret) {
  if (claimed && !err) tri_thread_record_joined(claimed);
  if (!err && ret) tri_write(ret, result);
  return err;
}

TRI_EXPORT int pthread_join(pthread_t thread, void **ret) {
  void *result = NULL;
  struct tri_thread_record *r TRI_GIVEN_BACK = tri_thread_record_claim(thread);
  int err = wait_for_end(thread, &result);
  return joined(r, err, result, ret);
}

TRI_EXPORT int pthread_tryjoin_np(pthread_t thread, void **ret) {
  void *result = NULL;
  struct tri_thread_record *r TRI_GIVEN_BACK = tri_thread_record_claim(thread);
  int err = tri_real()->pthread_tryjoin_np(thread, &result);
  return joined(r, err, result, ret);
}

TRI_EXPORT int pthread_timedjoin_np(pthread_t thread, void **ret, const struct timespec *until) {
  void *result = NULL;
  struct tri_thread_record *r TRI_GIVEN_BACK = tri_thread_record_claim(thread);
  int err = wait_for_end_until(thread, &result, CLOCK_REALTIME, until);
  return joined(r, err, result, ret);
}

TRI_EXPORT int pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock, const struct timespec *until) {
  void *result = NULL;
  struct tri_thread_record *r TRI_GIVEN_BACK = tri_thread_record_claim(thread);
  int err = wait_for_end_until(thread, &result, clock, until);
  return joined(r, err, result, ret);
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
  struct tri_thread_record *r TRI_GIVEN_BACK = tri_thread_record_claim(thread);
  if (r) tri_thread_record_detached(r);
  return tri_real()->pthread_detach(thread);
}
