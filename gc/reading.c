/*
 * The C library's calls that read into the program's memory, interposed: what they overwrite in an object is shaded
 * (gc/kernel_writes.c), and while they sleep they are safe regions (gc/region.c), so that a collection does not wake
 * the sleeper. Small reads in a loop would feel a system call of ours beside each: these regions begin without one, and
 * a program of one thread, which nobody can stop, has none.
 *
 * Here, and not in gc/blocking.c, since a program may bring a `read` of its own: the fortified forms do not go through
 * that either. Results and errno are the C library's, also for wrong pointers. Compiled with -fexceptions, as
 * gc/blocking.c. Forbidden: anything else between the region's beginning and the call.
 */
/* With 64-bit offsets the headers would turn pread into pread64; both names are defined here. */
#undef _FILE_OFFSET_BITS
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gc/beside.h"
#include "gc/kernel_writes.h"
#include "gc/real.h"
#include "gc/region.h"
#include "internal/check.h"

/* The buffer's size was checked against n by the compiler where it could. */
static void check_bytes(const char *name, size_t n, size_t size) {
  if (size < n) tri_fatal("%s: %zu bytes into a buffer of %zu", name, n, size);
}

TRI_INLINE ssize_t do_read(int fd, void *to, size_t n) {
  const struct tri_real *real = tri_real();
  struct iovec written = {to, n};
  TRI_KERNEL_WRITES_TO(&written, 1);
  TRI_BLOCKING_PERHAPS(to);
  return real->read(fd, to, n);
}

TRI_EXPORT ssize_t read(int fd, void *to, size_t n) {
  return do_read(fd, to, n);
}

ssize_t __read_chk(int fd, void *to, size_t n, size_t size);
TRI_EXPORT ssize_t __read_chk(int fd, void *to, size_t n, size_t size) {
  check_bytes("read", n, size);
  return do_read(fd, to, n);
}

TRI_EXPORT ssize_t readv(int fd, const struct iovec *to, int n) {
  const struct tri_real *real = tri_real();
  TRI_KERNEL_WRITES_TO(to, n > 0 ? (size_t)n : 0);
  TRI_BLOCKING_PERHAPS(to);
  return real->readv(fd, to, n);
}

/* Of what can be sought: it does not sleep for long. */
TRI_INLINE ssize_t do_pread(int fd, void *to, size_t n, off_t offset) {
  struct iovec written = {to, n};
  TRI_KERNEL_WRITES_TO(&written, 1);
  return tri_real()->pread(fd, to, n, offset);
}

TRI_EXPORT ssize_t pread(int fd, void *to, size_t n, off_t offset) {
  return do_pread(fd, to, n, offset);
}

static_assert(sizeof(off_t) == sizeof(off64_t), "one function for both");
TRI_EXPORT ssize_t pread64(int fd, void *to, size_t n, off64_t offset) __attribute__((alias("pread")));

ssize_t __pread_chk(int fd, void *to, size_t n, off_t offset, size_t size);
TRI_EXPORT ssize_t __pread_chk(int fd, void *to, size_t n, off_t offset, size_t size) {
  check_bytes("pread", n, size);
  return do_pread(fd, to, n, offset);
}

ssize_t __pread64_chk(int fd, void *to, size_t n, off64_t offset, size_t size);
TRI_EXPORT ssize_t __pread64_chk(int fd, void *to, size_t n, off64_t offset, size_t size)
    __attribute__((alias("__pread_chk")));

TRI_INLINE ssize_t do_recvfrom(int fd, void *to, size_t n, int flags, struct sockaddr *from, socklen_t *from_size) {
  const struct tri_real *real = tri_real();
  struct iovec written = {to, n};
  TRI_KERNEL_WRITES_TO(&written, 1);
  TRI_BLOCKING_PERHAPS(to, from, from_size);
  return real->recvfrom(fd, to, n, flags, from, from_size);
}

TRI_EXPORT ssize_t recv(int fd, void *to, size_t n, int flags) {
  return do_recvfrom(fd, to, n, flags, NULL, NULL);
}

ssize_t __recv_chk(int fd, void *to, size_t n, size_t size, int flags);
TRI_EXPORT ssize_t __recv_chk(int fd, void *to, size_t n, size_t size, int flags) {
  check_bytes("recv", n, size);
  return do_recvfrom(fd, to, n, flags, NULL, NULL);
}

/* The C library declares the address as a union of pointers to all kinds of addresses. */
TRI_EXPORT ssize_t recvfrom(int fd, void *to, size_t n, int flags, __SOCKADDR_ARG from, socklen_t *from_size) {
  return do_recvfrom(fd, to, n, flags, from.__sockaddr__, from_size);
}

ssize_t __recvfrom_chk(int fd, void *to, size_t n, size_t size, int flags, __SOCKADDR_ARG from, socklen_t *from_size);
TRI_EXPORT ssize_t __recvfrom_chk(int fd, void *to, size_t n, size_t size, int flags, __SOCKADDR_ARG from,
                                  socklen_t *from_size) {
  check_bytes("recvfrom", n, size);
  return do_recvfrom(fd, to, n, flags, from.__sockaddr__, from_size);
}

TRI_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  const struct tri_real *real = tri_real();
  bool look = message && tri_beside_is_hybrid(); /* what is wrong with it is for the kernel to say */
  TRI_KERNEL_WRITES_TO(look ? message->msg_iov : NULL, look ? message->msg_iovlen : 0);
  TRI_BLOCKING_PERHAPS(message);
  return real->recvmsg(fd, message, flags);
}

/* The buffers of several messages, the first ones. */
enum { MANY = 64 };
static size_t buffers_of(const struct mmsghdr *messages, unsigned n, struct iovec *ret) {
  size_t count = 0;
  for (unsigned i = 0; i < n; i++) {
    const struct msghdr *m = &messages[i].msg_hdr;
    for (size_t k = 0; m->msg_iov && k < m->msg_iovlen; k++) {
      if (count == MANY) return count;
      ret[count++] = m->msg_iov[k];
    }
  }
  return count;
}

TRI_WEAK_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *timeout) {
  const struct tri_real *real = tri_real();
  struct iovec buffers[MANY];
  TRI_KERNEL_WRITES_TO(buffers, messages && tri_beside_is_hybrid() ? buffers_of(messages, n, buffers) : 0);
  TRI_BLOCKING_PERHAPS(messages, timeout);
  return real->recvmmsg(fd, messages, n, flags, timeout);
}
