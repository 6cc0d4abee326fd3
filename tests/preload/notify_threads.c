/*
 * Threads that the C library makes to tell of messages (mq_notify). What only the kernel has while a message is on its
 * way is kept, and what such a thread moves about while roots are read.
 *
 * "unseen": the C library's mq_notify is called behind our back, as its own helpers for asynchronous I/O are. The
 * threads never touch the heap: what they free first is what a thread before them has left, when they end, with the C
 * library's lock of cached stacks in their hands; or a block in a key's destructor. (What they have is kept by us.)
 *
 * Beside them detached threads end, more than the C library keeps stacks for, and wait for that lock with signals
 * blocked. Only so many of either are there at once, those that wait to end among them. At first nothing leaks: what is
 * kept of such threads must not grow with their number. Then leaks make collections, whose stops must come to an end.
 */
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include "support/libc.h"
#include "support/proc.h"
#include "support/progress.h"
#include "support/queue.h"

enum { KEPT = 1 << 10, MOVES = 10000, BYTES = 40 };
enum { MOST_AT_ONCE = 40, MOST_ON_THEIR_WAY = 40, FIRST_SECONDS = 2, SECONDS = 4, MOST_GROWTH_KIB = 12 << 10 };

static mqd_t queue;
static pthread_key_t at_end;
static _Atomic(void *) gift, left_hand;
static atomic_bool busy;
static void *kept[KEPT];
static bool unseen;
static int (*notify)(mqd_t, const struct sigevent *) = mq_notify;
static atomic_uint calls, born;
static atomic_bool leaking, done;

/* Whoever looks at one place after the other, while this goes on, may find it in none. */
static void *from_hand_to_hand(void *p) {
  _Atomic(void *) right_hand = p;
  if (atomic_exchange(&busy, true)) return p;
  p = NULL;
  for (unsigned i = 0; i < MOVES; i++) {
    atomic_store(&left_hand, atomic_exchange(&right_hand, NULL));
    atomic_store(&right_hand, atomic_exchange(&left_hand, NULL));
  }
  atomic_store(&busy, false);
  return atomic_load(&right_hand);
}

static void on_message(union sigval value) {
  void *p = atomic_exchange(&gift, NULL), *sent = value.sival_ptr;
  if (sent) {
    CHECK(pattern_holds(sent, BYTES, 6), "what a message brought was reclaimed");
    sent = from_hand_to_hand(sent);
    CHECK(pattern_holds(sent, BYTES, 6), "an object of a thread that told of a message was reclaimed");
    free(sent);
  }
  if (p) pthread_setspecific(at_end, p);
  atomic_fetch_add(&calls, 1);
}

static void *brief(void *arg) {
  free(malloc(100));
  nanosleep(&(struct timespec){0, 300000}, NULL);
  return arg;
}

static unsigned number_of_threads(void) {
  struct stat tasks;
  CHECK(stat("/proc/self/task", &tasks) == 0, "stat: %s", strerror(errno));
  return (unsigned)tasks.st_nlink - 2;
}

/* Not counting the runtime's markers. */
static bool enough_at_once(unsigned most) {
  return number_of_threads() >= most + (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

static void *make_brief(void *arg) {
  pthread_attr_t detached;
  pthread_t t;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  while (!atomic_load(&done)) {
    if (enough_at_once(MOST_AT_ONCE) || pthread_create(&t, &detached, brief, NULL) != 0) {
      nanosleep(&(struct timespec){0, 100000}, NULL);
      continue;
    }
    atomic_fetch_add(&born, 1);
  }
  return arg;
}

static void *give(void) {
  void *p = malloc(BYTES);
  pattern_fill(p, BYTES, 6);
  return p;
}

static void *post(void *arg) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_message};
  for (unsigned i = 0; !atomic_load(&done); i++) {
    while (i - atomic_load(&calls) >= MOST_ON_THEIR_WAY || enough_at_once(MOST_AT_ONCE + MOST_ON_THEIR_WAY))
      nanosleep(&(struct timespec){0, 50000}, NULL); /* their threads wait for a CPU */
    if (i % 2 && !atomic_load(&gift)) atomic_store(&gift, unseen ? kept[i / 2 % KEPT] = give() : give());
    if (!unseen) event.sigev_value.sival_ptr = give();
    while (notify(queue, &event) != 0) nanosleep(&(struct timespec){0, 50000}, NULL); /* one is still on its way */
    event.sigev_value.sival_ptr = NULL;
    send_and_receive(queue);
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

static void go_behind(void) {
  *(void **)&notify = libc_own("mq_notify");
  unseen = true;
}

int main(int argc, char **argv) {
  void *(*const work[])(void *) = {make_brief, post, leaker};
  if (argc > 1) go_behind();
  pthread_t threads[3];
  if (open_queue(&queue)) {
    CHECK(pthread_key_create(&at_end, free) == 0, "pthread_key_create");
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
    both_go_on_for(1, &calls, &born, false);
    size_t before = rss_kib();
    both_go_on_for(FIRST_SECONDS, &calls, &born, false);
    CHECK(rss_kib() < before + MOST_GROWTH_KIB, "from %zu to %zu KiB", before, rss_kib());
    atomic_store(&leaking, true);
    both_go_on_for(SECONDS, &calls, &born, false);
    atomic_store(&done, true);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  } else {
    puts("passed over: the kernel has no message queues");
  }
  puts("ok");
  return 0;
}
