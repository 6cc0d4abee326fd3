/*
 * The C library's calls that sleep in the kernel and that a handled signal ends early even with SA_RESTART, interposed:
 * each is a safe region (gc/region.c), so that a collection neither wakes the sleeper nor makes the call fail with
 * EINTR (gc/reading.c: those that a restarting signal does not end). What they write to objects is announced
 * (gc/kernel_writes.c). Where a call swaps the signal mask for its time, the stop signal is taken out of that mask.
 *
 * The pointer arguments are named to TRI_BLOCKING: in the call they may be in no register that the collector sees.
 * Cancellation unwinds through these functions and ends their regions, so this file is compiled with -fexceptions.
 * Results and errno are the C library's. Forbidden: anything else between TRI_BLOCKING and the call.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/uio.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "gc/kernel_writes.h"
#include "gc/real.h"
#include "gc/region.h"
#include "gc/signals.h"
#include "internal/check.h"

/* Sleeping. */

TRI_EXPORT int nanosleep(const struct timespec *time, struct timespec *left) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(time, left);
  return real->nanosleep(time, left);
}

TRI_EXPORT int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(time, left);
  return real->clock_nanosleep(clock, flags, time, left);
}

TRI_EXPORT int usleep(useconds_t time) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(NULL);
  return real->usleep(time);
}

TRI_EXPORT unsigned sleep(unsigned seconds) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(NULL);
  return real->sleep(seconds);
}

TRI_WEAK_EXPORT int thrd_sleep(const struct timespec *time, struct timespec *left) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(time, left);
  return real->thrd_sleep(time, left);
}

TRI_EXPORT int pause(void) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(NULL);
  return real->pause();
}

/* Waiting for descriptors. */

TRI_EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(fds);
  return real->poll(fds, n, timeout);
}

TRI_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  TRI_BLOCKING(fds, timeout, set);
  return real->ppoll(fds, n, timeout, tri_signals_without_ours(set, &copy));
}

/* The fortified forms. The buffer's size was checked against n by the compiler where it could. */
static void check_descriptors(const char *name, nfds_t n, size_t size) {
  if (size / sizeof(struct pollfd) < n)
    tri_fatal("%s: %lu descriptors in a buffer of %zu bytes", name, (unsigned long)n, size);
}

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
TRI_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size) {
  check_descriptors("poll", n, size);
  return poll(fds, n, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set, size_t size);
TRI_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set,
                           size_t size) {
  check_descriptors("ppoll", n, size);
  return ppoll(fds, n, timeout, set);
}

TRI_EXPORT int select(int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(r, w, e, timeout);
  return real->select(n, r, w, e, timeout);
}

TRI_EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *set) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  const sigset_t *mask = tri_signals_without_ours(set, &copy);
  const void *volatile kept = timeout;
  TRI_BLOCKING(r, w, e, mask);
  int result = real->pselect(n, r, w, e, timeout, mask);
  (void)kept;
  return result;
}

static struct iovec bytes_of(struct epoll_event *events, int n) {
  return (struct iovec){events, n > 0 ? (size_t)n * sizeof *events : 0};
}

TRI_EXPORT int epoll_wait(int epfd, struct epoll_event *events, int n, int timeout) {
  const struct tri_real *real = tri_real();
  struct iovec written = bytes_of(events, n);
  TRI_KERNEL_WRITES_TO(&written, 1);
  TRI_BLOCKING(events);
  return real->epoll_wait(epfd, events, n, timeout);
}

TRI_EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int n, int timeout, const sigset_t *set) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  struct iovec written = bytes_of(events, n);
  TRI_KERNEL_WRITES_TO(&written, 1);
  TRI_BLOCKING(events, set);
  return real->epoll_pwait(epfd, events, n, timeout, tri_signals_without_ours(set, &copy));
}

TRI_EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int n, const struct timespec *timeout,
                            const sigset_t *set) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  struct iovec written = bytes_of(events, n);
  TRI_KERNEL_WRITES_TO(&written, 1);
  TRI_BLOCKING(events, timeout, set);
  return real->epoll_pwait2(epfd, events, n, timeout, tri_signals_without_ours(set, &copy));
}

/* Waiting for signals. */

TRI_EXPORT int sigsuspend(const sigset_t *set) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  TRI_BLOCKING(set);
  return real->sigsuspend(tri_signals_without_ours(set, &copy));
}

/* System V's form: of one signal. The headers call it sigpause. */
int __xpg_sigpause(int sig);
TRI_WEAK_EXPORT int __xpg_sigpause(int sig) {
  sigset_t set;
  if (tri_real()->sigprocmask(SIG_BLOCK, NULL, &set) != 0 || sigdelset(&set, sig) != 0) return -1;
  return sigsuspend(&set);
}

/* BSD's form: of the first signals, a bit each. */
int tri_bsd_sigpause(int mask) __asm__("sigpause");
TRI_WEAK_EXPORT int tri_bsd_sigpause(int mask) {
  sigset_t set;
  sigemptyset(&set);
  for (int sig = 1; sig <= 32; sig++)
    if ((unsigned)mask >> (sig - 1) & 1) sigaddset(&set, sig);
  return sigsuspend(&set);
}

TRI_EXPORT int sigwait(const sigset_t *set, int *sig) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  TRI_BLOCKING(set, sig);
  return real->sigwait(tri_signals_without_ours(set, &copy), sig);
}

TRI_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  TRI_BLOCKING(set, info);
  return real->sigwaitinfo(tri_signals_without_ours(set, &copy), info);
}

TRI_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
  const struct tri_real *real = tri_real();
  sigset_t copy;
  TRI_BLOCKING(set, info, timeout);
  return real->sigtimedwait(tri_signals_without_ours(set, &copy), info, timeout);
}

/* System V messages and semaphores. */

TRI_EXPORT ssize_t msgrcv(int id, void *message, size_t size, long type, int flags) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(message);
  return real->msgrcv(id, message, size, type, flags);
}

TRI_EXPORT int msgsnd(int id, const void *message, size_t size, int flags) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(message);
  return real->msgsnd(id, message, size, flags);
}

TRI_EXPORT int semop(int id, struct sembuf *operations, size_t n) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(operations);
  return real->semop(id, operations, n);
}

TRI_EXPORT int semtimedop(int id, struct sembuf *operations, size_t n, const struct timespec *timeout) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(operations, timeout);
  return real->semtimedop(id, operations, n, timeout);
}
