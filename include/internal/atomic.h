/*
 * The project's atomics: the memory order is part of every name, and nothing else in the tree calls an atomic
 * operation directly (the style check looks for it).
 *
 * libatomic_ops supplies the operations; the forms it lacks (fetch-or, fetch-and and exchange with a result) are C11
 * operations of the compiler behind the same names. Words are 64 bits (`tri_aword`), futex words 32 bits (`tri_aint`).
 * Pointers are kept in words and cast at the border.
 *
 * rlx: no order. acq / rel: acquire load, release store. acq_rel: a read-modify-write that is both. seq: also a full
 * fence. "sig" is a compiler barrier: order against a signal handler on the same thread.
 */
#ifndef TRI_INTERNAL_ATOMIC_H
#define TRI_INTERNAL_ATOMIC_H

#include <atomic_ops.h>

#include "internal/base.h"

typedef volatile AO_t tri_aword;
typedef volatile unsigned int tri_aint;

static_assert(sizeof(AO_t) == 8, "a 64-bit machine is required");

TRI_INLINE uint64_t tri_load_rlx(const tri_aword *p) {
  return AO_load(p);
}
TRI_INLINE uint64_t tri_load_acq(const tri_aword *p) {
  return AO_load_acquire(p);
}
TRI_INLINE void tri_store_rlx(tri_aword *p, uint64_t v) {
  AO_store(p, v);
}
TRI_INLINE void tri_store_rel(tri_aword *p, uint64_t v) {
  AO_store_release(p, v);
}
TRI_INLINE bool tri_cas_acq_rel(tri_aword *p, uint64_t old, uint64_t new_value) {
  return AO_compare_and_swap_full(p, old, new_value) != 0;
}
TRI_INLINE uint64_t tri_fetch_add_rlx(tri_aword *p, uint64_t v) {
  return AO_fetch_and_add(p, v);
}
TRI_INLINE uint64_t tri_fetch_add_acq_rel(tri_aword *p, uint64_t v) {
  return AO_fetch_and_add_full(p, v);
}
TRI_INLINE uint64_t tri_fetch_or_rlx(tri_aword *p, uint64_t v) {
  return __atomic_fetch_or(p, v, __ATOMIC_RELAXED);
}
TRI_INLINE uint64_t tri_fetch_or_acq_rel(tri_aword *p, uint64_t v) {
  return __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL);
}
TRI_INLINE uint64_t tri_fetch_and_acq_rel(tri_aword *p, uint64_t v) {
  return __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL);
}
TRI_INLINE uint64_t tri_fetch_or_seq(tri_aword *p, uint64_t v) {
  return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST);
}
TRI_INLINE uint64_t tri_exchange_acq_rel(tri_aword *p, uint64_t v) {
  return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);
}

TRI_INLINE unsigned tri_int_load_rlx(const tri_aint *p) {
  return AO_int_load(p);
}
TRI_INLINE unsigned tri_int_load_acq(const tri_aint *p) {
  return AO_int_load_acquire(p);
}
TRI_INLINE void tri_int_store_rlx(tri_aint *p, unsigned v) {
  AO_int_store(p, v);
}
TRI_INLINE void tri_int_store_rel(tri_aint *p, unsigned v) {
  AO_int_store_release(p, v);
}
TRI_INLINE bool tri_int_cas_acq_rel(tri_aint *p, unsigned old, unsigned new_value) {
  return AO_int_compare_and_swap_full(p, old, new_value) != 0;
}
TRI_INLINE unsigned tri_int_fetch_add_acq_rel(tri_aint *p, unsigned v) {
  return AO_int_fetch_and_add_full(p, v);
}
TRI_INLINE unsigned tri_int_exchange_acq_rel(tri_aint *p, unsigned v) {
  return __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL);
}

TRI_INLINE unsigned tri_int_load_seq(const tri_aint *p) {
  return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
TRI_INLINE unsigned tri_int_exchange_seq(tri_aint *p, unsigned v) {
  return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
}

TRI_INLINE void tri_fence_seq(void) {
  AO_nop_full();
}
TRI_INLINE void tri_fence_store(void) {
  AO_nop_write();
}
TRI_INLINE void tri_fence_sig(void) {
  AO_compiler_barrier();
}

TRI_INLINE void tri_spin_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
