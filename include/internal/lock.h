/*
 * A small futex lock, usable before the C library is ready and across fork. Statically initialised with
 * TRI_LOCK_INIT(rank). Not recursive. Never held while user code runs, while a thread may be stopped, or across a
 * blocking system call other than the lock's own futex. Implemented in alloc/base/lock.c.
 */
#ifndef TRI_INTERNAL_LOCK_H
#define TRI_INTERNAL_LOCK_H

#include "internal/atomic.h"
#include "internal/lock_rank.h"

struct tri_lock {
  tri_aint word; /* 0 free, 1 held, 2 held and somebody waits */
  unsigned rank; /* enum tri_lock_rank, constant */
};

#define TRI_LOCK_INIT(r) \
  { 0, (r) }

void tri_lock_slow(struct tri_lock *l);
bool tri_lock_slow_within(struct tri_lock *l, uint64_t ns);
void tri_lock_wake(struct tri_lock *l);
/* All that wait for it try at once. */
void tri_lock_wake_all(struct tri_lock *l);

#ifdef TRI_CHECKS_FULL
void tri_lock_rank_push(const struct tri_lock *l);
void tri_lock_rank_pop(const struct tri_lock *l);
/* Fatal unless the calling thread holds l. */
void tri_lock_assert_held(const struct tri_lock *l);
/* Fatal if the calling thread holds any lock. */
void tri_lock_assert_none(void);
/* Set by gc/, NULL without it: true while the calling thread cannot be stopped. A lock of a rank behind the registry's
 * may be taken only then, or by a holder of the registry's or the cycle's lock, which keeps stops away. */
extern bool (*tri_lock_is_safe)(void) TRI_INTERNAL;
#else
#define tri_lock_rank_push(l) ((void)(l))
#define tri_lock_rank_pop(l) ((void)(l))
#define tri_lock_assert_held(l) ((void)(l))
#define tri_lock_assert_none() ((void)0)
#endif

TRI_INLINE void tri_lock_acquire(struct tri_lock *l) {
  tri_lock_rank_push(l);
  if (tri_unlikely(!tri_int_cas_acq_rel(&l->word, 0, 1))) tri_lock_slow(l);
}

/* For fork only, which takes every lock there is, many of one rank: without the rank check. */
TRI_INLINE void tri_lock_acquire_unranked(struct tri_lock *l) {
  if (tri_unlikely(!tri_int_cas_acq_rel(&l->word, 0, 1))) tri_lock_slow(l);
}

TRI_INLINE void tri_lock_release_unranked(struct tri_lock *l) {
  if (tri_unlikely(tri_int_exchange_acq_rel(&l->word, 0) == 2)) tri_lock_wake(l);
}

TRI_INLINE bool tri_lock_try(struct tri_lock *l) {
  if (!tri_int_cas_acq_rel(&l->word, 0, 1)) return false;
  tri_lock_rank_push(l);
  return true;
}

/* False: it was not to be had in that time. */
TRI_INLINE bool tri_lock_acquire_within(struct tri_lock *l, uint64_t ns) {
  tri_lock_rank_push(l);
  if (tri_int_cas_acq_rel(&l->word, 0, 1) || tri_lock_slow_within(l, ns)) return true;
  tri_lock_rank_pop(l);
  return false;
}

TRI_INLINE void tri_lock_release(struct tri_lock *l) {
  tri_lock_rank_pop(l);
  if (tri_unlikely(tri_int_exchange_acq_rel(&l->word, 0) == 2)) tri_lock_wake(l);
}

/* futex(2) on a private word. wait returns when woken, when the value differs, on EINTR or after timeout_ns
 * (0: no timeout); errno is preserved. */
void tri_futex_wait(tri_aint *word, unsigned expected, uint64_t timeout_ns);
void tri_futex_wake(tri_aint *word, int count);

#endif
