/*
 * mq_notify, interposed: the thread that the C library makes for SIGEV_THREAD, not by our pthread_create, is registered
 * before the program's function runs in it. It allocates and frees nothing by itself, so nothing else would tell of it,
 * and a thread that is not stopped moves pointers while roots are read. In malloc mode, timers' threads and those of
 * asynchronous I/O free their argument first of all, which registers them (gc/heap.c).
 *
 *   mq_notify(function, value) -> a notice with both, which the kernel keeps in their place -> a message comes
 *     -> the C library's thread -> trampoline: registers, takes the notice -> function(value)
 *
 * A notice holds the program's value, which only the kernel would have: a root. Whether one that was registered has
 * come, or never will (the queue was closed, the notification taken back), cannot be told, so there is one for each
 * function and value and it counts: a program that takes back what it asked for does not leave more of them each time,
 * unless with another value.
 *
 * Lock: notify_lock, rank CENTRAL, inside the runtime. It guards the list. errno is the C library's. Compiled with
 * -fexceptions: pthread_exit and cancellation unwind through the trampoline.
 */
#include "gc/notify.h"

#include <errno.h>
#include <mqueue.h>
#include <signal.h>

#include "alloc/fixalloc.h"
#include "gc/enter.h"
#include "gc/real.h"
#include "gc/thread.h"
#include "gc/write.h"
#include "internal/check.h"

struct notice {
  struct notice *next;
  void (*fn)(union sigval);
  union sigval value;
  unsigned expected; /* so many calls may come yet */
};

static struct tri_lock notify_lock = TRI_LOCK_INIT(TRI_RANK_CENTRAL);
static struct notice *notices; /* guarded by notify_lock */
static struct tri_fixalloc notice_pool = TRI_FIXALLOC_INIT(sizeof(struct notice));

static struct notice *find_or_make(const struct notice *wanted) {
  for (struct notice *n = notices; n; n = n->next)
    if (n->fn == wanted->fn && n->value.sival_ptr == wanted->value.sival_ptr) return n;
  struct notice *n = tri_fixalloc_alloc(&notice_pool);
  if (n) {
    *n = *wanted;
    n->next = notices;
    notices = n;
  }
  return n;
}

static struct notice *expect(const struct notice *wanted) {
  tri_lock_acquire(&notify_lock);
  struct notice *n = find_or_make(wanted);
  if (n) n->expected++;
  tri_lock_release(&notify_lock);
  return n;
}

static bool take_locked(struct notice *n, struct notice *ret_was) {
  struct notice **link = &notices;
  while (*link && *link != n) link = &(*link)->next;
  if (!*link) return false;
  *ret_was = *n;
  if (--n->expected == 0) {
    *link = n->next;
    tri_fixalloc_free(&notice_pool, n);
  }
  return true;
}

/* One call fewer is to come. False: there is no such notice. After a fork the C library's threads of both processes
 * take each other's messages, and this one may have come from the other. */
static bool take(struct notice *n, struct notice *ret_was) {
  struct tri_thread *t = tri_self;
  bool entered = tri_runtime_enter(t);
  tri_lock_acquire(&notify_lock);
  bool found = take_locked(n, ret_was);
  tri_lock_release(&notify_lock);
  if (entered) tri_runtime_leave(t);
  return found;
}

static void trampoline(union sigval notice) {
  struct tri_thread *t = tri_thread_register_self();
  if (!t) tri_fatal("no memory to register a thread that mq_notify has made");
  tri_thread_find_stack(t);
  struct notice was;
  if (take(notice.sival_ptr, &was)) was.fn(was.value);
}

static int notify_thread(mqd_t queue, const struct sigevent *event, struct tri_thread *inside) {
  struct sigevent ours = *event;
  struct notice was, *n = expect(&(struct notice){.fn = event->sigev_notify_function, .value = event->sigev_value});
  tri_runtime_leave(inside);
  if (!n) {
    errno = ENOMEM;
    return -1;
  }
  /* As a root it counts from a cycle's first stop on. */
  tri_write_shade_range(&event->sigev_value, sizeof event->sigev_value);
  tri_thread_is_coming();
  ours.sigev_notify_function = trampoline;
  ours.sigev_value.sival_ptr = n;
  int r = tri_real()->mq_notify(queue, &ours), saved_errno = errno;
  if (r != 0) take(n, &was);
  errno = saved_errno;
  return r;
}

TRI_EXPORT int mq_notify(mqd_t queue, const struct sigevent *event) {
  bool by_thread = event && event->sigev_notify == SIGEV_THREAD && !tri_runtime_inert();
  struct tri_thread *inside = by_thread ? tri_enter_registered() : NULL;
  return inside ? notify_thread(queue, event, inside) : tri_real()->mq_notify(queue, event);
}

void tri_notify_each_word(void (*fn)(uintptr_t word, void *), void *arg) {
  for (struct notice *n = notices; n; n = n->next) fn((uintptr_t)n->value.sival_ptr, arg);
}

void tri_notify_lock(void) {
  tri_lock_acquire_unranked(&notify_lock);
}
void tri_notify_unlock(void) {
  tri_lock_release_unranked(&notify_lock);
}
