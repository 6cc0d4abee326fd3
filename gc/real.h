/* The C library's own versions of the functions that we interpose. */
#ifndef TRI_GC_REAL_H
#define TRI_GC_REAL_H

#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "internal/base.h"

struct tri_real {
  int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  int (*thrd_create)(thrd_t *, thrd_start_t, void *);
  int (*pthread_join)(pthread_t, void **);
  int (*pthread_tryjoin_np)(pthread_t, void **);
  int (*pthread_clockjoin_np)(pthread_t, void **, clockid_t, const struct timespec *);
  int (*thrd_join)(thrd_t, int *);
  int (*pthread_detach)(pthread_t);
  void (*pthread_exit)(void *);
  int (*pthread_cond_wait)(pthread_cond_t *, pthread_mutex_t *);
  int (*pthread_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  int (*pthread_cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
  int (*cnd_wait)(cnd_t *, mtx_t *);
  int (*cnd_timedwait)(cnd_t *, mtx_t *, const struct timespec *);
  int (*sem_wait)(sem_t *);
  int (*sem_timedwait)(sem_t *, const struct timespec *);
  int (*sem_clockwait)(sem_t *, clockid_t, const struct timespec *);
  int (*pthread_sigmask)(int, const sigset_t *, sigset_t *);
  int (*sigprocmask)(int, const sigset_t *, sigset_t *);
  int (*sigaction)(int, const struct sigaction *, struct sigaction *);
  int (*setrlimit)(__rlimit_resource_t, const struct rlimit *);
  int (*prlimit)(pid_t, enum __rlimit_resource, const struct rlimit *, struct rlimit *);
  int (*sigsuspend)(const sigset_t *);
  int (*ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
  int (*pselect)(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);
  int (*epoll_pwait)(int, struct epoll_event *, int, int, const sigset_t *);
  int (*epoll_pwait2)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);
  int (*signalfd)(int, const sigset_t *, int);
  int (*sigwait)(const sigset_t *, int *);
  int (*sigwaitinfo)(const sigset_t *, siginfo_t *);
  int (*sigtimedwait)(const sigset_t *, siginfo_t *, const struct timespec *);
  int (*nanosleep)(const struct timespec *, struct timespec *);
  int (*clock_nanosleep)(clockid_t, int, const struct timespec *, struct timespec *);
  int (*usleep)(useconds_t);
  unsigned (*sleep)(unsigned);
  int (*thrd_sleep)(const struct timespec *, struct timespec *);
  int (*pause)(void);
  int (*poll)(struct pollfd *, nfds_t, int);
  int (*select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
  int (*epoll_wait)(int, struct epoll_event *, int, int);
  ssize_t (*msgrcv)(int, void *, size_t, long, int);
  int (*msgsnd)(int, const void *, size_t, int);
  int (*semop)(int, struct sembuf *, size_t);
  int (*semtimedop)(int, struct sembuf *, size_t, const struct timespec *);
  pid_t (*_Fork)(void);
  int (*execve)(const char *, char *const[], char *const[]);
  int (*execv)(const char *, char *const[]);
  int (*execvp)(const char *, char *const[]);
  int (*execvpe)(const char *, char *const[], char *const[]);
  int (*fexecve)(int, char *const[], char *const[]);
  int (*sigaltstack)(const stack_t *, stack_t *);
  ssize_t (*read)(int, void *, size_t);
  ssize_t (*readv)(int, const struct iovec *, int);
  ssize_t (*pread)(int, void *, size_t, off_t);
  ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
  ssize_t (*recvmsg)(int, struct msghdr *, int);
  int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
  ssize_t (*write)(int, const void *, size_t);
  ssize_t (*writev)(int, const struct iovec *, int);
  ssize_t (*send)(int, const void *, size_t, int);
  ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
  ssize_t (*sendmsg)(int, const struct msghdr *, int);
  int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
  int (*connect)(int, const struct sockaddr *, socklen_t);
  int (*accept4)(int, struct sockaddr *, socklen_t *, int);
  int (*epoll_ctl)(int, int, int, struct epoll_event *);
  int (*mq_notify)(mqd_t, const struct sigevent *);
};

/* Resolved at the first call (dlsym RTLD_NEXT); fatal if one is missing. */
const struct tri_real *tri_real(void);

#endif
