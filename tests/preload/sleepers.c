/*
 * Threads that sleep while others collect. None sees EINTR, none is woken early, and what only their sleeping frames
 * and their calls' arguments point to stays. The program's own signals still reach them: handlers run, allocate, leave
 * the sleep by siglongjmp; cancelled threads run their cleanup; and all of that while cycles go on.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <threads.h>
#include <time.h>

#include "support/probe.h"

#define MILLISECONDS 1500

static atomic_bool done;
static atomic_bool ready;
static atomic_int handled, asleep_now;

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void *object(unsigned seed) {
  unsigned char *p = malloc(300);
  CHECK(p != NULL, "malloc");
  pattern_fill(p, 300, seed);
  return p;
}

static int sem_id, message_id;

static int by_nanosleep(void) {
  struct timespec t = {MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000000};
  return nanosleep(&t, NULL);
}
static int by_clock_nanosleep(void) {
  struct timespec t = {MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000000};
  int err = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
  errno = err;
  return err ? -1 : 0;
}
static int by_usleep(void) {
  return usleep(MILLISECONDS * 1000);
}
static int by_sleep(void) {
  return sleep(2) == 0 ? 0 : -1;
}
static int by_poll(void) {
  struct pollfd *fds = calloc(8, sizeof(*fds)); /* in the call, and nowhere else */
  for (int i = 0; i < 8; i++) fds[i].fd = -1;
  int r = poll(fds, 8, MILLISECONDS);
  return r;
}
static int by_ppoll(void) {
  struct timespec *t = malloc(sizeof(*t));
  *t = (struct timespec){MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000000};
  return ppoll(NULL, 0, t, NULL);
}
static int by_select(void) {
  struct timeval *t = malloc(sizeof(*t));
  *t = (struct timeval){MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000};
  return select(0, NULL, NULL, NULL, t);
}
static int by_pselect(void) {
  struct timespec t = {MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000000};
  return pselect(0, NULL, NULL, NULL, &t, NULL);
}
static int by_epoll_wait(void) {
  struct epoll_event *events = malloc(4 * sizeof(*events));
  int fd = epoll_create1(0), r = epoll_wait(fd, events, 4, MILLISECONDS);
  close(fd);
  return r;
}
static int by_sigtimedwait(void) {
  struct timespec t = {MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000000};
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  int r = sigtimedwait(&set, NULL, &t);
  return r == -1 && errno == EAGAIN ? 0 : -1;
}
static int by_semtimedop(void) {
  struct timespec t = {MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000000};
  struct sembuf *down = malloc(sizeof(*down));
  *down = (struct sembuf){0, -1, 0};
  int r = semtimedop(sem_id, down, 1, &t);
  return r == -1 && errno == EAGAIN ? 0 : -1;
}
static int by_thrd_sleep(void) {
  struct timespec t = {MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000000};
  return thrd_sleep(&t, NULL);
}
static void ignore(int sig) {
  (void)sig;
}
static void *signal_late(void *sleeper) {
  usleep(MILLISECONDS * 1000);
  pthread_kill(*(pthread_t *)sleeper, SIGWINCH);
  return NULL;
}
static int by_sigpause(void) {
  int (*sigpause_)(int);
  pthread_t self = pthread_self(), other;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  signal(SIGWINCH, ignore);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  CHECK(probe_symbol("__xpg_sigpause", &sigpause_), "no __xpg_sigpause");
  CHECK(pthread_create(&other, NULL, signal_late, &self) == 0, "pthread_create");
  int r = sigpause_(SIGWINCH), error = errno;
  pthread_join(other, NULL);
  return r == -1 && error == EINTR ? 0 : -1;
}
static int by_recvmmsg(void) {
  int pair[2];
  struct timeval t = {MILLISECONDS / 1000, MILLISECONDS % 1000 * 1000};
  char byte;
  struct iovec v = {&byte, 1};
  struct mmsghdr *message = calloc(1, sizeof(*message));
  message->msg_hdr.msg_iov = &v;
  message->msg_hdr.msg_iovlen = 1;
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
  CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) == 0, "setsockopt");
  return recvmmsg(pair[0], message, 1, 0, NULL) == -1 && errno == EAGAIN ? 0 : -1;
}
static int by_msgrcv(void) {
  struct {
    long type;
    char text[64];
  } *message = malloc(sizeof(*message));
  int r = (int)msgrcv(message_id, message, sizeof(message->text), 0, 0);
  return r == 5 && memcmp(message->text, "hello", 5) == 0 ? 0 : -1;
}

static const struct sleeper {
  const char *name;
  int (*sleep)(void);
} sleepers[] = {
    {"nanosleep", by_nanosleep},
    {"clock_nanosleep", by_clock_nanosleep},
    {"usleep", by_usleep},
    {"sleep", by_sleep},
    {"poll", by_poll},
    {"ppoll", by_ppoll},
    {"select", by_select},
    {"pselect", by_pselect},
    {"epoll_wait", by_epoll_wait},
    {"sigtimedwait", by_sigtimedwait},
    {"semtimedop", by_semtimedop},
    {"msgrcv", by_msgrcv},
    {"thrd_sleep", by_thrd_sleep},
    {"sigpause", by_sigpause},
    {"recvmmsg", by_recvmmsg},
};
#define SLEEPERS (sizeof(sleepers) / sizeof(sleepers[0]))

static void *run_sleeper(void *which) {
  const struct sleeper *s = which;
  void *volatile kept = object(77);
  uint64_t before = now_ms();
  atomic_fetch_add(&asleep_now, 1);
  errno = 0;
  int r = s->sleep();
  CHECK(r == 0, "%s: errno %d after %d ms", s->name, errno, (int)(now_ms() - before));
  CHECK(now_ms() - before >= MILLISECONDS - 50, "%s came back after %d ms", s->name, (int)(now_ms() - before));
  CHECK(pattern_holds(kept, 300, 77), "%s: an object of the sleeping frame was reclaimed", s->name);
  return NULL;
}

/* Goes to sleep all the time: a stop that comes just then must not be taken for a signal of the program's. */
static void *nap(void *arg) {
  struct timespec t = {0, 50000};
  while (!atomic_load(&done)) {
    CHECK(nanosleep(&t, NULL) == 0, "nanosleep: errno %d", errno);
    CHECK(poll(NULL, 0, 0) == 0, "poll: errno %d", errno);
  }
  return arg;
}

static void *allocate(void *arg) {
  while (!atomic_load(&done)) {
    for (int i = 0; i < 100; i++) pattern_fill(malloc(300), 300, 3);
    if (probe.gc != NULL) {
      probe.gc();
    } else {
      usleep(1000);
    }
  }
  return arg;
}

/* A list that the handler lengthens: lost links would show. */
static struct link {
  struct link *next;
  unsigned char body[100];
} * links;

static void on_signal(int sig) {
  struct link *l = malloc(sizeof(*l));
  if (l != NULL) {
    pattern_fill(l->body, sizeof(l->body), (unsigned)sig);
    l->next = links;
    links = l;
  }
  atomic_fetch_add(&handled, 1);
}

static sigjmp_buf out;

static void on_jump(int sig) {
  on_signal(sig);
  siglongjmp(out, 1);
}

static void *sleep_and_be_signalled(void *arg) {
  struct timespec hour = {3600, 0};
  volatile int jumps = 0;
  void *volatile kept = object(78);
  if (sigsetjmp(out, 1) != 0) jumps++;
  atomic_store(&ready, true);
  while (!atomic_load(&done)) {
    CHECK(nanosleep(&hour, NULL) == -1 && errno == EINTR, "the program's own signal was lost");
    if (sigsetjmp(out, 1) == 0) {
      pause();
    } else {
      jumps++;
    }
    CHECK(pattern_holds(kept, 300, 78), "an object was reclaimed");
  }
  CHECK(jumps > 0, "no jump");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL); /* no jump into this frame when it is gone */
  return arg;
}

static void clean_up(void *flag) {
  pattern_fill(malloc(300), 300, 4);
  atomic_store((atomic_bool *)flag, true);
}

static void *sleep_and_be_cancelled(void *flag) {
  pthread_cleanup_push(clean_up, flag);
  for (;;) poll(NULL, 0, -1);
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancel_some(int n) {
  for (int i = 0; i < n; i++) {
    atomic_bool cleaned = false;
    pthread_t t;
    CHECK(pthread_create(&t, NULL, sleep_and_be_cancelled, &cleaned) == 0, "pthread_create");
    usleep(2000);
    pthread_cancel(t);
    void *result;
    pthread_join(t, &result);
    CHECK(result == PTHREAD_CANCELED && atomic_load(&cleaned), "the cleanup did not run");
  }
}

static void handlers_are_ours(void) {
  struct sigaction old;
  CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == on_signal && !(old.sa_flags & SA_SIGINFO),
        "sigaction shows another handler");
  CHECK(signal(SIGUSR2, on_jump) == SIG_DFL && signal(SIGUSR2, on_jump) == on_jump, "signal shows another handler");
}

int main(void) {
  pthread_t asleep[SLEEPERS], allocators[2], nappers[2], signalled;
  struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  struct {
    long type;
    char text[64];
  } message = {1, "hello"};
  sem_id = semget(IPC_PRIVATE, 1, 0600);
  message_id = msgget(IPC_PRIVATE, 0600);
  CHECK(sem_id >= 0 && message_id >= 0, "no System V semaphores or messages");
  sigaddset(&act.sa_mask, SIGUSR2); /* a jump out of malloc would be the program's fault */
  CHECK(sigaction(SIGUSR1, &act, NULL) == 0, "sigaction");
  handlers_are_ours();
  for (size_t i = 0; i < SLEEPERS; i++)
    CHECK(pthread_create(&asleep[i], NULL, run_sleeper, (void *)(uintptr_t)&sleepers[i]) == 0, "pthread_create");
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&allocators[i], NULL, allocate, NULL) == 0, "pthread_create");
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&nappers[i], NULL, nap, NULL) == 0, "pthread_create");
  CHECK(pthread_create(&signalled, NULL, sleep_and_be_signalled, NULL) == 0, "pthread_create");
  while (!atomic_load(&ready) || atomic_load(&asleep_now) < (int)SLEEPERS) usleep(1000);
  uint64_t start = now_ms();
  while (now_ms() - start < MILLISECONDS) {
    pthread_kill(signalled, SIGUSR1);
    usleep(1500);
    pthread_kill(signalled, SIGUSR2);
    usleep(1500);
    cancel_some(1);
  }
  CHECK(msgsnd(message_id, &message, 5, 0) == 0, "msgsnd");
  for (size_t i = 0; i < SLEEPERS; i++) pthread_join(asleep[i], NULL);
  atomic_store(&done, true);
  while (pthread_tryjoin_np(signalled, NULL) != 0) {
    pthread_kill(signalled, SIGUSR1);
    usleep(1000);
    pthread_kill(signalled, SIGUSR2);
    usleep(1000);
  }
  for (int i = 0; i < 2; i++) pthread_join(allocators[i], NULL);
  for (int i = 0; i < 2; i++) pthread_join(nappers[i], NULL);
  for (struct link *l = links; l != NULL; l = l->next)
    CHECK(pattern_holds(l->body, sizeof(l->body), SIGUSR1) || pattern_holds(l->body, sizeof(l->body), SIGUSR2),
          "a handler's object was overwritten");
  semctl(sem_id, 0, IPC_RMID);
  msgctl(message_id, IPC_RMID, NULL);
  CHECK(!probe_live() || probe_cycles() > 50, "%lu collections", probe_cycles());
  puts("ok");
  return 0;
}
