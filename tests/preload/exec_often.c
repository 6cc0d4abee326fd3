/*
 * Programs that replace themselves while collections run: a stop must not leave its signal to the next program, which
 * it would end. With the number of generations that are left; an exec that fails changes nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "support/probe.h"

enum { GENERATIONS = 60 };

static void make_garbage(int n) {
  for (int i = 0; i < n; i++) {
    char *volatile p = malloc(48 + (size_t)i % 500);
    CHECK(p, "malloc");
    p[0] = 1;
  }
}

static void *makes_garbage(void *arg) {
  for (;;) make_garbage(1000);
  return arg;
}

static void failures(void) {
  char *const argv[] = {(char *)(uintptr_t) "nothing", NULL};
  extern char **environ;
  CHECK(execve("/nowhere/nothing", argv, environ) == -1 && errno == ENOENT, "errno %d", errno);
  CHECK(execv("/nowhere/nothing", argv) == -1 && errno == ENOENT, "errno %d", errno);
  CHECK(execvp("nothing-of-this-name", argv) == -1 && errno == ENOENT, "errno %d", errno);
  CHECK(execvpe("nothing-of-this-name", argv, environ) == -1 && errno == ENOENT, "errno %d", errno);
  CHECK(fexecve(-1, argv, environ) == -1 && errno == EINVAL, "errno %d", errno);
  CHECK(execl("/nowhere/nothing", "a", "b", (char *)NULL) == -1 && errno == ENOENT, "errno %d", errno);
  CHECK(execlp("nothing-of-this-name", "a", (char *)NULL) == -1 && errno == ENOENT, "errno %d", errno);
  CHECK(execle("/nowhere/nothing", "a", (char *)NULL, environ) == -1 && errno == ENOENT, "errno %d", errno);
}

static void children(const char *self) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    execl(self, self, "end", "of", "list", (char *)NULL);
    _exit(1);
  }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0, "status %d", status);
  pid = vfork();
  if (pid == 0) {
    execlp(self, self, "end", "of", "list", (char *)NULL);
    _exit(1);
  }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0, "status %d", status);
}

int main(int argc, char **argv) {
  char left[16];
  pthread_t t;
  int generation = argc == 2 ? atoi(argv[1]) : GENERATIONS;
  if (argc == 4) return strcmp(argv[1], "end") == 0 && strcmp(argv[3], "list") == 0 ? 0 : 1;
  if (generation == 0) {
    failures();
    make_garbage(10000);
    children(argv[0]);
    puts("ok");
    return 0;
  }
  CHECK(pthread_create(&t, NULL, makes_garbage, NULL) == 0, "pthread_create");
  make_garbage(2000 + generation * 37 % 3000);
  snprintf(left, sizeof left, "%d", generation - 1);
  execl("/proc/self/exe", argv[0], left, (char *)NULL);
  CHECK(false, "exec: errno %d", errno);
}
