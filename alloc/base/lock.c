/*
 * The slow half of the runtime's lock (internal/lock.h has the fast half), the futex calls, and lock ranks.
 *
 * The word is 0 free, 1 held, 2 held with possible waiters. A waiter always leaves 2 behind when it gets the lock, so a
 * release may wake once too often but never too seldom. Short spinning first: holders never block while they hold, so
 * a wait is usually shorter than two system calls, unless the holder was preempted.
 *
 * Ordering: acquire by compare-and-swap or exchange (acq_rel) pairs with the exchange (acq_rel) of tri_lock_release.
 * Full checks only: locks are taken where no stop can come, and in the order of their ranks: a per-thread stack of held
 * locks in initial-exec TLS. A signal handler that takes and releases locks between any two instructions here leaves
 * count and entries as it found them, but may have overwritten the entry above count; tri_lock_rank_push therefore
 * stores its entry again after raising count. Works before the C library is ready and in a fork child; errno is
 * preserved; allocates nothing.
 */
#include "internal/lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal/check.h"
#include "internal/clock.h"

#define SPINS 100

void tri_futex_wait(tri_aint *word, unsigned expected, uint64_t timeout_ns) {
  int saved = errno;
  struct timespec ts = {(time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000)};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_ns ? &ts : NULL, NULL, 0);
  errno = saved;
}

void tri_futex_wake(tri_aint *word, int count) {
  int saved = errno;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
  errno = saved;
}

static bool spin(struct tri_lock *l) {
  for (int i = 0; i < SPINS; i++) {
    if (tri_int_load_rlx(&l->word) == 0 && tri_int_cas_acq_rel(&l->word, 0, 1)) return true;
    tri_spin_pause();
  }
  return false;
}

void tri_lock_slow(struct tri_lock *l) {
  if (spin(l)) return;
  while (tri_int_exchange_acq_rel(&l->word, 2) != 0) tri_futex_wait(&l->word, 2, 0);
}

/* Who was woken tries once more before it gives up, and leaves 2 behind: no wake is lost. */
bool tri_lock_slow_within(struct tri_lock *l, uint64_t ns) {
  if (spin(l)) return true;
  uint64_t end = tri_now_ns() + ns;
  while (tri_int_exchange_acq_rel(&l->word, 2) != 0) {
    uint64_t now = tri_now_ns();
    if (now >= end) return false;
    tri_futex_wait(&l->word, 2, end - now);
  }
  return true;
}

void tri_lock_wake(struct tri_lock *l) {
  tri_futex_wake(&l->word, 1);
}

void tri_lock_wake_all(struct tri_lock *l) {
  tri_futex_wake(&l->word, INT_MAX);
}

#ifdef TRI_CHECKS_FULL

#define MAX_HELD 32

static TRI_TLS struct {
  const struct tri_lock *lock[MAX_HELD];
  unsigned count;
} held;

bool (*tri_lock_is_safe)(void);

/* A stop must not find a lock held that the runner, or a thread inside the runtime, waits for. */
static void check_stops_are_away(const struct tri_lock *l) {
  if (l->rank <= TRI_RANK_REGISTRY || l->rank == TRI_RANK_LEAF || !tri_lock_is_safe) return;
  for (unsigned i = 0; i < held.count; i++)
    if (held.lock[i]->rank <= TRI_RANK_REGISTRY) return;
  if (!tri_lock_is_safe()) tri_fatal("lock of rank %u taken outside the runtime, where a stop may come", l->rank);
}

void tri_lock_rank_push(const struct tri_lock *l) {
  unsigned n = held.count;
  check_stops_are_away(l);
  for (unsigned i = 0; i < n; i++) {
    const struct tri_lock *h = held.lock[i];
    if (h == l) tri_fatal("lock of rank %u at %p taken twice by one thread", l->rank, (const void *)l);
    if (h->rank >= l->rank) tri_fatal("lock order: rank %u taken while rank %u is held", l->rank, h->rank);
  }
  if (n == MAX_HELD) tri_fatal("lock order: more than %d locks held by one thread", MAX_HELD);
  held.lock[n] = l;
  tri_fence_sig();
  held.count = n + 1;
  tri_fence_sig();
  held.lock[n] = l;
}

static int find_held(const struct tri_lock *l) {
  int i = (int)held.count - 1;
  while (i >= 0 && held.lock[i] != l) i--;
  return i;
}

void tri_lock_rank_pop(const struct tri_lock *l) {
  int i = find_held(l);
  if (i < 0) tri_fatal("lock of rank %u at %p released by a thread that does not hold it", l->rank, (const void *)l);
  for (; i + 1 < (int)held.count; i++) held.lock[i] = held.lock[i + 1];
  tri_fence_sig();
  held.count--;
}

void tri_lock_assert_held(const struct tri_lock *l) {
  if (find_held(l) < 0) tri_fatal("lock of rank %u at %p should be held here", l->rank, (const void *)l);
}

void tri_lock_assert_none(void) {
  if (held.count) tri_fatal("lock of rank %u is held where none may be", held.lock[held.count - 1]->rank);
}

#endif
