/* Pointers that a program gives to the kernel and gets back: epoll_event.data. */
#ifndef TRI_GC_EPOLL_H
#define TRI_GC_EPOLL_H

#include "internal/base.h"

void tri_epoll_each_data(void (*fn)(uintptr_t word, void *), void *arg); /* world stopped */
void tri_epoll_lock(void);                                               /* fork */
void tri_epoll_unlock(void);

#endif
