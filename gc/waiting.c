/*
 * The C library's calls that wait for another thread, interposed: condition variables and semaphores. Each is a safe
 * region (gc/region.c), so that a collection does not wake the sleeper. Joins are in gc/joins.c.
 *
 * A condition's waiter may wake in a stopped world and take its mutex: that writes to both, but moves no pointer of the
 * program's, and frees nothing. It comes out when the stop is over. Waiting is done often and for short times: no
 * system call of ours beside it (TRI_BLOCKING_PERHAPS).
 *
 * Cancellation unwinds through these functions, after the C library has taken the mutex again, and ends their regions:
 * compiled with -fexceptions. Results and errno are the C library's. Forbidden: anything else between the region's
 * beginning and the call.
 */
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>
#include <time.h>

#include "gc/real.h"
#include "gc/region.h"

TRI_EXPORT int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(cond, mutex);
  return real->pthread_cond_wait(cond, mutex);
}

TRI_EXPORT int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(cond, mutex, until);
  return real->pthread_cond_timedwait(cond, mutex, until);
}

TRI_EXPORT int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                      const struct timespec *until) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(cond, mutex, until);
  return real->pthread_cond_clockwait(cond, mutex, clock, until);
}

TRI_EXPORT int cnd_wait(cnd_t *cond, mtx_t *mutex) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(cond, mutex);
  return real->cnd_wait(cond, mutex);
}

TRI_EXPORT int cnd_timedwait(cnd_t *cond, mtx_t *mutex, const struct timespec *until) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(cond, mutex, until);
  return real->cnd_timedwait(cond, mutex, until);
}

TRI_EXPORT int sem_wait(sem_t *sem) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(sem);
  return real->sem_wait(sem);
}

TRI_EXPORT int sem_timedwait(sem_t *sem, const struct timespec *until) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(sem, until);
  return real->sem_timedwait(sem, until);
}

TRI_EXPORT int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING_PERHAPS(sem, until);
  return real->sem_clockwait(sem, clock, until);
}
