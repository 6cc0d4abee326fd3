/*
 * The C library's own versions of what we interpose, looked up once with dlsym(RTLD_NEXT). A successful dlsym does not
 * allocate; the first call may come before constructors run. Two threads may both do the look-up; they store the same
 * values, and `ready` is stored last with release.
 */
#include "gc/real.h"

#include <dlfcn.h>

#include "internal/atomic.h"
#include "internal/check.h"

static struct tri_real real;
static tri_aint ready;

static void look_up(void *slot, const char *name) {
  void *f = dlsym(RTLD_NEXT, name);
  if (!f)
    tri_fatal(
        "no C library with %s behind this one: link the program itself with -ltricolor, before the C library; static "
        "executables and other C libraries are not supported",
        name);
  *(void **)slot = f;
}

/* The loader of glibc 2.35 and before finds the oldest version behind us, on x86-64 one of another layout. */
static void look_up_condition(void *slot, const char *name) {
  void *f = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
  if (f) {
    *(void **)slot = f;
  } else {
    look_up(slot, name);
  }
}

static void look_up_threads(void) {
  look_up(&real.pthread_create, "pthread_create");
  look_up(&real.thrd_create, "thrd_create");
  look_up(&real.pthread_join, "pthread_join");
  look_up(&real.pthread_tryjoin_np, "pthread_tryjoin_np");
  look_up(&real.pthread_clockjoin_np, "pthread_clockjoin_np");
  look_up(&real.thrd_join, "thrd_join");
  look_up(&real.pthread_detach, "pthread_detach");
  look_up(&real.pthread_exit, "pthread_exit");
  look_up_condition(&real.pthread_cond_wait, "pthread_cond_wait");
  look_up_condition(&real.pthread_cond_timedwait, "pthread_cond_timedwait");
  look_up(&real.pthread_cond_clockwait, "pthread_cond_clockwait");
  look_up(&real.cnd_wait, "cnd_wait");
  look_up(&real.cnd_timedwait, "cnd_timedwait");
  look_up(&real.sem_wait, "sem_wait");
  look_up(&real.sem_timedwait, "sem_timedwait");
  look_up(&real.sem_clockwait, "sem_clockwait");
}

const struct tri_real *tri_real(void) {
  if (tri_likely(tri_int_load_acq(&ready))) return &real;
  look_up_threads();
  look_up(&real.pthread_sigmask, "pthread_sigmask");
  look_up(&real.sigprocmask, "sigprocmask");
  look_up(&real.sigaction, "sigaction");
  look_up(&real.setrlimit, "setrlimit");
  look_up(&real.prlimit, "prlimit");
  look_up(&real.sigsuspend, "sigsuspend");
  look_up(&real.ppoll, "ppoll");
  look_up(&real.pselect, "pselect");
  look_up(&real.epoll_pwait, "epoll_pwait");
  look_up(&real.epoll_pwait2, "epoll_pwait2");
  look_up(&real.signalfd, "signalfd");
  look_up(&real.sigwait, "sigwait");
  look_up(&real.sigwaitinfo, "sigwaitinfo");
  look_up(&real.sigtimedwait, "sigtimedwait");
  look_up(&real.nanosleep, "nanosleep");
  look_up(&real.clock_nanosleep, "clock_nanosleep");
  look_up(&real.usleep, "usleep");
  look_up(&real.sleep, "sleep");
  look_up(&real.thrd_sleep, "thrd_sleep");
  look_up(&real.pause, "pause");
  look_up(&real.poll, "poll");
  look_up(&real.select, "select");
  look_up(&real.epoll_wait, "epoll_wait");
  look_up(&real.msgrcv, "msgrcv");
  look_up(&real.msgsnd, "msgsnd");
  look_up(&real.semop, "semop");
  look_up(&real.semtimedop, "semtimedop");
  look_up(&real._Fork, "_Fork");
  look_up(&real.execve, "execve");
  look_up(&real.execv, "execv");
  look_up(&real.execvp, "execvp");
  look_up(&real.execvpe, "execvpe");
  look_up(&real.fexecve, "fexecve");
  look_up(&real.sigaltstack, "sigaltstack");
  look_up(&real.read, "read");
  look_up(&real.readv, "readv");
  look_up(&real.pread, "pread");
  look_up(&real.recvfrom, "recvfrom");
  look_up(&real.recvmsg, "recvmsg");
  look_up(&real.recvmmsg, "recvmmsg");
  look_up(&real.write, "write");
  look_up(&real.writev, "writev");
  look_up(&real.send, "send");
  look_up(&real.sendto, "sendto");
  look_up(&real.sendmsg, "sendmsg");
  look_up(&real.sendmmsg, "sendmmsg");
  look_up(&real.connect, "connect");
  look_up(&real.accept4, "accept4");
  look_up(&real.epoll_ctl, "epoll_ctl");
  look_up(&real.mq_notify, "mq_notify");
  tri_int_store_rel(&ready, 1);
  return &real;
}
