/*
 * What the cgroup allows. Called by gc/limit.c for GOMEMLIMIT=auto, at start and now and then while the program
 * runs, and by gc/procs.c for the number of CPUs, at start.
 *
 *   proc/self/cgroup   0::/a/b         version 2: memory.max, cpu.max below sys/fs/cgroup or sys/fs/cgroup/unified
 *                      7:memory:/a/b   version 1: memory.limit_in_bytes below sys/fs/cgroup/memory
 *                      4:cpu:/a/b      version 1: cpu.cfs_quota_us and cpu.cfs_period_us below sys/fs/cgroup/cpu
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

/* The number that a file begins with. */
static bool number_in(const char *name, uint64_t *ret, struct tri_slice *ret_rest, char buf[FILE_SIZE]) {
  struct tri_slice rest = read_file(name, buf), line = tri_slice_cut(&rest, '\n'), word = tri_slice_cut(&line, ' ');
  *ret_rest = line;
  return word.n > 0 && word.p[word.n - 1] != 'B' && tri_parse_size(word, ret);
}

/* What a directory's files allow; its name ends with a slash. `first`: of cgroup version 1. */
static uint64_t memory_in(const char *directory, bool first) {
  char name[NAME_SIZE], buf[FILE_SIZE];
  struct tri_slice rest;
  uint64_t bytes;
  tri_format(name, sizeof name, "%s%s", directory, first ? "memory.limit_in_bytes" : "memory.max");
  return number_in(name, &bytes, &rest, buf) && rest.n == 0 && bytes < NO_LIMIT_FROM ? bytes : UINT64_MAX;
}

static uint64_t cpus_in(const char *directory, bool first) {
  char name[NAME_SIZE], buf[FILE_SIZE];
  struct tri_slice rest;
  uint64_t quota, period = 0;
  tri_format(name, sizeof name, "%s%s", directory, first ? "cpu.cfs_quota_us" : "cpu.max");
  if (!number_in(name, &quota, &rest, buf)) return UINT64_MAX; /* "max", -1 */
  bool has_period = tri_parse_size(rest, &period);
  if (first) {
    tri_format(name, sizeof name, "%scpu.cfs_period_us", directory);
    has_period = number_in(name, &period, &rest, buf);
  }
  return has_period && period > 0 && quota < NO_LIMIT_FROM / 1000 ? quota * 1000 / period : UINT64_MAX;
}

struct controller {
  const char *name, *mount; /* of version 1 */
  uint64_t (*limit_in)(const char *directory, bool first);
};

/* The least limit of the group at `path` and of those above it. */
static uint64_t least_limit(const char *root, const char *mount, const struct controller *c, struct tri_slice path) {
  uint64_t least = UINT64_MAX;
  for (;;) {
    while (path.n && path.p[path.n - 1] == '/') path.n--;
    char name[NAME_SIZE];
    size_t n = tri_format(name, sizeof name, "%s%s%.*s/", root, mount, (int)path.n, path.p);
    uint64_t limit = n < sizeof name - 32 ? c->limit_in(name, mount == c->mount) : UINT64_MAX;
    if (limit < least) least = limit;
    if (!path.n) return least;
    while (path.n && path.p[path.n - 1] != '/') path.n--;
  }
}

static bool has(struct tri_slice controllers, const char *name) {
  while (controllers.n)
    if (tri_slice_is(tri_slice_cut(&controllers, ','), name)) return true;
  return false;
}

static uint64_t limit_of_line(const char *root, const struct controller *c, struct tri_slice line) {
  struct tri_slice path = line, id = tri_slice_cut(&path, ':'), controllers = tri_slice_cut(&path, ':');
  if (has(controllers, c->name)) return least_limit(root, c->mount, c, path);
  if (!tri_slice_is(id, "0") || controllers.n) return UINT64_MAX;
  uint64_t a = least_limit(root, "/sys/fs/cgroup", c, path), b = least_limit(root, "/sys/fs/cgroup/unified", c, path);
  return a < b ? a : b;
}

static uint64_t limit_of(const char *root, const struct controller *c) {
  char name[NAME_SIZE], buf[FILE_SIZE];
  int saved_errno = errno;
  uint64_t least = UINT64_MAX;
  tri_format(name, sizeof name, "%s/proc/self/cgroup", root);
  for (struct tri_slice rest = read_file(name, buf); rest.n;) {
    uint64_t limit = limit_of_line(root, c, tri_slice_cut(&rest, '\n'));
    if (limit < least) least = limit;
  }
  errno = saved_errno;
  return least;
}

uint64_t tri_cgroup_memory_limit(const char *root) {
  static const struct controller memory = {"memory", "/sys/fs/cgroup/memory", memory_in};
  return limit_of(root, &memory);
}

uint64_t tri_cgroup_cpu_limit(const char *root) {
  static const struct controller cpu = {"cpu", "/sys/fs/cgroup/cpu", cpus_in};
  return limit_of(root, &cpu);
}
