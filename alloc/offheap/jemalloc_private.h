/*
 * What our private copy of jemalloc keeps visible, and what it asks of us in place of the C library. The build renames
 * jemalloc's public symbols to tri_je_*, makes every other symbol of it local, and renames the imports listed in
 * imports.txt to tri_jeport_*. Hidden here means hidden in the linked library: the strictest declaration wins.
 */
#ifndef TRI_ALLOC_OFFHEAP_JEMALLOC_PRIVATE_H
#define TRI_ALLOC_OFFHEAP_JEMALLOC_PRIVATE_H

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include "internal/base.h"

/* Kept of jemalloc (keep.txt). */
void *tri_je_malloc(size_t size) TRI_INTERNAL;
void *tri_je_realloc(void *p, size_t size) TRI_INTERNAL;
void tri_je_free(void *p) TRI_INTERNAL;
size_t tri_je_sallocx(const void *p, int flags) TRI_INTERNAL;
void tri_je_jemalloc_prefork(void) TRI_INTERNAL;
void tri_je_jemalloc_postfork_parent(void) TRI_INTERNAL;
void tri_je_jemalloc_postfork_child(void) TRI_INTERNAL;
void tri_je_tsd_cleanup(void *tsd) TRI_INTERNAL;
extern TRI_TLS char tri_je_tsd_tls[] TRI_INTERNAL;

/* The settings: weak in jemalloc, defined by jemalloc_port.c. */
extern const char *tri_je_malloc_conf TRI_INTERNAL;

/* Memory: real, and entered in ownmap. */
void *tri_jeport_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset) TRI_INTERNAL;
int tri_jeport_munmap(void *addr, size_t size) TRI_INTERNAL;

/* Answered with "no", "not there" or "done". */
void *tri_jeport_sbrk(intptr_t increment) TRI_INTERNAL;
char *tri_jeport_secure_getenv(const char *name) TRI_INTERNAL;
ssize_t tri_jeport_readlink(const char *path, char *buf, size_t size) TRI_INTERNAL;
int tri_jeport_open(const char *path, int flags, ...) TRI_INTERNAL;
int tri_jeport_creat(const char *path, mode_t mode) TRI_INTERNAL;
int tri_jeport_close(int fd) TRI_INTERNAL;
void *tri_jeport_dlsym(void *handle, const char *name) TRI_INTERNAL;
int tri_jeport_atexit(void (*fn)(void)) TRI_INTERNAL;
int tri_jeport__Unwind_Backtrace(void *callback, void *arg) TRI_INTERNAL;
unsigned long tri_jeport__Unwind_GetIP(void *context) TRI_INTERNAL;
double tri_jeport_exp(double x) TRI_INTERNAL;
double tri_jeport_log(double x) TRI_INTERNAL;
double tri_jeport_round(double x) TRI_INTERNAL;
int tri_jeport_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) TRI_INTERNAL;
int tri_jeport_pthread_key_create(pthread_key_t *ret_key, void (*destructor)(void *)) TRI_INTERNAL;
int tri_jeport_pthread_setspecific(pthread_key_t key, const void *value) TRI_INTERNAL;
int tri_jeport_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*start)(void *),
                              void *arg) TRI_INTERNAL;
int tri_jeport_pthread_join(pthread_t thread, void **ret_value) TRI_INTERNAL;
int tri_jeport_pthread_sigmask(int how, const sigset_t *set, sigset_t *old) TRI_INTERNAL;
int tri_jeport_pthread_getname_np(pthread_t thread, char *buf, size_t size) TRI_INTERNAL;
int tri_jeport_pthread_setname_np(pthread_t thread, const char *name) TRI_INTERNAL;
int tri_jeport_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr) TRI_INTERNAL;
int tri_jeport_pthread_cond_signal(pthread_cond_t *cond) TRI_INTERNAL;
int tri_jeport_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex) TRI_INTERNAL;
int tri_jeport_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                      const struct timespec *until) TRI_INTERNAL;
int tri_jeport_sched_setaffinity(pid_t pid, size_t size, const void *set) TRI_INTERNAL;

#endif
