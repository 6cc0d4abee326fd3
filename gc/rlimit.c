/*
 * setrlimit and prlimit, interposed: our reserve is address space, so a program that lowers RLIMIT_AS below what it
 * has reserved would never get another mapping. Before such a call the untouched tail of the reserve goes back, so that
 * half of what the new limit leaves stays for the heap. The limit itself is set as asked.
 */
/* With 64-bit offsets the headers would turn setrlimit into setrlimit64; both names are defined here. */
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alloc/mheap.h"
#include "gc/enter.h"
#include "gc/real.h"

static void make_room(const struct rlimit *new_limit) {
  if (!tri_runtime_ready() || new_limit->rlim_cur == RLIM_INFINITY) return;
  struct tri_thread *t;
  int saved_errno = errno;
  if (!tri_enter_stoppable(&t)) return;
  tri_mheap_trim_reserve(new_limit->rlim_cur / 2);
  tri_leave_stoppable(t);
  errno = saved_errno;
}

TRI_EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit) {
  if (resource == RLIMIT_AS) make_room(limit);
  return tri_real()->setrlimit(resource, limit);
}
TRI_EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
    __attribute__((alias("setrlimit")));

TRI_EXPORT int prlimit(pid_t pid, enum __rlimit_resource resource, const struct rlimit *new_limit,
                       struct rlimit *old_limit) {
  if (resource == RLIMIT_AS && new_limit && (pid == 0 || pid == getpid())) make_room(new_limit);
  return tri_real()->prlimit(pid, resource, new_limit, old_limit);
}
TRI_EXPORT int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *new_limit,
                         struct rlimit64 *old_limit) __attribute__((alias("prlimit")));
