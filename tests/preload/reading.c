/*
 * The calls that read: same results and errors as ever, in all their forms, and who sleeps in one is not woken by
 * collections.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "support/probe.h"
#include "support/woken.h"

enum { COLLECTIONS = 20 };

ssize_t __read_chk(int fd, void *to, size_t n, size_t size);
ssize_t __pread_chk(int fd, void *to, size_t n, off_t offset, size_t size);
ssize_t __recv_chk(int fd, void *to, size_t n, size_t size, int flags);

static int pair[2];

static void send_digits(void) {
  CHECK(write(pair[1], "0123456789", 10) == 10, "write");
}

static void expect(const char *what, ssize_t got, const char *buf, const char *text) {
  CHECK(got == (ssize_t)strlen(text) && memcmp(buf, text, strlen(text)) == 0, "%s: %zd bytes", what, got);
}

static void read_in_all_forms(void) {
  char a[16] = "", *b = malloc(16);
  struct iovec v[2] = {{a, 4}, {b, 6}};
  struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
  send_digits();
  expect("read", read(pair[0], b, 10), b, "0123456789");
  send_digits();
  expect("__read_chk", __read_chk(pair[0], b, 10, 16), b, "0123456789");
  send_digits();
  CHECK(readv(pair[0], v, 2) == 10 && memcmp(a, "0123", 4) == 0 && memcmp(b, "456789", 6) == 0, "readv");
  send_digits();
  expect("recv", recv(pair[0], b, 3, 0), b, "012");
  expect("__recv_chk", __recv_chk(pair[0], b, 3, 16, 0), b, "345");
  expect("recvfrom", recvfrom(pair[0], b, 4, 0, NULL, NULL), b, "6789");
  memset(a, 0, sizeof a);
  send_digits();
  CHECK(recvmsg(pair[0], &m, 0) == 10 && memcmp(a, "0123", 4) == 0, "recvmsg");
  memset(a, 0, sizeof a);
  send_digits();
  struct mmsghdr many = {.msg_hdr = m};
  CHECK(recvmmsg(pair[0], &many, 1, 0, NULL) == 1 && many.msg_len == 10 && memcmp(a, "0123", 4) == 0, "recvmmsg");
  free(b);
}

static void read_from_a_file(void) {
  char b[16];
  int fd = open("/proc/self/exe", O_RDONLY);
  CHECK(fd >= 0, "/proc/self/exe");
  expect("pread", pread(fd, b, 3, 1), b, "ELF");
  expect("pread64", pread64(fd, b, 3, 1), b, "ELF");
  expect("__pread_chk", __pread_chk(fd, b, 3, 1, sizeof b), b, "ELF");
  close(fd);
}

static void fail_as_ever(void) {
  char b[4];
  void *volatile nowhere = (void *)1; /* the compiler is not to know */
  int volatile many = 100000;
  send_digits();
  CHECK_FAILS(read(pair[0], nowhere, 4), EFAULT);
  CHECK_FAILS(recv(pair[0], nowhere, 4, 0), EFAULT);
  CHECK_FAILS(readv(pair[0], nowhere, 1), EFAULT);
  CHECK_FAILS(readv(pair[0], (struct iovec[]){{b, 4}}, many), EINVAL);
  CHECK_FAILS(recvmsg(pair[0], nowhere, 0), EFAULT);
  nowhere = NULL;
  CHECK_FAILS(recvmsg(pair[0], nowhere, 0), EFAULT);
  CHECK_FAILS(read(-1, b, 4), EBADF);
  while (recv(pair[0], b, 4, MSG_DONTWAIT) > 0) continue;
  CHECK_FAILS(recv(pair[0], b, 4, MSG_DONTWAIT), EAGAIN);
}

static atomic_int sleeper_tid;

static void *sleep_in_read(void *unused) {
  char c;
  atomic_store(&sleeper_tid, (int)syscall(SYS_gettid));
  CHECK(read(pair[0], &c, 1) == 1, "read");
  return unused;
}

static void sleep_through_collections(void) {
  pthread_t sleeper;
  CHECK(pthread_create(&sleeper, NULL, sleep_in_read, NULL) == 0, "pthread_create");
  while (atomic_load(&sleeper_tid) == 0) usleep(1000);
  collect(); /* starts the runtime's threads */
  usleep(100000);
  long before = times_woken(atomic_load(&sleeper_tid));
  for (int i = 0; i < COLLECTIONS; i++) collect();
  long after = times_woken(atomic_load(&sleeper_tid));
  CHECK(!probe_live() || after - before <= 1, "the sleeper was woken %ld times", after - before);
  CHECK(write(pair[1], "x", 1) == 1, "write");
  pthread_join(sleeper, NULL);
}

int main(void) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
  read_in_all_forms();
  read_from_a_file();
  fail_as_ever();
  sleep_through_collections();
  read_in_all_forms(); /* with other threads about */
  fail_as_ever();
  puts("ok");
  return 0;
}
