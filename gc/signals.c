/*
 * The signal calls that could keep a thread from being stopped, interposed: the stop signal is taken out of every mask
 * that a program sets, and its disposition cannot be changed. Programs do not see a difference: the signal is one they
 * did not use when they started.
 *
 * Masks: sigprocmask, pthread_sigmask, sigaction's sa_mask. Calls that swap the mask for the time of a wait
 * (sigsuspend, ppoll, pselect, epoll_pwait) do so in the kernel; a mask with our signal in it only delays a stop until
 * they return, so they are given a mask without it too.
 *
 * All of these keep the C library's results and errno. Async-signal-safe, as the originals.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>

#include "gc/real.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "internal/check.h"

static const sigset_t *without_ours(const sigset_t *set, sigset_t *copy) {
  int sig = tri_stop_signal();
  if (!set || sig == 0 || !sigismember(set, sig)) return set;
  *copy = *set;
  sigdelset(copy, sig);
  return copy;
}

TRI_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  sigset_t copy;
  if (how == SIG_UNBLOCK) return tri_real()->pthread_sigmask(how, set, old);
  return tri_real()->pthread_sigmask(how, without_ours(set, &copy), old);
}

TRI_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  sigset_t copy;
  if (how == SIG_UNBLOCK) return tri_real()->sigprocmask(how, set, old);
  return tri_real()->sigprocmask(how, without_ours(set, &copy), old);
}

static bool is_ours(int sig) {
  return sig == tri_stop_signal() && sig != 0;
}

static int refuse(int sig) {
  tri_warn("signal %d stops threads for the collector and cannot be used by the program; set TRICOLOR=signal=N", sig);
  errno = EINVAL;
  return -1;
}

/* A program that looks at every signal finds ours at its default, and may set it to that or ignore it in vain. */
static int pretend(int sig, const struct sigaction *act, struct sigaction *old) {
  bool harmless = !act || (!(act->sa_flags & SA_SIGINFO) && (act->sa_handler == SIG_DFL || act->sa_handler == SIG_IGN));
  if (!harmless) return refuse(sig);
  if (old) {
    *old = (struct sigaction){0};
    old->sa_handler = SIG_DFL;
  }
  return 0;
}

TRI_EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old) {
  if (is_ours(sig)) return pretend(sig, act, old);
  if (!act) return tri_real()->sigaction(sig, act, old);
  struct sigaction copy = *act;
  sigset_t mask;
  copy.sa_mask = *without_ours(&act->sa_mask, &mask);
  return tri_real()->sigaction(sig, &copy, old);
}

TRI_EXPORT sighandler_t signal(int sig, sighandler_t handler) {
  if (!is_ours(sig)) return tri_real()->signal(sig, handler);
  if (handler == SIG_DFL || handler == SIG_IGN) return SIG_DFL;
  refuse(sig);
  return SIG_ERR;
}

TRI_EXPORT int sigsuspend(const sigset_t *set) {
  sigset_t copy;
  return tri_real()->sigsuspend(without_ours(set, &copy));
}

TRI_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set) {
  sigset_t copy;
  return tri_real()->ppoll(fds, n, timeout, without_ours(set, &copy));
}

/* The fortified form. The buffer's size was checked against n by the compiler where it could. */
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set, size_t size);
TRI_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *set,
                           size_t size) {
  if (size / sizeof *fds < n) tri_fatal("ppoll: %lu descriptors in a buffer of %zu bytes", (unsigned long)n, size);
  return ppoll(fds, n, timeout, set);
}

TRI_EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *timeout, const sigset_t *set) {
  sigset_t copy;
  return tri_real()->pselect(n, r, w, e, timeout, without_ours(set, &copy));
}

TRI_EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int n, int timeout, const sigset_t *set) {
  sigset_t copy;
  return tri_real()->epoll_pwait(epfd, events, n, timeout, without_ours(set, &copy));
}

TRI_EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int n, const struct timespec *timeout,
                            const sigset_t *set) {
  sigset_t copy;
  return tri_real()->epoll_pwait2(epfd, events, n, timeout, without_ours(set, &copy));
}

TRI_EXPORT int signalfd(int fd, const sigset_t *set, int flags) {
  sigset_t copy;
  return tri_real()->signalfd(fd, without_ours(set, &copy), flags);
}

TRI_EXPORT int sigwait(const sigset_t *set, int *sig) {
  sigset_t copy;
  return tri_real()->sigwait(without_ours(set, &copy), sig);
}

TRI_EXPORT int sigwaitinfo(const sigset_t *set, siginfo_t *info) {
  sigset_t copy;
  return tri_real()->sigwaitinfo(without_ours(set, &copy), info);
}

TRI_EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
  sigset_t copy;
  return tri_real()->sigtimedwait(without_ours(set, &copy), info, timeout);
}
