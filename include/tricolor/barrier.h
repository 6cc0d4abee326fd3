/*
 * Tricolor: the write barrier. A program that uses tri_alloc stores pointers into collected objects with tri_write or
 * one of its kin, so that marking may run beside it; after the hybrid barrier of Go (Dijkstra's and Yuasa's).
 *
 * What needs it: each store of a pointer, or over a pointer, in a scanned object that another pointer may lead to:
 * assignment, memmove, memset, struct copies, exchange. What does not: locals, thread-locals, the first store into each
 * field of an object that only this thread has seen since tri_alloc, plain data, and, but with TRICOLOR=stacks=ragged,
 * globals and registered ranges. Reading never needs anything. With the page barrier or a stopped world (malloc
 * replaced, barrier=stw) these are plain stores.
 *
 * None of these fails or sets errno. Any thread may call them at any time, a signal handler too; the first call in a
 * thread registers it. A handler must not leave by siglongjmp when it may have interrupted the library.
 */
#ifndef TRICOLOR_BARRIER_H
#define TRICOLOR_BARRIER_H

#include <stddef.h>

#include "tricolor/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of the calling thread; only for the inline functions below. `slot` and `value` tell a collection that begins between
 * the look at `state` and the store about it. `state` is not volatile and tested by one bit, since gcc then tests it in
 * memory, without a load of its own. */
struct tri_barrier {
  void *volatile slot;
  const void *volatile value;
  unsigned state; /* bit 0 clear: stores are plain */
};
extern TRI_API __thread struct tri_barrier tri_barrier_self __attribute__((tls_model("initial-exec")));

/* The half of tri_write that is not inline: shades the pointer that *slot holds, and `value` where that is needed. */
TRI_API void tri_write_shade(void *slot, const void *value);

/*
 * For programs that are built with -DTRICOLOR_CHECKED: tri_write and all below but tri_zero first look where they
 * store. A slot that is no place for a pointer (malloc's memory that is no registered range, freed objects,
 * tri_alloc_noscan) ends the program with one line. Costs a lock or two. Ranges are looked at by their first and last
 * word, whatever their type says of these.
 */
TRI_API void tri_check_slot(const void *slot);
TRI_API void tri_check_range(const void *at, size_t size);
#ifdef TRICOLOR_CHECKED
#define TRI_CHECK_SLOT(slot) tri_check_slot(slot)
#else
#define TRI_CHECK_SLOT(slot) ((void)0)
#endif

/* A place between the look at the state and the store, for the library's own tests. */
#ifndef TRI_WRITE_POINT
#define TRI_WRITE_POINT() ((void)0)
#endif

/* *slot = value. `slot` is aligned to 8. The store is a release: who finds the pointer finds what was stored before. */
static inline __attribute__((always_inline)) void tri_write(void *slot, const void *value) {
  struct tri_barrier *b = &tri_barrier_self;
  TRI_CHECK_SLOT(slot);
  b->slot = slot;
  b->value = value;
  __asm__ __volatile__("" : : : "memory");
  if (__builtin_expect(b->state & 1, 0)) tri_write_shade(slot, value);
  TRI_WRITE_POINT();
  __atomic_store_n((const void **)slot, value, __ATOMIC_RELEASE);
  __asm__ __volatile__("" : : : "memory");
}

/* The same for an lvalue: TRI_WRITE(node->next, other). */
#define TRI_WRITE(lvalue, value) tri_write(&(lvalue), (value))

/* memmove, memcpy and memset to zero, for memory that holds pointers. Words that are aligned are copied whole. */
TRI_API void *tri_memmove(void *to, const void *from, size_t size);
TRI_API void *tri_memcpy(void *to, const void *from, size_t size);
TRI_API void tri_zero(void *to, size_t size);
/* *to = *from for structs of one type. */
#define TRI_ASSIGN(to, from) ((void)(1 ? (to) : (from)), tri_memmove((to), (from), sizeof *(to)))

/* Sets *slot to `value` and returns what it held; a full fence. */
TRI_API void *tri_atomic_exchange(void *slot, const void *value);
/* Sets *slot to `value` if it holds `expected`: 1, or 0 when it held something else. A full fence. */
TRI_API int tri_atomic_cas(void *slot, const void *expected, const void *value);

#ifdef TRICOLOR_CHECKED
static inline void *tri_checked_memmove(void *to, const void *from, size_t size) {
  tri_check_range(to, size);
  return tri_memmove(to, from, size);
}
static inline void *tri_checked_memcpy(void *to, const void *from, size_t size) {
  tri_check_range(to, size);
  return tri_memcpy(to, from, size);
}
static inline void *tri_checked_exchange(void *slot, const void *value) {
  tri_check_slot(slot);
  return tri_atomic_exchange(slot, value);
}
static inline int tri_checked_cas(void *slot, const void *expected, const void *value) {
  tri_check_slot(slot);
  return tri_atomic_cas(slot, expected, value);
}
#define tri_memmove tri_checked_memmove
#define tri_memcpy tri_checked_memcpy
#define tri_atomic_exchange tri_checked_exchange
#define tri_atomic_cas tri_checked_cas
#endif

/* Keeps an object alive up to here, when the compiler might see no use of its last pointer any more. */
static inline __attribute__((always_inline)) void tri_keep_alive(const void *object) {
  __asm__ __volatile__("" : : "r"(object) : "memory");
}

#ifdef __cplusplus
}
#endif

#endif
