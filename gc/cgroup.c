/*
 * What the cgroup allows. Called by gc/limit.c for GOMEMLIMIT=auto, at start and now and then while the program runs.
 *
 *   proc/self/cgroup   0::/a/b         version 2: memory.max below sys/fs/cgroup or sys/fs/cgroup/unified
 *                      7:memory:/a/b   version 1: memory.limit_in_bytes below sys/fs/cgroup/memory
 *
 * A limit holds for all groups below it, so each directory up to the mount is looked at and the least counts. In a
 * container the path may be that of the host while the mount shows the container's own group at its top: directories
 * that do not exist are passed over.
 *
 * No state, no lock. Raw system calls: the C library's may be interposed. Forbidden: allocation, stdio.
 */
#include "gc/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/parse.h"
#include "internal/check.h"

enum { FILE_SIZE = 4096, NAME_SIZE = 2048 };
/* Version 1 says "no limit" as the largest multiple of a page. */
#define NO_LIMIT_FROM ((uint64_t)1 << 62)

static struct tri_slice read_file(const char *name, char buf[FILE_SIZE]) {
  long fd = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  long n = fd < 0 ? 0 : syscall(SYS_read, fd, buf, FILE_SIZE);
  if (fd >= 0) syscall(SYS_close, fd);
  return (struct tri_slice){buf, n < 0 ? 0 : (size_t)n};
}

static uint64_t limit_in(const char *name) {
  char buf[FILE_SIZE];
  struct tri_slice rest = read_file(name, buf), line = tri_slice_cut(&rest, '\n');
  uint64_t bytes;
  bool is_number = line.n > 0 && line.p[line.n - 1] != 'B' && tri_parse_size(line, &bytes);
  return is_number && bytes < NO_LIMIT_FROM ? bytes : UINT64_MAX;
}

struct version {
  const char *mount, *file;
};

/* The least limit of the group at `path` and of those above it. */
static uint64_t least_limit(const char *root, const struct version *v, struct tri_slice path) {
  uint64_t least = UINT64_MAX;
  for (;;) {
    while (path.n && path.p[path.n - 1] == '/') path.n--;
    char name[NAME_SIZE];
    size_t n = tri_format(name, sizeof name, "%s%s%.*s/%s", root, v->mount, (int)path.n, path.p, v->file);
    uint64_t limit = n < sizeof name - 1 ? limit_in(name) : UINT64_MAX;
    if (limit < least) least = limit;
    if (!path.n) return least;
    while (path.n && path.p[path.n - 1] != '/') path.n--;
  }
}

static bool has_memory(struct tri_slice controllers) {
  while (controllers.n)
    if (tri_slice_is(tri_slice_cut(&controllers, ','), "memory")) return true;
  return false;
}

static uint64_t limit_of_line(const char *root, struct tri_slice line) {
  static const struct version unified = {"/sys/fs/cgroup", "memory.max"},
                              hybrid = {"/sys/fs/cgroup/unified", "memory.max"},
                              first = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"};
  struct tri_slice path = line, id = tri_slice_cut(&path, ':'), controllers = tri_slice_cut(&path, ':');
  if (has_memory(controllers)) return least_limit(root, &first, path);
  if (!tri_slice_is(id, "0") || controllers.n) return UINT64_MAX;
  uint64_t a = least_limit(root, &unified, path), b = least_limit(root, &hybrid, path);
  return a < b ? a : b;
}

uint64_t tri_cgroup_memory_limit(const char *root) {
  char name[NAME_SIZE], buf[FILE_SIZE];
  int saved_errno = errno;
  uint64_t least = UINT64_MAX;
  tri_format(name, sizeof name, "%s/proc/self/cgroup", root);
  for (struct tri_slice rest = read_file(name, buf); rest.n;) {
    uint64_t limit = limit_of_line(root, tri_slice_cut(&rest, '\n'));
    if (limit < least) least = limit;
  }
  errno = saved_errno;
  return least;
}
