/*
 * Sleepers that a stop must not take for what they are not, or forget: one whose alternate signal stack only the kernel
 * knows; one that is cancelled at any instruction; children that share its thread-local storage; handlers that are
 * exchanged while signals come, or set by sigset. Each part runs for a fraction of a second beside a thread that leaks.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "support/probe.h"

enum { STACK = 40000, OBJECTS = 32, SIZE = 300 };
#define PART_NS ((int64_t)700 * 1000 * 1000)

static atomic_bool done;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *leaker(void *arg) {
  while (!atomic_load(&done)) {
    for (size_t size = 300; size <= STACK; size += STACK - 300) memset(malloc(size), 0x5a, size);
    for (int i = 0; i < 50; i++) memset(malloc(SIZE), 0x5a, SIZE);
  }
  return arg;
}

/* An alternate stack that only the kernel knows. */

NOINLINE static uintptr_t give_away_stack(void) {
  stack_t ss = {.ss_sp = malloc(STACK), .ss_size = STACK};
  CHECK(ss.ss_sp, "malloc");
  memset(ss.ss_sp, 0x77, STACK);
  CHECK(sigaltstack(&ss, NULL) == 0, "sigaltstack");
  uintptr_t hidden = HIDE(ss.ss_sp);
  memset(&ss, 0, sizeof ss);
  __asm__ volatile("" : : "r"(&ss) : "memory");
  return hidden;
}

static void *alternate_stack(void *arg) {
  uintptr_t hidden = give_away_stack();
  wipe();
  usleep(PART_NS / 1000);
  const unsigned char *p = UNHIDE(hidden);
  for (int i = 0; i < STACK; i++) CHECK(p[i] == 0x77, "byte %d of the alternate stack was overwritten", i);
  return arg;
}

/* Cancelled anywhere. */

NOINLINE static void objects_survive(void) {
  unsigned char *volatile p[OBJECTS];
  for (int i = 0; i < OBJECTS; i++) {
    p[i] = malloc(SIZE);
    memset(p[i], 0x77, SIZE);
  }
  for (int64_t end = now() + 1000000; now() < end;) continue;
  for (int i = 0; i < OBJECTS; i++)
    for (int k = 0; k < SIZE; k++) CHECK(p[i][k] == 0x77, "an object was lost after a cancellation");
}

static void cleanup(void *arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, NULL);
  objects_survive();
}

static void *cancelled(void *arg) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  pthread_cleanup_push(cleanup, NULL);
  for (;;) poll(NULL, 0, 0);
  pthread_cleanup_pop(0);
  return arg;
}

static void asynchronous_cancellation(void) {
  for (int64_t end = now() + PART_NS; now() < end;) {
    pthread_t t;
    CHECK(pthread_create(&t, NULL, cancelled, NULL) == 0, "pthread_create");
    usleep(300);
    pthread_cancel(t);
    pthread_join(t, NULL);
  }
}

/* Children that run without handlers of pthread_atfork. */

static void on_signal(int sig) {}

static void *changes_actions(void *arg) {
  struct sigaction sa = {.sa_handler = on_signal};
  while (!atomic_load(&done)) sigaction(SIGUSR2, &sa, NULL);
  return arg;
}

static void child(void) {
  struct sigaction sa = {.sa_handler = SIG_DFL};
  struct timespec moment = {0, 1000};
  nanosleep(&moment, NULL);
  sigaction(SIGUSR1, &sa, NULL);
  _exit(0);
}

static void bare_forks(void) {
  for (int64_t end = now() + PART_NS; now() < end;) {
    int status = -1;
    pid_t pid = _Fork();
    if (pid == 0) child();
    for (int tries = 0; waitpid(pid, &status, WNOHANG) != pid; tries++) {
      if (tries == 10000) kill(pid, SIGKILL);
      CHECK(tries < 10000, "a child of _Fork hangs");
      usleep(500);
    }
    CHECK(status == 0, "status %d", status);
  }
}

/* A child in the same memory sleeps; its parent runs on, and is not asleep. */

static char child_stack[65536] __attribute__((aligned(16)));

static int sleeping_child(void *arg) {
  usleep(2000);
  return 0;
}

static void shared_memory(void) {
  for (int64_t end = now() + PART_NS; now() < end;) {
    int pid = clone(sleeping_child, child_stack + sizeof child_stack, CLONE_VM | SIGCHLD, NULL);
    CHECK(pid > 0, "clone");
    objects_survive();
    while (waitpid(pid, NULL, 0) != pid) continue;
  }
}

/* Handlers of one and of three arguments in turn. */

static atomic_ulong with_info;

static void on_info(int sig, siginfo_t *info, void *context) {
  CHECK(info->si_signo == SIGUSR1 && info->si_pid == getpid(), "si_signo %d", info->si_signo);
  atomic_fetch_add(&with_info, 1);
}

static void *spins(void *arg) {
  while (!atomic_load(&done)) continue;
  return arg;
}

static void *kicks(void *thread) {
  while (!atomic_load(&done)) pthread_kill(*(pthread_t *)thread, SIGUSR1);
  return NULL;
}

static void exchanged_handlers(pthread_t *victim, pthread_t *kicker) {
  struct sigaction sa = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
  signal(SIGUSR1, on_signal);
  CHECK(pthread_create(victim, NULL, spins, NULL) == 0 && pthread_create(kicker, NULL, kicks, victim) == 0, "threads");
  for (int64_t end = now() + PART_NS; now() < end;) {
    signal(SIGUSR1, on_signal);
    CHECK(sigaction(SIGUSR1, &sa, &old) == 0, "sigaction");
    CHECK(old.sa_handler == on_signal && !(old.sa_flags & SA_SIGINFO) && (old.sa_flags & SA_RESTART), "flags %x",
          old.sa_flags);
    CHECK(signal(SIGUSR1, SIG_IGN) == (sighandler_t)(uintptr_t)on_info, "signal");
  }
}

/* Deprecated, and still used. */
static int interrupt_calls(int sig) {
  int (*siginterrupt_)(int, int);
  CHECK(probe_symbol("siginterrupt", &siginterrupt_), "no siginterrupt");
  return siginterrupt_(sig, 1);
}

static void forms_of_signal(void) {
  struct sigaction old;
  int (*sigignore_)(int);
  CHECK(probe_symbol("sigignore", &sigignore_), "no sigignore");
  CHECK(__sysv_signal(SIGUSR2, on_signal) != SIG_ERR, "sysv_signal");
  CHECK(sigaction(SIGUSR2, NULL, &old) == 0 && (old.sa_flags & SA_RESETHAND) && (old.sa_flags & SA_NODEFER), "flags %x",
        old.sa_flags);
  CHECK(interrupt_calls(SIGUSR2) == 0 && signal(SIGUSR2, on_signal) == on_signal, "siginterrupt");
  CHECK(sigaction(SIGUSR2, NULL, &old) == 0 && !(old.sa_flags & SA_RESTART), "flags %x", old.sa_flags);
  for (int sig = 1; sig <= SIGRTMAX; sig++)
    if (sig != SIGCHLD && sig != SIGALRM) (void)sigignore_(sig); /* that which stops threads, too: in vain */
  CHECK(signal(12345, on_signal) == SIG_ERR && signal(SIGKILL, on_signal) == SIG_ERR, "wrong signals");
}

/* A handler by sigset interrupts a sleep; what only its frame has stays. */

static atomic_ulong by_sigset;

static void on_tick(int sig) {
  objects_survive();
  atomic_fetch_add(&by_sigset, (unsigned long)sig);
}

static void handlers_by_sigset(void) {
  sighandler_t (*sigset_)(int, sighandler_t);
  struct itimerval often = {{0, 5000}, {0, 5000}}, never = {0};
  CHECK(probe_symbol("sigset", &sigset_), "no sigset");
  CHECK(sigset_(SIGALRM, on_tick) == SIG_DFL, "sigset");
  CHECK(sigset_(SIGALRM, SIG_HOLD) == on_tick && sigset_(SIGALRM, on_tick) == SIG_HOLD, "sigset, SIG_HOLD");
  CHECK(sigset_(SIGKILL, on_tick) == SIG_ERR && sigset_(-1, on_tick) == SIG_ERR, "sigset of what cannot be");
  setitimer(ITIMER_REAL, &often, NULL);
  for (int64_t end = now() + PART_NS; now() < end;) poll(NULL, 0, 1000);
  setitimer(ITIMER_REAL, &never, NULL);
  CHECK(sigset_(SIGALRM, SIG_IGN) == on_tick && atomic_load(&by_sigset) > 0, "no handler ran");
}

int main(void) {
  pthread_t t[5];
  forms_of_signal();
  CHECK(pthread_create(&t[0], NULL, leaker, NULL) == 0, "pthread_create");
  CHECK(pthread_create(&t[1], NULL, alternate_stack, NULL) == 0, "pthread_create");
  CHECK(pthread_create(&t[2], NULL, changes_actions, NULL) == 0, "pthread_create");
  pthread_join(t[1], NULL);
  handlers_by_sigset();
  asynchronous_cancellation();
  bare_forks();
  shared_memory();
  exchanged_handlers(&t[3], &t[4]);
  atomic_store(&done, true);
  pthread_join(t[4], NULL);
  pthread_join(t[3], NULL);
  pthread_join(t[2], NULL);
  pthread_join(t[0], NULL);
  puts("ok");
  return 0;
}
