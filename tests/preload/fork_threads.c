/*
 * fork in a program whose other threads never stop allocating: 300 children, each with one thread left, allocate, free,
 * collect and exit; some start threads of their own, some exec, some fork again. A lock left held by a thread that the
 * child does not have, or a cycle half done, shows as a child that does not end: it has an alarm of its own.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "support/probe.h"

#define FORKS 300
#define THREADS 3

extern char **environ;
static atomic_bool stop;
static unsigned char *family[256]; /* written before the forks, read by every child */

static void *busy(void *arg) {
  uint64_t state = (uintptr_t)arg;
  void *mine[64] = {0};
  while (!atomic_load(&stop)) {
    unsigned i = probe_random(&state) % 64;
    free(mine[i]);
    size_t size = 1 + probe_random(&state) % (i == 0 ? 200000 : 2000);
    mine[i] = malloc(size);
    CHECK(mine[i] != NULL, "malloc(%zu)", size);
    memset(mine[i], (int)i, size < 64 ? size : 64);
  }
  for (int i = 0; i < 64; i++) free(mine[i]);
  return NULL;
}

static void *small_job(void *arg) {
  churn(100000);
  return arg;
}

static void child(int n) {
  alarm(20);
  for (int i = 0; i < 256; i++)
    CHECK(pattern_holds(family[i], 100 + (size_t)i, (unsigned)i), "child lost object %d", i);
  churn(300000);
  if (n % 4 == 0) collect();
  if (n % 8 == 1) {
    pthread_t t;
    CHECK(pthread_create(&t, NULL, small_job, NULL) == 0, "pthread_create in a child");
    pthread_join(t, NULL);
    collect();
  }
  if (n % 16 == 3) {
    int status;
    pid_t inner = fork();
    if (inner == 0) {
      churn(100000);
      _exit(0);
    }
    CHECK(waitpid(inner, &status, 0) == inner && status == 0, "a grandchild ended with %#x", status);
  }
  for (int i = 0; i < 256; i++)
    CHECK(pattern_holds(family[i], 100 + (size_t)i, (unsigned)i), "child lost object %d", i);
  if (n % 2 == 0) _exit(0);
  fflush(NULL);
  exit(0);
}

static void spawned(void) {
  char *args[] = {"true", NULL};
  int status = -1;
  pid_t pid;
  CHECK(posix_spawnp(&pid, "true", NULL, NULL, args, environ) == 0, "posix_spawnp");
  CHECK(waitpid(pid, &status, 0) == pid && status == 0, "posix_spawnp: true ended with %#x", status);
  CHECK(system("true") == 0, "system");
  FILE *f = popen("echo hello", "r");
  char line[16] = "";
  CHECK(f != NULL && fgets(line, sizeof(line), f) != NULL && strcmp(line, "hello\n") == 0, "popen gave %s", line);
  pclose(f);
}

int main(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < 256; i++) {
    family[i] = malloc(100 + (size_t)i);
    pattern_fill(family[i], 100 + (size_t)i, (unsigned)i);
  }
  for (size_t i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, busy, (void *)(i + 1)) == 0, "pthread_create");
  }
  for (int n = 0; n < FORKS; n++) {
    int status = -1;
    pid_t pid = fork();
    CHECK(pid >= 0, "fork");
    if (pid == 0) child(n);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "child %d ended with %#x", n, status);
    if (n % 50 == 7) spawned();
  }
  atomic_store(&stop, true);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < 256; i++) CHECK(pattern_holds(family[i], 100 + (size_t)i, (unsigned)i), "object %d was lost", i);
  puts("ok");
  return 0;
}
