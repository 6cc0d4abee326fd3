/* Pointers that a program gives to the kernel and gets back in a thread that the C library makes: mq_notify. */
#ifndef TRI_GC_NOTIFY_H
#define TRI_GC_NOTIFY_H

#include "internal/base.h"

void tri_notify_each_word(void (*fn)(uintptr_t word, void *), void *arg); /* world stopped */
void tri_notify_lock(void);                                               /* fork */
void tri_notify_unlock(void);

#endif
