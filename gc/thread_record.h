/* What the runtime keeps of a thread that pthread_create or thrd_create makes: its start, its number, its result. */
#ifndef TRI_GC_THREAD_RECORD_H
#define TRI_GC_THREAD_RECORD_H

#include <pthread.h>
#include <stdbool.h>
#include <threads.h>

#include "internal/base.h"

struct tri_thread_start {
  void *(*fn)(void *);
  thrd_start_t thrd_fn; /* one of the two */
  void *arg;
};

struct tri_thread_record {
  struct tri_thread_record *next, *prev;
  struct tri_thread_start start; /* the argument moves to the trampoline's stack */
  void *result;
  pthread_t thread;      /* stored by the C library, without our lock, before it tries to make the thread */
  pthread_t *ret_thread; /* where the program wants it; NULL once it is there */
  const void *maker;     /* the thread that comes back to the record; NULL: it has */
  unsigned claims;       /* joins that come back to it */
  bool told, detached, ended;
  bool done; /* to be dropped when nobody comes back to it */
};

/* All of these outside the runtime; none allocates from the heap. */

/* A record like *from, listed, of which the calling thread is the maker; NULL: no memory. Inside the C library's
 * function, until tri_thread_record_made, tri_pthread_creating is true. */
struct tri_thread_record *tri_thread_record_make(const struct tri_thread_record *from);
/* The maker comes back: the thread was made, or the record is dropped. */
void tri_thread_record_made(struct tri_thread_record *r, bool made);
/* The new thread, registered, has copied its start: the record lets go of that, and holds the thread's result from now
 * on where results are held. */
void tri_thread_record_take_over(struct tri_thread_record *r);
/* The latest record with this number, claimed; NULL: none, or results are not held. */
struct tri_thread_record *tri_thread_record_claim(pthread_t thread);
/* Gives a claim back; NULL is allowed. */
void tri_thread_record_release(struct tri_thread_record *r);
/* A claimed record's result has been fetched, or nobody will ask for it any more. */
void tri_thread_record_joined(struct tri_thread_record *r);
void tri_thread_record_detached(struct tri_thread_record *r);

/* Start arguments of threads that were created and have not registered yet, and in API mode results of threads that
 * nobody has joined yet: roots. World stopped. */
void tri_thread_record_each_word(void (*fn)(uintptr_t word, void *), void *arg);
/* The calling thread will end with this result. It stays the caller's to shade. */
void tri_thread_record_result(void *result);
/* The calling thread is past its last key destructor. */
void tri_thread_record_ends(void);
/* In a fork child, registry locked: the threads that had not started do not exist. */
void tri_thread_record_after_fork(void);
/* True while the calling thread is inside the C library's pthread_create: no thread may be started from there. */
bool tri_pthread_creating(void);

#endif
