/*
 * /proc/self/maps, for the root scan of a stopped world and for who is given a pointer of unknown memory. Plain system
 * calls, no allocation, no locks; the static buffer is the one thread's that runs a cycle. The calls are raw: the C
 * library's are cancellation points, and a thread that is cancelled here would leave the world stopped. /proc/self
 * shows no memory once the main thread has ended by pthread_exit: then /proc/thread-self is read, and not sooner, for
 * the reason in alloc/base/pagemap.c.
 */
#include "gc/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/parse.h"

enum { READ_BUFFER = 1 << 16 };

static bool starts_with(const char *s, const char *prefix) {
  return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void classify(struct tri_mapping *m, const char *path) {
  m->stack = strcmp(path, "[stack]") == 0;
  m->brk = strcmp(path, "[heap]") == 0;
  m->special = path[0] == '[' && !m->stack && !m->brk && !starts_with(path, "[anon");
  bool zero = starts_with(path, "/dev/zero");
  m->shared_anon =
      m->shared && (zero || starts_with(path, "/memfd:") || starts_with(path, "/SYSV") || starts_with(path, "[anon"));
  m->device = starts_with(path, "/dev/") && !zero && !starts_with(path, "/dev/shm/");
}

/* "lo-hi rwxp offset dev inode   path" */
static bool parse_line(const char *p, struct tri_mapping *m) {
  memset(m, 0, sizeof *m);
  if (!tri_parse_hex(&p, &m->lo) || *p++ != '-' || !tri_parse_hex(&p, &m->hi) || *p++ != ' ') return false;
  if (strnlen(p, 5) < 5) return false;
  m->readable = p[0] == 'r';
  m->writable = p[1] == 'w';
  m->executable = p[2] == 'x';
  m->shared = p[3] == 's';
  p += 5;
  for (int field = 0; field < 2; field++) {
    while (*p && *p != ' ') p++;
    while (*p == ' ') p++;
  }
  m->file = *p != '0' || (p[1] >= '0' && p[1] <= '9');
  while (*p && *p != ' ') p++;
  while (*p == ' ') p++;
  classify(m, p);
  return true;
}

static ssize_t read_some(int fd, char *buf, size_t size) {
  ssize_t n;
  do {
    n = syscall(SYS_read, fd, buf, size);
  } while (n < 0 && errno == EINTR);
  return n;
}

struct reader {
  char *buf; /* one more for the end of a line */
  size_t size;
  bool any; /* something was read */
};

static bool each_line(struct reader *r, int fd, bool (*fn)(const struct tri_mapping *, void *), void *arg) {
  size_t have = 0;
  for (;;) {
    ssize_t n = read_some(fd, r->buf + have, r->size - have);
    if (n < 0) return false;
    if (n == 0) return r->any;
    r->any = true;
    have += (size_t)n;
    char *line = r->buf, *end;
    while ((end = memchr(line, '\n', have - (size_t)(line - r->buf)))) {
      struct tri_mapping m;
      *end = 0;
      if (!parse_line(line, &m)) return false;
      if (!fn(&m, arg)) return true;
      line = end + 1;
    }
    have -= (size_t)(line - r->buf);
    if (have == r->size) return false;
    memmove(r->buf, line, have);
  }
}

static bool each_line_of(struct reader *r, const char *file, bool (*fn)(const struct tri_mapping *, void *),
                         void *arg) {
  int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0 && each_line(r, fd, fn, arg);
  if (fd >= 0) syscall(SYS_close, fd);
  return ok;
}

bool tri_maps_each_in(char *buf, size_t size, bool (*fn)(const struct tri_mapping *, void *), void *arg) {
  int saved_errno = errno;
  struct reader r = {buf, size - 1, false};
  bool ok = each_line_of(&r, "/proc/self/maps", fn, arg);
  if (!r.any) ok = each_line_of(&r, "/proc/thread-self/maps", fn, arg);
  errno = saved_errno;
  return ok;
}

bool tri_maps_each(bool (*fn)(const struct tri_mapping *, void *), void *arg) {
  static char buf[READ_BUFFER];
  return tri_maps_each_in(buf, sizeof buf, fn, arg);
}
