/*
 * What our private jemalloc gets in place of the C library (imports.txt lists what and why), and its settings.
 *
 * mmap and munmap are real, and every mapping is in ownmap from before jemalloc sees it until after it has let go, so
 * that the collector never scans it. They run under jemalloc's locks and take ownmap's, a leaf.
 *
 * All else is refused: the program's settings, the brk heap, threads, fork handlers, thread-specific data, files and
 * the loader are none of jemalloc's business here. The refusals for what is switched off anyway (profiling, background
 * threads) are there so that linking our archive pulls in nothing that we interpose ourselves.
 *
 * Forbidden here: anything that can allocate or block; calls to functions that we interpose.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/offheap/jemalloc_private.h"
#include "alloc/ownmap.h"

/*
 * One arena, all of it ours: since the whole copy is private, arena 0 is the dedicated one. No thread caches (metadata
 * lives long, and a cache would be emptied by a destructor at thread exit). Address space is kept and its pages given
 * back a second after they became free: few mappings, so few entries in ownmap.
 */
const char *tri_je_malloc_conf =
    "abort_conf:true,narenas:1,tcache:false,dss:disabled,background_thread:false,retain:true,oversize_threshold:0,"
    "dirty_decay_ms:1000,muzzy_decay_ms:0,percpu_arena:disabled,metadata_thp:disabled";

void *tri_jeport_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset) {
  long ret = syscall(SYS_mmap, addr, size, prot, flags, fd, offset);
  if (ret == -1) return MAP_FAILED;
  /* Fixed: new protection for pages of ours that are entered already. */
  if ((flags & MAP_FIXED) == 0 && !tri_ownmap_add((void *)ret, size)) {
    syscall(SYS_munmap, ret, size);
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return (void *)ret;
}

int tri_jeport_munmap(void *addr, size_t size) {
  /* First out of the table: once unmapped, the addresses may be somebody else's. */
  tri_ownmap_remove(addr, size);
  int ret = (int)syscall(SYS_munmap, addr, size);
  if (ret != 0) tri_ownmap_add(addr, size);
  return ret;
}

static int refuse(int error) {
  errno = error;
  return -1;
}

void *tri_jeport_sbrk(intptr_t increment) {
  errno = ENOMEM;
  return (void *)-1;
}

char *tri_jeport_secure_getenv(const char *name) {
  return NULL;
}

ssize_t tri_jeport_readlink(const char *path, char *buf, size_t size) {
  return refuse(ENOENT);
}

int tri_jeport_open(const char *path, int flags, ...) {
  return refuse(ENOENT);
}

int tri_jeport_creat(const char *path, mode_t mode) {
  return refuse(EACCES);
}

int tri_jeport_close(int fd) {
  return refuse(EBADF);
}

void *tri_jeport_dlsym(void *handle, const char *name) {
  return NULL;
}

int tri_jeport_atexit(void (*fn)(void)) {
  return 0;
}

int tri_jeport__Unwind_Backtrace(void *callback, void *arg) {
  return 5; /* _URC_END_OF_STACK */
}

unsigned long tri_jeport__Unwind_GetIP(void *context) {
  return 0;
}

double tri_jeport_exp(double x) {
  return 0;
}

double tri_jeport_log(double x) {
  return 0;
}

double tri_jeport_round(double x) {
  return 0;
}

int tri_jeport_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  return 0;
}

int tri_jeport_pthread_key_create(pthread_key_t *ret_key, void (*destructor)(void *)) {
  *ret_key = 0;
  return 0;
}

int tri_jeport_pthread_setspecific(pthread_key_t key, const void *value) {
  return 0;
}

int tri_jeport_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg) {
  return EAGAIN;
}

int tri_jeport_pthread_join(pthread_t thread, void **ret_value) {
  return ESRCH;
}

int tri_jeport_pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  return EINVAL;
}

int tri_jeport_pthread_getname_np(pthread_t thread, char *buf, size_t size) {
  return ERANGE;
}

int tri_jeport_pthread_setname_np(pthread_t thread, const char *name) {
  return ERANGE;
}

int tri_jeport_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr) {
  return 0;
}

int tri_jeport_pthread_cond_signal(pthread_cond_t *cond) {
  return 0;
}

int tri_jeport_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex) {
  return EINVAL;
}

int tri_jeport_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
  return EINVAL;
}

int tri_jeport_sched_setaffinity(pid_t pid, size_t size, const void *set) {
  return refuse(EPERM);
}
