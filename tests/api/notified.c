/*
 * A thread that the C library makes for mq_notify, asked for before the program's first object: what its frame alone
 * holds is held, and so is the value that only the kernel has meanwhile.
 */
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "support/queue.h"

enum { ROUNDS = 20, SIZE = 208, GARBAGE = 2000 };

static mqd_t queue;
static void *root;
static atomic_int taken, let_go, ended;

NOINLINE static void *make(unsigned seed) {
  void *p = tri_alloc(SIZE);
  pattern_fill(p, SIZE, seed);
  return p;
}

/* Nothing in here registers the thread. */
NOINLINE static void take(void *sent) {
  void *volatile mine = root;
  void *volatile value = sent;
  atomic_fetch_add(&taken, 1);
  while (atomic_load(&let_go) < atomic_load(&taken)) nanosleep(&(struct timespec){0, 100000}, NULL);
  CHECK(pattern_holds(mine, SIZE, 7), "the object of a frame is gone");
  CHECK(!value || pattern_holds(value, SIZE, 8), "what a message brought is gone");
}

static void on_message(union sigval value) {
  take(value.sival_ptr);
  atomic_fetch_add(&ended, 1);
}

static void ask(void *value) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_message};
  event.sigev_value.sival_ptr = value;
  CHECK(mq_notify(queue, &event) == 0, "mq_notify: %s", strerror(errno));
}

NOINLINE static void ask_with_object(void) {
  ask(make(8));
}

static void collect_with_garbage(void) {
  tri_gc();
  for (unsigned i = 0; i < GARBAGE; i++) make(9);
  tri_gc();
}

NOINLINE static void give(void) {
  tri_write(&root, make(7));
}

static void wait_for(atomic_int *count, int least) {
  while (atomic_load(count) < least) nanosleep(&(struct timespec){0, 100000}, NULL);
}

int main(void) {
  if (!open_queue(&queue)) {
    puts("passed over: the kernel has no message queues");
    return 0;
  }
  ask(NULL);
  for (int i = 1; i <= ROUNDS; i++) {
    give();
    collect_with_garbage();
    send_and_receive(queue);
    wait_for(&taken, i);
    tri_write(&root, NULL);
    collect_with_garbage();
    atomic_store(&let_go, i);
    wait_for(&ended, i);
    if (i < ROUNDS) ask_with_object();
  }
  puts("ok");
  return 0;
}
