/*
 * Threads that the C library makes to tell of messages (mq_notify) and that never touch the heap: what they free first
 * is what a thread before them has left, when they end, with the C library's lock of cached stacks in their hands; or a
 * block in a key's destructor. Beside them detached threads end, more than it keeps stacks for, and wait for that lock
 * with signals blocked.
 *
 * At first nothing is collected: what is kept of such threads must not grow with their number. Then leaks make
 * collections, whose stops must come to an end.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "support/probe.h"
#include "support/proc.h"

enum { BRIEF = 40, FIRST_SECONDS = 2, SECONDS = 4, PATIENCE_SECONDS = 30, MOST_GROWTH_KIB = 12 << 10 };

static mqd_t queue;
static pthread_key_t at_end;
static _Atomic(void *) gift;
static atomic_uint calls, born, living;
static atomic_bool leaking, done;

static void on_message(union sigval value) {
  void *p = atomic_exchange(&gift, NULL);
  if (p) pthread_setspecific(at_end, p);
  atomic_fetch_add(&calls, 1);
}

static void *brief(void *arg) {
  free(malloc(100));
  nanosleep(&(struct timespec){0, 300000}, NULL);
  atomic_fetch_sub(&living, 1);
  return arg;
}

static void *make_brief(void *arg) {
  pthread_attr_t detached;
  pthread_t t;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  while (!atomic_load(&done)) {
    if (atomic_load(&living) >= BRIEF || pthread_create(&t, &detached, brief, NULL) != 0) {
      nanosleep(&(struct timespec){0, 100000}, NULL);
      continue;
    }
    atomic_fetch_add(&living, 1);
    atomic_fetch_add(&born, 1);
  }
  return arg;
}

static void *post(void *arg) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_message};
  char message[8];
  for (unsigned i = 0; !atomic_load(&done); i++) {
    if (mq_notify(queue, &event) != 0) { /* the last one is still on its way */
      nanosleep(&(struct timespec){0, 50000}, NULL);
      continue;
    }
    if (i % 2 && !atomic_load(&gift)) atomic_store(&gift, malloc(40));
    CHECK(mq_send(queue, "x", 1, 0) == 0, "mq_send: %s", strerror(errno));
    CHECK(mq_receive(queue, message, sizeof message, NULL) == 1, "mq_receive: %s", strerror(errno));
  }
  return arg;
}

static void *leaker(void *arg) {
  while (!atomic_load(&done)) {
    if (atomic_load(&leaking)) {
      pattern_fill(malloc(3000), 3000, 3);
    } else {
      nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
  }
  return arg;
}

static size_t rss_kib(void) {
  return proc_kib("/proc/self/status", "VmRSS");
}

/* A stop that never ends ends both. */
static void goes_on_for(int seconds) {
  for (int i = 0; i < seconds; i++) {
    unsigned were_called = atomic_load(&calls), were_born = atomic_load(&born), waited = 0;
    do {
      CHECK(sleep(1) == 0, "woken");
      CHECK(++waited < PATIENCE_SECONDS, "%u calls, %u threads: no more of either", were_called, were_born);
    } while (atomic_load(&calls) == were_called || atomic_load(&born) == were_born);
  }
}

static bool open_queue(void) {
  struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 8};
  char name[40];
  snprintf(name, sizeof name, "/tricolor-notify-%d", (int)getpid());
  queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
  if (queue == (mqd_t)-1 && errno == ENOSYS) return false;
  CHECK(queue != (mqd_t)-1, "mq_open: %s", strerror(errno));
  return mq_unlink(name) == 0;
}

int main(void) {
  void *(*const work[])(void *) = {make_brief, post, leaker};
  pthread_t threads[3];
  if (open_queue()) {
    CHECK(pthread_key_create(&at_end, free) == 0, "pthread_key_create");
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
    goes_on_for(1);
    size_t before = rss_kib();
    goes_on_for(FIRST_SECONDS);
    CHECK(rss_kib() < before + MOST_GROWTH_KIB, "from %zu to %zu KiB", before, rss_kib());
    atomic_store(&leaking, true);
    goes_on_for(SECONDS);
    atomic_store(&done, true);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  } else {
    puts("passed over: the kernel has no message queues");
  }
  puts("ok");
  return 0;
}
