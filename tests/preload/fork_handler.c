/*
 * A signal handler that allocates, frees and now and then forks, while the thread it interrupts forks without pause:
 * also between the moment where the runtime has locked everything and the one where it unlocks. The children allocate
 * as well. In the second half other threads allocate so fast that a collection is always due, and within fork the
 * handler asks for a large block, which waits for a collector that is behind: it may be the fork that holds that up. A
 * deadlock ends by the time limit of the test.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "support/probe.h"

enum { FORKS = 400, PERIOD_US = 1000, BLOCKS = 4, NESTED_EVERY = 16, THREADS = 3, LARGE = 40000 };

static volatile sig_atomic_t signals, others, in_fork, alarming;
static atomic_bool done;

static void reap(pid_t child, const char *whose) {
  int status = 0;
  CHECK(child >= 0, "fork in %s", whose);
  while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR, "waitpid in %s", whose);
  CHECK(status == 0, "%s child ended with status %d", whose, status);
}

static void set_alarm(long after_us) {
  struct itimerval once = {{0, 0}, {0, after_us}};
  CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0, "setitimer");
}

/* The next alarm counts from the end: where a collector is behind, allocating may take longer than that, and the thread
 * is to get on with its fork. */
static void on_alarm(int signal_number) {
  int saved_errno = errno;
  (void)signal_number;
  for (int i = 0; i < BLOCKS; i++) {
    size_t size = others && in_fork && i == 0 ? LARGE : 100 + (size_t)(signals * 977 + i * 131) % 3000;
    unsigned char *block = malloc(size);
    CHECK(block != NULL, "malloc(%zu) in a handler", size);
    block[size - 1] = 1;
    free(block);
  }
  if (++signals % NESTED_EVERY == 0 && !others) {
    pid_t child = _Fork(); /* the C library's fork is not made for handlers */
    if (child == 0) _exit(0);
    reap(child, "the handler's");
  }
  if (alarming) set_alarm(PERIOD_US);
  errno = saved_errno;
}

static void child_allocates(void) {
  void *blocks[BLOCKS];
  for (int i = 0; i < BLOCKS; i++) {
    blocks[i] = malloc(64u << (i % 8));
    CHECK(blocks[i] != NULL, "malloc in a child");
  }
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
  _exit(0);
}

static void fork_often(int times) {
  alarming = 1;
  set_alarm(PERIOD_US);
  for (int i = 0; i < times; i++) {
    in_fork = 1;
    pid_t child = fork();
    in_fork = 0;
    if (child == 0) child_allocates();
    reap(child, "the program's");
  }
  alarming = 0;
  set_alarm(0);
}

static void *allocate(void *unused) {
  while (!atomic_load(&done)) memset(malloc(300000), 1, 3000);
  return unused;
}

static void fork_beside_others(void) {
  pthread_t threads[THREADS];
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  others = 1;
  pthread_sigmask(SIG_BLOCK, &alarms, NULL);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, allocate, NULL) == 0, "pthread_create");
  pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
  fork_often(FORKS / 10);
  atomic_store(&done, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

int main(void) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
  fork_often(FORKS);
  CHECK(signals > FORKS / 10, "%d signals only", (int)signals);
  fork_beside_others();
  puts("ok");
  return 0;
}
