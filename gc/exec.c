/*
 * exec, interposed: a stop must not reach for a thread that is on its way into another program. The signal would stay
 * pending across the exec, find no handler in the new program, and end it. So the calling thread holds the cycle lock,
 * without which no stop begins; a failed exec gives it back. A thread that is not registered yet is, if it may be
 * stopped.
 *
 * Left as they are: calls in a child that shares our memory or was made by _Fork (there the lock may belong to somebody
 * who is not there), in a handler that interrupted the runtime, on a thread that runs a cycle, and direct system calls.
 * Async-signal-safe as far as the originals are. errno and results are the C library's.
 */
#include "gc/exec.h"

#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/beside.h"
#include "gc/cycle.h"
#include "gc/real.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "gc/strangers.h"

static bool may_wait(const struct tri_thread *t) {
  return tri_runtime_ready() && tri_thread_is_registered(t) && (int)syscall(SYS_gettid) == t->tid &&
         !tri_int_load_rlx(&t->in_runtime) && !tri_cycle_is_mine();
}

static tri_aint under_way; /* calls that hold the lock: one at most */

bool tri_exec_is_under_way(void) {
  return tri_int_load_acq(&under_way) != 0;
}

static bool begin(void) {
  int saved_errno = errno;
  bool held = may_wait(tri_strangers_register_self());
  if (held) {
    tri_beside_hurry_begin();
    tri_cycle_lock();
    tri_beside_hurry_end();
    tri_int_store_rel(&under_way, 1);
  }
  errno = saved_errno;
  return held;
}

static int failed(bool held, int result) {
  if (held) {
    tri_int_store_rel(&under_way, 0);
    tri_cycle_unlock();
  }
  return result;
}

TRI_EXPORT int execve(const char *path, char *const argv[], char *const envp[]) {
  const struct tri_real *real = tri_real();
  bool held = begin();
  return failed(held, real->execve(path, argv, envp));
}

TRI_EXPORT int execv(const char *path, char *const argv[]) {
  const struct tri_real *real = tri_real();
  bool held = begin();
  return failed(held, real->execv(path, argv));
}

TRI_EXPORT int execvp(const char *file, char *const argv[]) {
  const struct tri_real *real = tri_real();
  bool held = begin();
  return failed(held, real->execvp(file, argv));
}

TRI_EXPORT int execvpe(const char *file, char *const argv[], char *const envp[]) {
  const struct tri_real *real = tri_real();
  bool held = begin();
  return failed(held, real->execvpe(file, argv, envp));
}

TRI_EXPORT int fexecve(int fd, char *const argv[], char *const envp[]) {
  const struct tri_real *real = tri_real();
  bool held = begin();
  return failed(held, real->fexecve(fd, argv, envp));
}

/* The forms with a list: how many there are, and the list as a vector on the caller's stack. */
static size_t count_list(va_list list) {
  size_t n = 1;
  while (va_arg(list, char *)) n++;
  return n;
}

static void copy_list(char **argv, const char *first, va_list list) {
  char *next = (char *)(uintptr_t)first;
  for (; next; next = va_arg(list, char *)) *argv++ = next;
  *argv = NULL;
}

/* The headers say that `first` is no null pointer; programs pass one all the same. */
#define LIST_TO_VECTOR(argv, list, first)                   \
  va_list list;                                             \
  const char *list_head = first;                            \
  __asm__("" : "+r"(list_head));                            \
  va_start(list, first);                                    \
  size_t list_length = list_head ? count_list(list) : 0;    \
  va_end(list);                                             \
  char **argv = alloca((list_length + 1) * sizeof(char *)); \
  va_start(list, first);                                    \
  copy_list(argv, list_head, list)

TRI_EXPORT int execl(const char *path, const char *first, ...) {
  LIST_TO_VECTOR(argv, list, first);
  va_end(list);
  return execv(path, argv);
}

TRI_EXPORT int execlp(const char *file, const char *first, ...) {
  LIST_TO_VECTOR(argv, list, first);
  va_end(list);
  return execvp(file, argv);
}

TRI_EXPORT int execle(const char *path, const char *first, ...) {
  LIST_TO_VECTOR(argv, list, first);
  char *const *envp = va_arg(list, char *const *);
  va_end(list);
  return execve(path, argv, envp);
}
