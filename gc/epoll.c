/*
 * epoll_ctl, interposed: the data word of each (epoll descriptor, descriptor) pair is kept as a root from before the
 * call that hands it to the kernel (under a key of its own: the call may fail, and then the old word stands) until the
 * pair is removed or changed. Closed descriptors leave their entry behind
 * until the number is used again: that keeps an object too long, never too short.
 *
 * Lock: epoll_lock, rank CENTRAL, inside the runtime. errno is the C library's.
 */
#include "gc/epoll.h"

#include <errno.h>
#include <sys/epoll.h>

#include "gc/enter.h"
#include "gc/real.h"
#include "gc/wordset.h"
#include "internal/check.h"

static struct tri_lock epoll_lock = TRI_LOCK_INIT(TRI_RANK_CENTRAL);
static struct tri_wordset data_words; /* guarded by epoll_lock */

static uint64_t key_of(int epfd, int fd) {
  return ((uint64_t)(unsigned)epfd << 32 | (unsigned)fd) + 1;
}

#define ON_THE_WAY ((uint64_t)1 << 63)

static bool remember(uint64_t key, uint64_t data) {
  struct tri_thread *t;
  if (!tri_enter_stoppable(&t)) return false;
  tri_lock_acquire(&epoll_lock);
  bool ok = true;
  if (data) {
    ok = tri_wordset_put(&data_words, key, data);
  } else {
    tri_wordset_remove(&data_words, key);
  }
  tri_lock_release(&epoll_lock);
  tri_leave_stoppable(t);
  return ok;
}

TRI_EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event) {
  bool kept = event && op != EPOLL_CTL_DEL && epfd >= 0 && fd >= 0;
  if (!tri_runtime_ready() || (op == EPOLL_CTL_ADD && !kept)) return tri_real()->epoll_ctl(epfd, op, fd, event);
  uint64_t key = key_of(epfd, fd);
  uint64_t data = kept ? event->data.u64 : 0;
  if (kept && !remember(key | ON_THE_WAY, data)) {
    errno = ENOMEM;
    return -1;
  }
  int r = tri_real()->epoll_ctl(epfd, op, fd, event), saved_errno = errno;
  if (r == 0) remember(key, data);
  if (kept) remember(key | ON_THE_WAY, 0);
  errno = saved_errno;
  return r;
}

void tri_epoll_each_data(void (*fn)(uintptr_t word, void *), void *arg) {
  tri_lock_acquire(&epoll_lock);
  tri_wordset_each(&data_words, fn, arg);
  tri_lock_release(&epoll_lock);
}

void tri_epoll_lock(void) {
  tri_lock_acquire_unranked(&epoll_lock);
}
void tri_epoll_unlock(void) {
  tri_lock_release_unranked(&epoll_lock);
}
