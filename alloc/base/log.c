/*
 * Where messages go: stderr or the log file, one write(2) per line.
 *
 * Called from everywhere, signal handlers and stopped worlds included: no lock, no allocation, errno preserved. System
 * calls are made directly, since the C library's wrappers are cancellation points and some of them (close, open) are
 * interposed by our own library.
 *
 * Programs close and reuse descriptors they do not know (daemons all of them), so nothing is written to a descriptor
 * that was not looked at first: 2 must be open for writing, the log's must be the file that we opened (device and
 * inode). A log descriptor that is gone is opened again; whoever finds that out opens the file for itself, and one of
 * them (holder of `installing`) makes its descriptor the common one. A foreign descriptor is never closed.
 *
 * Ordering: fd, dev and ino are separate words and may be read torn. A torn read fails the check, and the reader opens
 * the file for its own line; it cannot pass the check for a wrong file. `path` is written by tri_log_open only, before
 * `enabled` (release) is set, and read after it (acquire); tri_log_open is called while one thread initialises.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/base/base_internal.h"
#include "internal/atomic.h"
#include "internal/check.h"
#include "internal/hidden_fd.h"

#define PATH_SIZE 1024

static struct {
  char path[PATH_SIZE]; /* absolute where possible, %p not yet replaced */
  tri_aint enabled;
  tri_aint installing;
  tri_aint fd;
  tri_aword dev;
  tri_aword ino;
} log_file;

/* Pipes and sockets raise SIGPIPE when the reader is gone: that must not end the program for a message of ours. */
static bool may_break(int fd) {
  struct stat st;
  return syscall(SYS_fstat, fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

static bool write_all(int fd, const char *p, size_t n) {
  while (n) {
    long w = syscall(SYS_write, fd, p, n);
    if (w < 0 && errno == EINTR) continue;
    if (w <= 0) return errno != EPIPE;
    p += w;
    n -= (size_t)w;
  }
  return true;
}

static void write_guarded(int fd, const char *p, size_t n) {
  if (!may_break(fd)) {
    write_all(fd, p, n);
    return;
  }
  const uint64_t sigpipe = (uint64_t)1 << (SIGPIPE - 1);
  uint64_t old = 0, pending = 0;
  syscall(SYS_rt_sigprocmask, SIG_BLOCK, &sigpipe, &old, sizeof(old));
  syscall(SYS_rt_sigpending, &pending, sizeof(pending));
  if (!write_all(fd, p, n) && !(pending & sigpipe)) {
    const struct timespec now = {0, 0};
    syscall(SYS_rt_sigtimedwait, &sigpipe, NULL, &now, sizeof(sigpipe));
  }
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof(old));
}

void tri_stderr_write(const char *line, size_t len) {
  int saved = errno;
  long flags = syscall(SYS_fcntl, 2, F_GETFL);
  if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && !(flags & O_PATH)) write_guarded(2, line, len);
  errno = saved;
}

size_t tri_line_make(char line[TRI_LINE_SIZE], const char *prefix, const char *fmt, va_list ap) {
  size_t n = tri_format(line, TRI_LINE_SIZE - 1, "%s", prefix);
  n += tri_vformat(line + n, TRI_LINE_SIZE - 1 - n, fmt, ap);
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) line[i] = '?';
  line[n++] = '\n';
  return n;
}

static bool expand_path(char out[PATH_SIZE]) {
  size_t n = 0;
  for (const char *p = log_file.path; *p; p++) {
    if (n + 24 > PATH_SIZE) return false;
    if (p[0] == '%' && p[1] == 'p') {
      n += tri_format(out + n, PATH_SIZE - n, "%ld", (long)syscall(SYS_getpid));
      p++;
    } else {
      out[n++] = *p;
    }
  }
  out[n] = 0;
  return true;
}

/* A new descriptor of the log file, or -1 with errno. */
static int open_file(struct stat *st) {
  char path[PATH_SIZE];
  if (!expand_path(path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  long fd =
      syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
  if (fd < 0) return -1;
  if (syscall(SYS_fstat, fd, st) != 0) {
    syscall(SYS_close, fd);
    return -1;
  }
  return tri_fd_move_up((int)fd);
}

static bool is_ours(int fd) {
  struct stat st;
  return fd > 2 && syscall(SYS_fstat, fd, &st) == 0 && st.st_dev == tri_load_rlx(&log_file.dev) &&
         st.st_ino == tri_load_rlx(&log_file.ino);
}

static bool install(int fd, const struct stat *st) {
  if (!tri_int_cas_acq_rel(&log_file.installing, 0, 1)) return false;
  int common = (int)tri_int_load_rlx(&log_file.fd);
  bool replace = !is_ours(common);
  if (replace) {
    tri_store_rlx(&log_file.dev, st->st_dev);
    tri_store_rlx(&log_file.ino, st->st_ino);
    tri_int_store_rel(&log_file.fd, (unsigned)fd);
  }
  tri_int_store_rel(&log_file.installing, 0);
  return replace;
}

static void log_write(const char *line, size_t len) {
  if (!tri_int_load_acq(&log_file.enabled)) {
    tri_stderr_write(line, len);
    return;
  }
  int saved = errno;
  int fd = (int)tri_int_load_acq(&log_file.fd);
  if (is_ours(fd)) {
    write_guarded(fd, line, len);
  } else {
    struct stat st;
    fd = open_file(&st);
    if (fd < 0) {
      tri_stderr_write(line, len);
    } else {
      write_guarded(fd, line, len);
      if (!install(fd, &st)) syscall(SYS_close, fd);
    }
  }
  errno = saved;
}

void tri_log_line(const char *fmt, ...) {
  char line[TRI_LINE_SIZE];
  va_list ap;
  va_start(ap, fmt);
  size_t n = tri_line_make(line, "tricolor: ", fmt, ap);
  va_end(ap);
  log_write(line, n);
}

void tri_log_raw(const char *line, size_t len) {
  log_write(line, len);
}

void tri_warn(const char *fmt, ...) {
  char line[TRI_LINE_SIZE];
  va_list ap;
  va_start(ap, fmt);
  size_t n = tri_line_make(line, "tricolor: ", fmt, ap);
  va_end(ap);
  tri_stderr_write(line, n);
}

/* Relative paths are fixed to the directory of now: the file may have to be opened again after a chdir. */
static bool set_path(const char *path) {
  char cwd[PATH_SIZE];
  size_t n;
  if (path[0] != '/' && syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0 && cwd[0] == '/')
    n = tri_format(log_file.path, PATH_SIZE, "%s/%s", cwd, path);
  else
    n = tri_format(log_file.path, PATH_SIZE, "%s", path);
  return n < PATH_SIZE - 1;
}

int tri_log_open(const char *path) {
  int saved = errno;
  struct stat st;
  int fd = -1;
  if (set_path(path))
    fd = open_file(&st);
  else
    errno = ENAMETOOLONG;
  int error = errno;
  errno = saved;
  if (fd < 0) return error;
  tri_store_rlx(&log_file.dev, st.st_dev);
  tri_store_rlx(&log_file.ino, st.st_ino);
  tri_int_store_rlx(&log_file.fd, (unsigned)fd);
  tri_int_store_rel(&log_file.enabled, 1);
  return 0;
}

static bool path_names_process(void) {
  for (const char *p = log_file.path; *p; p++)
    if (p[0] == '%' && p[1] == 'p') return true;
  return false;
}

void tri_log_after_fork(void) {
  if (!tri_int_load_acq(&log_file.enabled)) return;
  /* A thread that the child does not have may have held it. */
  tri_int_store_rlx(&log_file.installing, 0);
  if (!path_names_process()) return;
  int saved = errno;
  int fd = (int)tri_int_load_rlx(&log_file.fd);
  if (is_ours(fd)) syscall(SYS_close, fd);
  tri_int_store_rel(&log_file.fd, (unsigned)-1);
  errno = saved;
}
