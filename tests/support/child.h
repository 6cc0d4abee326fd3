/* Runs a function in a forked child, for tests that change limits of the process. */
#ifndef TRI_TESTS_CHILD_H
#define TRI_TESTS_CHILD_H

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child's exit status when the surroundings (a sanitizer's terabytes, a missing privilege) make its test moot. */
#define CHILD_SKIP 77

/* In a child: ends it with a line on stderr unless e holds. */
#define CHILD_CHECK(e)                                                  \
  do {                                                                  \
    if (!(e)) {                                                         \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #e); \
      _exit(1);                                                         \
    }                                                                   \
  } while (0)

/* The exit status of a child that runs fn (0 when fn returns), or 128 + the signal that ended it. */
static inline int child_run(void (*fn)(void)) {
  int status;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    fn();
    _exit(0);
  }
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline int child_passes(void (*fn)(void)) {
  int status = child_run(fn);
  return status == 0 || status == CHILD_SKIP;
}

#endif
