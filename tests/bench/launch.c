/*
 * launch RESULT [NAME=VALUE ...] -- PROGRAM ARGS...: starts a program with additions to its environment, waits for it
 * and writes one line to RESULT: exit status (128 + signal when killed), wall time in ns, user and system time in us,
 * peak resident KiB.
 *
 * It exists because the kernel counts the resident memory of whoever starts a program towards the program's peak:
 * a Python interpreter would add its own 15 MiB floor, this adds about one. It must stay small.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long micros(struct timeval t) {
  return t.tv_sec * 1000000LL + t.tv_usec;
}

/* The additions must not reach this process: it would preload what it is asked to measure. */
static char **with_additions(char **from, size_t count) {
  size_t have = 0;
  while (environ[have] != NULL) have++;
  char **all = calloc(have + count + 1, sizeof *all);
  if (all == NULL) return NULL;
  memcpy(all, from, count * sizeof *all);
  memcpy(all + count, environ, have * sizeof *all);
  return all;
}

int main(int argc, char **argv) {
  int split = 2;
  while (split < argc && strcmp(argv[split], "--") != 0) split++;
  if (split + 1 >= argc) {
    fputs("usage: launch RESULT [NAME=VALUE ...] -- PROGRAM ARGS...\n", stderr);
    return 2;
  }
  char **environment = with_additions(argv + 2, (size_t)split - 2);
  if (environment == NULL) return 2;
  pid_t pid;
  long long start = now_ns();
  int error = posix_spawnp(&pid, argv[split + 1], NULL, NULL, argv + split + 1, environment);
  if (error != 0) {
    fprintf(stderr, "launch: %s: %s\n", argv[split + 1], strerror(error));
    return 127;
  }
  int status;
  struct rusage usage;
  while (wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) return 2;
  }
  long long wall = now_ns() - start;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  FILE *out = fopen(argv[1], "w");
  if (out == NULL) return 2;
  fprintf(out, "%d %lld %lld %lld %ld\n", code, wall, micros(usage.ru_utime), micros(usage.ru_stime), usage.ru_maxrss);
  return fclose(out) == 0 ? code : 2;
}
