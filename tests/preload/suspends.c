/*
 * A program that stops its own threads by a signal, as another collector does, and waits until each has answered. One
 * that forks may be stopped with the library's registry of threads in its hands: one that waits for the registry must
 * answer all the same. Threads come and go, since those wait for it.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "support/progress.h"

enum { SECONDS = 4, MAKERS = 3, STOPPED = MAKERS + 1, LIVE = 64 << 20 };

static pthread_t threads[STOPPED + 1];
static atomic_uint suspensions, forks, wanted, begun;
static atomic_uint answered[STOPPED];
static _Thread_local int number = -1;
static atomic_bool done;

static void nap(void) {
  nanosleep(&(struct timespec){0, 20000}, NULL);
}

/* Late signals find that they have been answered. */
static void on_signal(int sig) {
  int saved_errno = errno;
  unsigned stop = atomic_load(&wanted);
  atomic_store(&answered[number], stop);
  while (stop % 2 && atomic_load(&wanted) == stop) nap();
  errno = saved_errno;
}

static void be(int who) {
  sigset_t signals;
  number = who;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
  atomic_fetch_add(&begun, 1);
}

static void *brief(void *arg) {
  free(malloc(100));
  return arg;
}

static void *make_threads(void *who) {
  pthread_t t;
  be((int)(intptr_t)who);
  while (!atomic_load(&done)) {
    CHECK(pthread_create(&t, NULL, brief, NULL) == 0, "pthread_create");
    pthread_join(t, NULL);
  }
  return NULL;
}

static void *forker(void *who) {
  be((int)(intptr_t)who);
  while (!atomic_load(&done)) {
    pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK(child > 0, "fork: %s", strerror(errno));
    while (waitpid(child, NULL, 0) != child) continue;
    atomic_fetch_add(&forks, 1);
  }
  return NULL;
}

static void suspend_all(void) {
  unsigned stop = atomic_fetch_add(&wanted, 1) + 1;
  for (int i = 0; i < STOPPED; i++) pthread_kill(threads[i], SIGUSR1);
  for (int i = 0; i < STOPPED; i++)
    while (atomic_load(&answered[i]) != stop) nap();
  atomic_fetch_add(&wanted, 1);
  atomic_fetch_add(&suspensions, 1);
}

/* It allocates nothing, since it may wait for a thread that has the registry. Nor does it wait for an answer of a
 * thread that has not begun, and may be waiting for the registry with the signal blocked. */
static void *suspender(void *arg) {
  while (atomic_load(&begun) < STOPPED) nap();
  while (!atomic_load(&done)) {
    suspend_all();
    nap();
  }
  return arg;
}

int main(void) {
  char *live = malloc(LIVE); /* what makes a fork last */
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigset_t signals;
  CHECK(live, "malloc");
  memset(live, 1, LIVE);
  sigaction(SIGUSR1, &action, NULL);
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, NULL); /* until a thread has its number */
  for (intptr_t i = 0; i < STOPPED; i++)
    CHECK(pthread_create(&threads[i], NULL, i < MAKERS ? make_threads : forker, (void *)i) == 0, "pthread_create");
  CHECK(pthread_create(&threads[STOPPED], NULL, suspender, NULL) == 0, "pthread_create");
  both_go_on_for(SECONDS, &suspensions, &forks, false);
  atomic_store(&done, true);
  pthread_join(threads[STOPPED], NULL);
  for (int i = 0; i < STOPPED; i++) pthread_join(threads[i], NULL);
  puts("ok");
  return 0;
}
