/*
 * A signal handler that allocates, frees and now and then forks, while the thread it interrupts forks without pause:
 * also between the moment where the runtime has locked everything and the one where it unlocks. The children allocate
 * as well. A deadlock ends by the time limit of the test.
 */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "support/probe.h"

enum { FORKS = 400, PERIOD_US = 1000, BLOCKS = 4, NESTED_EVERY = 16 };

static volatile sig_atomic_t signals;

static void reap(pid_t child, const char *whose) {
  int status = 0;
  CHECK(child >= 0, "fork in %s", whose);
  while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR, "waitpid in %s", whose);
  CHECK(status == 0, "%s child ended with status %d", whose, status);
}

static void on_alarm(int signal_number) {
  int saved_errno = errno;
  (void)signal_number;
  for (int i = 0; i < BLOCKS; i++) {
    size_t size = 100 + (size_t)(signals * 977 + i * 131) % 3000;
    unsigned char *block = malloc(size);
    CHECK(block != NULL, "malloc(%zu) in a handler", size);
    block[size - 1] = 1;
    free(block);
  }
  if (++signals % NESTED_EVERY == 0) {
    pid_t child = _Fork(); /* the C library's fork is not made for handlers */
    if (child == 0) _exit(0);
    reap(child, "the handler's");
  }
  errno = saved_errno;
}

static void set_alarm(long period_us) {
  struct itimerval every = {{0, period_us}, {0, period_us}};
  CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0, "setitimer");
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

int main(void) {
  struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
  set_alarm(PERIOD_US);
  for (int i = 0; i < FORKS; i++) {
    pid_t child = fork();
    if (child == 0) child_allocates();
    reap(child, "the program's");
  }
  set_alarm(0);
  CHECK(signals > FORKS / 10, "%d signals only", (int)signals);
  puts("ok");
  return 0;
}
