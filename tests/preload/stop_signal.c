/*
 * The signal that stops threads, seen by the program: at its default, settable to default or ignored in vain, refused
 * with EINVAL and one line as a handler of the program's, never blocked; collections go on all the while.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "support/probe.h"

static void handler(int sig) {
  _exit(sig);
}

/* The only real-time signal that refuses a handler; 0 without the library. */
static int find_signal(void) {
  struct sigaction act = {.sa_handler = handler}, back = {.sa_handler = SIG_DFL};
  int found = 0;
  for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++) {
    struct sigaction old = {.sa_handler = handler};
    CHECK(sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_DFL, "signal %d is not at its default", sig);
    CHECK(signal(sig, SIG_IGN) == SIG_DFL && signal(sig, SIG_DFL) != SIG_ERR, "signal %d refuses to be ignored", sig);
    if (sigaction(sig, &act, NULL) != 0) {
      CHECK(errno == EINVAL && found == 0, "signals %d and %d refused, errno %d", found, sig, errno);
      found = sig;
    }
    CHECK(sigaction(sig, &back, NULL) == 0, "signal %d keeps its handler", sig);
  }
  return found;
}

static void *spin(void *go) {
  while (*(volatile int *)go == 0) continue;
  return NULL;
}

int main(void) {
  int sig = find_signal(), go = 0;
  CHECK(!probe_live() || sig != 0, "no signal refuses a handler");
  sigset_t all, now;
  sigfillset(&all);
  CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0 && pthread_sigmask(SIG_SETMASK, NULL, &now) == 0, "sigprocmask");
  CHECK(sig == 0 || !sigismember(&now, sig), "signal %d is blocked", sig);
  pthread_t t;
  CHECK(pthread_create(&t, NULL, spin, &go) == 0, "pthread_create");
  unsigned long before = probe_cycles();
  collect();
  CHECK(!probe_live() || probe_cycles() >= before + 2, "no collection with all signals blocked");
  go = 1;
  pthread_join(t, NULL);
  puts("ok");
  return 0;
}
