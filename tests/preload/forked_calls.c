/*
 * Children that are not made by fork() and call what is a safe region in their parent. One of _Fork has a copy of a
 * stop that nobody will end for it. One of vfork runs as its parent, and is killed in the call: the parent must not
 * count as asleep from then on. Another thread collects all the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "support/probe.h"

enum { FORKS = 300, OBJECTS = 100, CHILD_S = 20 };

static atomic_bool done;
static int zero, null;
static sem_t sem;

static void *collect_on_and_on(void *unused) {
  while (!atomic_load(&done)) {
    for (int i = 0; i < 200; i++) pattern_fill(malloc(300), 300, 3);
    collect();
  }
  return unused;
}

static void call_all(void) {
  char c;
  alarm(CHILD_S);
  if (write(null, "x", 1) != 1 || read(zero, &c, 1) != 1 || sem_wait(&sem) != 0) _exit(1);
  _exit(0);
}

static void forked_children_do_not_wait(void) {
  for (int i = 0; i < FORKS; i++) {
    int status;
    pid_t pid = _Fork();
    CHECK(pid >= 0, "_Fork");
    if (pid == 0) call_all();
    CHECK(waitpid(pid, &status, 0) == pid && status == 0, "child %d ended with %#x", i, status);
  }
}

NOINLINE static void write_to_nobody(int fd) {
  int status;
  pid_t pid = vfork();
  if (pid == 0) {
    (void)!write(fd, "x", 1);
    _exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status), "the child ended with %#x", status);
}

/* On this frame alone, below all that the call had. */
NOINLINE static void hold_objects(void) {
  void *volatile held[OBJECTS];
  for (int i = 0; i < OBJECTS; i++) {
    held[i] = malloc(300);
    pattern_fill(held[i], 300, 77);
  }
  for (int i = 0; i < 300; i++) {
    struct timespec begun, now;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begun.tv_sec) * 1000000000 + now.tv_nsec - begun.tv_nsec < 1000000);
  }
  for (int i = 0; i < OBJECTS; i++) CHECK(pattern_holds(held[i], 300, 77), "object %d was overwritten", i);
}

int main(void) {
  pthread_t t;
  int ends[2];
  zero = open("/dev/zero", O_RDONLY);
  null = open("/dev/null", O_WRONLY);
  sem_init(&sem, 0, 1);
  CHECK(zero >= 0 && null >= 0 && pipe(ends) == 0, "descriptors");
  close(ends[0]);
  CHECK(pthread_create(&t, NULL, collect_on_and_on, NULL) == 0, "pthread_create");
  forked_children_do_not_wait();
  write_to_nobody(ends[1]);
  hold_objects();
  atomic_store(&done, true);
  pthread_join(t, NULL);
  puts("ok");
  return 0;
}
