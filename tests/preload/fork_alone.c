/*
 * A fork's child that allocates, but never collects, has no thread beside its own: it may shut itself in, or ask for
 * what the kernel grants single threads only (unshare, setns). The parent has collected, and has threads of ours.
 */
#include <sys/wait.h>

#include "support/probe.h"
#include "support/proc.h"

enum { ROUNDS = 20, BLOCKS = 200, BYTES = 4096 };

static void be_child(void) {
  void *block[BLOCKS];
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < BLOCKS; i++) pattern_fill(block[i] = malloc(BYTES), BYTES, 1);
    for (int i = 0; i < BLOCKS; i++) free(block[i]);
  }
  _exit(proc_number("/proc/self/status", "Threads") == 1 ? 0 : 1);
}

int main(void) {
  int status;
  collect();
  pid_t child = fork();
  CHECK(child >= 0, "fork");
  if (child == 0) be_child();
  CHECK(waitpid(child, &status, 0) == child && status == 0, "the child: status %#x", (unsigned)status);
  puts("ok");
  return 0;
}
