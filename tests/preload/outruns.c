/*
 * Threads that allocate faster than their garbage can be marked, so that they have to assist: a live heap of chains
 * that are always taken apart and put together anew, with much that is dropped at once. Meanwhile signals come whose
 * handlers allocate, and processes are forked that do the same. The C library's own signals stay blocked as they were:
 * it has threads that wait for them.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "support/probe.h"

enum { THREADS = 3, CHAINS = 4096, LINKS = 24, ROUNDS = 250000, CHILD_ROUNDS = 60000, FORKS = 3, TICK_US = 997 };

struct link {
  struct link *next;
  unsigned long chain, place;
  char fill[24];
};

struct work {
  struct link *chain[CHAINS];
  uint64_t random;
};

static volatile sig_atomic_t ticks;
static void *volatile from_handler;

static void on_tick(int sig) {
  ticks++;
  from_handler = malloc(40);
}

static struct link *make(unsigned long chain) {
  struct link *first = NULL;
  for (unsigned long place = LINKS; place-- > 0;) {
    struct link *l = malloc(sizeof *l);
    CHECK(l, "malloc");
    *l = (struct link){.next = first, .chain = chain, .place = place};
    first = l;
  }
  return first;
}

static void check(const struct link *l, unsigned long chain) {
  for (unsigned long place = 0; place < LINKS; place++, l = l->next)
    CHECK(l && l->chain == chain && l->place == place, "chain %lu breaks at %lu", chain, place);
  CHECK(!l, "chain %lu does not end", chain);
}

/* The rest moves behind a new first link: from an object that may be scanned into one that is not. */
static struct link *renew_first(struct link *old) {
  struct link *l = malloc(sizeof *l);
  CHECK(l, "malloc");
  *l = *old;
  old->next = NULL;
  return l;
}

static void outrun(struct work *w, int rounds) {
  for (int i = 0; i < rounds; i++) {
    unsigned long c = probe_random(&w->random) % CHAINS;
    check(w->chain[c], c);
    w->chain[c] = i % 2 ? make(c) : renew_first(w->chain[c]);
  }
}

static void *work(void *unused) {
  struct work *w = calloc(1, sizeof *w);
  CHECK(w, "calloc");
  w->random = (uintptr_t)&w;
  for (unsigned long c = 0; c < CHAINS; c++) w->chain[c] = make(c);
  outrun(w, ROUNDS);
  return w;
}

static void outrun_in_child(struct work *w) {
  pid_t child = fork();
  CHECK(child >= 0, "fork");
  if (child == 0) {
    outrun(w, CHILD_ROUNDS);
    _exit(0);
  }
  int status;
  while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR, "waitpid");
  CHECK(status == 0, "child: %x", status);
}

static bool is_blocked(int sig) {
  uint64_t now = 0;
  CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, sizeof now) == 0, "rt_sigprocmask");
  return now >> (sig - 1) & 1;
}

static void *nothing(void *arg) {
  return arg;
}

/* The C library opens them itself when it makes the first thread. */
static void block_own(int sig) {
  pthread_t t;
  CHECK(pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0, "pthread_create");
  uint64_t bit = UINT64_C(1) << (sig - 1);
  CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &bit, NULL, sizeof bit) == 0 && is_blocked(sig), "rt_sigprocmask");
}

int main(void) {
  enum { OF_TIMERS = 32 };
  pthread_t t[THREADS];
  struct work w = {.random = 1};
  struct sigaction a = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  struct itimerval every = {.it_interval.tv_usec = TICK_US, .it_value.tv_usec = TICK_US};
  block_own(OF_TIMERS);
  sigaction(SIGALRM, &a, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
  for (unsigned long c = 0; c < CHAINS; c++) w.chain[c] = make(c); /* starts the collector */
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&t[i], NULL, work, NULL) == 0, "pthread_create");
  for (int i = 0; i < FORKS; i++) outrun_in_child(&w);
  for (int i = 0; i < THREADS; i++) {
    void *done;
    pthread_join(t[i], &done);
    for (unsigned long c = 0; c < CHAINS; c++) check(((struct work *)done)->chain[c], c);
  }
  CHECK(ticks > 0, "no signal came");
  CHECK(is_blocked(OF_TIMERS), "the signal of timers has been let in");
  puts("ok");
  return 0;
}
