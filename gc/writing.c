/*
 * The C library's calls that send what the program has, and those that wait for a peer, interposed: each is a safe
 * region (gc/region.c). A signal, also a restarting one, makes a write that is half done come back with the half, and
 * a call on a socket with a timeout fail with EINTR; few programs are ready for that, and a collection is to cause
 * neither. accept writes an address, which is announced (gc/kernel_writes.c).
 *
 * A vfork child tells its parent by write() that exec has failed, and may be killed there: it must not leave the parent
 * in a region, so the kernel is asked who calls (TRI_BLOCKING). What goes to a file on a disk is not interrupted:
 * pwrite is left alone. Weak, since programs that link the archive may have a send() or connect() of their own.
 *
 * Results and errno are the C library's, also for wrong pointers. Compiled with -fexceptions, as cancellation unwinds
 * through these functions. Forbidden: anything else between the region's beginning and the call.
 */
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gc/kernel_writes.h"
#include "gc/real.h"
#include "gc/region.h"

TRI_WEAK_EXPORT ssize_t write(int fd, const void *from, size_t n) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(from);
  return real->write(fd, from, n);
}

TRI_WEAK_EXPORT ssize_t writev(int fd, const struct iovec *from, int n) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(from);
  return real->writev(fd, from, n);
}

TRI_WEAK_EXPORT ssize_t send(int fd, const void *from, size_t n, int flags) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(from);
  return real->send(fd, from, n, flags);
}

/* The C library declares addresses as unions of pointers to all kinds of them. */
TRI_WEAK_EXPORT ssize_t sendto(int fd, const void *from, size_t n, int flags, __CONST_SOCKADDR_ARG to,
                               socklen_t to_size) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(from, to.__sockaddr__);
  return real->sendto(fd, from, n, flags, to.__sockaddr__, to_size);
}

TRI_WEAK_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(message);
  return real->sendmsg(fd, message, flags);
}

TRI_WEAK_EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(messages);
  return real->sendmmsg(fd, messages, n, flags);
}

TRI_WEAK_EXPORT int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t to_size) {
  const struct tri_real *real = tri_real();
  TRI_BLOCKING(to.__sockaddr__);
  return real->connect(fd, to.__sockaddr__, to_size);
}

TRI_INLINE int do_accept(int fd, struct sockaddr *from, socklen_t *from_size, int flags) {
  const struct tri_real *real = tri_real();
  struct iovec written = {from, from ? sizeof(struct sockaddr_storage) : 0}; /* at most */
  TRI_KERNEL_WRITES_TO(&written, 1);
  TRI_BLOCKING(from, from_size);
  return real->accept4(fd, from, from_size, flags);
}

TRI_WEAK_EXPORT int accept(int fd, __SOCKADDR_ARG from, socklen_t *from_size) {
  return do_accept(fd, from.__sockaddr__, from_size, 0);
}

TRI_WEAK_EXPORT int accept4(int fd, __SOCKADDR_ARG from, socklen_t *from_size, int flags) {
  return do_accept(fd, from.__sockaddr__, from_size, flags);
}
