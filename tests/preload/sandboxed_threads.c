/*
 * A program of several threads, which come and go, that shuts itself in: from then on the kernel kills it for reading
 * directories and links, and for statx. Collections, which go on, do nothing of the kind. The same in a fork's child
 * whose first thread has ended before: the kernel leaves that one's sandbox as it was.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "support/probe.h"
#include "support/zombie.h"

enum { ROUNDS = 300, GARBAGE = 200, BYTES = 1000 };

static atomic_bool done;

static void *brief(void *arg) {
  return arg;
}

static void *makes_brief(void *arg) {
  pthread_t t;
  while (!atomic_load(&done))
    if (pthread_create(&t, NULL, brief, NULL) == 0) pthread_join(t, NULL);
  return arg;
}

static bool shut_in(void) {
#define DIES_OF(call) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      DIES_OF(SYS_getdents64),
      DIES_OF(SYS_readlinkat),
      DIES_OF(SYS_statx),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

static int collect_shut_in(void) {
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, makes_brief, NULL) == 0, "pthread_create");
  collect();
  if (!shut_in()) return 77;
  for (int i = 0; i < ROUNDS; i++) {
    for (int k = 0; k < GARBAGE; k++) pattern_fill(malloc(BYTES), BYTES, 4);
    if (i % 10 == 0) collect();
  }
  atomic_store(&done, true);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  return 0;
}

static void *outlive_first(UNUSED void *arg) {
  while (!is_zombie(getpid())) usleep(1000);
  _exit(collect_shut_in());
}

static void be_child(void) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, outlive_first, NULL) == 0, "pthread_create");
  pthread_exit(NULL);
}

int main(void) {
  int status;
  pid_t child = fork();
  if (child == 0) be_child();
  CHECK(waitpid(child, &status, 0) == child, "waitpid");
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) % 77 == 0, "the child: status %#x", (unsigned)status);
  if (collect_shut_in() == 77) return 77;
  puts("ok");
  return 0;
}
