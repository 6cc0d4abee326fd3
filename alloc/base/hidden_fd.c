/*
 * Descriptors that the program does not know of: high up, CLOEXEC, and known by device and inode, and by the memory
 * that they were adopted in.
 *
 * System calls are made directly: the C library's wrappers are cancellation points, and our own library interposes some
 * of them. No locks; a struct belongs to one thread at a time. A foreign descriptor is never closed.
 */
#include "internal/hidden_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal/memory_id.h"

/* A high descriptor makes the kernel's table as long as its number; at 16384 that is 128 KiB, at a limit of 2^30 8 GiB.
 */
#define HIGHEST_FD 16384

int tri_fd_move_up(int fd) {
  struct rlimit lim = {HIGHEST_FD, HIGHEST_FD};
  syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &lim);
  size_t top = tri_min(lim.rlim_cur, HIGHEST_FD);
  long high = top > 64 ? syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, (long)top - 32) : -1;
  if (high < 0 && fd <= 2) high = syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3L);
  if (high < 0 && fd > 2) return fd;
  syscall(SYS_close, fd);
  return (int)high;
}

struct tri_hidden_fd tri_hidden_fd_adopt(int fd) {
  struct tri_hidden_fd h = TRI_HIDDEN_FD_NONE;
  struct stat st;
  int saved_errno = errno;
  if (fd >= 0 && syscall(SYS_fstat, fd, &st) == 0) {
    h = (struct tri_hidden_fd){.fd = tri_fd_move_up(fd), .dev = st.st_dev, .ino = st.st_ino};
    h.memory_id = tri_memory_id();
  } else if (fd >= 0) {
    syscall(SYS_close, fd);
  }
  errno = saved_errno;
  return h;
}

static bool is_same_file(const struct tri_hidden_fd *h) {
  struct stat st;
  return h->fd >= 0 && syscall(SYS_fstat, h->fd, &st) == 0 && st.st_dev == h->dev && st.st_ino == h->ino;
}

bool tri_hidden_fd_is_ours(const struct tri_hidden_fd *h) {
  int saved_errno = errno;
  bool ours = is_same_file(h) && h->memory_id == tri_memory_id();
  errno = saved_errno;
  return ours;
}

void tri_hidden_fd_drop(struct tri_hidden_fd *h) {
  int saved_errno = errno;
  if (is_same_file(h)) syscall(SYS_close, h->fd);
  h->fd = -1;
  errno = saved_errno;
}
