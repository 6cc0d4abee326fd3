/*
 * Opens the map of this process's pages, for gc/pages.c and barrier/page.c.
 *
 * Through /proc/self, not /proc/thread-self: whatever is looked up below a thread's directory, the kernel has to take
 * out of its name cache when the thread ends; where the process ends with it, it does so twice at the same time, one
 * side spinning until the other, which may wait for a CPU, is done. A forked child that had collected cost its parent
 * twice as much as one that had not. Only where the first thread of the process has ended, and /proc/self has no memory
 * to show, the calling thread's directory is asked.
 *
 * No locks, raw system calls. Another thread may close the descriptor and get its number for something else: pread
 * would not block there.
 */
#include "internal/pagemap.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The word of address 0, which is there wherever there is memory. */
static bool shows_memory(int fd) {
  uint64_t word;
  return syscall(SYS_pread64, fd, &word, sizeof word, (off_t)0) == sizeof word;
}

int tri_pagemap_open(void) {
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && shows_memory(fd)) return fd;
  if (fd >= 0) syscall(SYS_close, fd);
  return (int)syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);
}
