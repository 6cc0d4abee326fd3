/* pthread_create and thrd_create, interposed: threads register before their first instruction of the program. */
#ifndef TRI_GC_PTHREAD_HOOKS_H
#define TRI_GC_PTHREAD_HOOKS_H

#include "internal/base.h"

/* Start arguments of threads that were created and have not registered yet, and in API mode results of threads that
 * nobody has joined yet: roots. World stopped. */
void tri_pthread_each_word(void (*fn)(uintptr_t word, void *), void *arg);
/* The calling thread will end with this result. */
void tri_pthread_has_result(void *result);
/* The calling thread is past its last key destructor. */
void tri_pthread_ends(void);
/* In a fork child, registry locked: the threads that had not started do not exist. */
void tri_pthread_after_fork(void);
/* True while the calling thread is inside the C library's pthread_create: no thread may be started from there. */
bool tri_pthread_creating(void);

#endif
