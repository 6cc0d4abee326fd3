/*
 * Calls that send or wait for a peer, while others collect. A write that the reader holds up comes back whole, a
 * socket's timeout runs its time, and neither ends early for the collector's signal; all else, errors too, is as ever.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#include "support/probe.h"

enum { BYTES = 1 << 20, TIMEOUT_MS = 300 };

static char *bytes;
static int ends[2];

static ssize_t by_write(void) {
  return write(ends[1], bytes, BYTES);
}
static ssize_t by_writev(void) {
  struct iovec v[2] = {{bytes, BYTES / 2}, {bytes + BYTES / 2, BYTES / 2}};
  return writev(ends[1], v, 2);
}
static ssize_t by_send(void) {
  return send(ends[1], bytes, BYTES, 0);
}
static ssize_t by_sendto(void) {
  return sendto(ends[1], bytes, BYTES, 0, NULL, 0);
}
static ssize_t by_sendmsg(void) {
  struct iovec v = {bytes, BYTES};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  return sendmsg(ends[1], &m, 0);
}

static ssize_t by_sendmmsg(void) {
  struct iovec v = {bytes, BYTES};
  struct mmsghdr m = {.msg_hdr = {.msg_iov = &v, .msg_iovlen = 1}};
  return sendmmsg(ends[1], &m, 1, 0) == 1 ? (ssize_t)m.msg_len : -1;
}

static const struct way {
  const char *name;
  ssize_t (*send)(void);
  bool by_pipe;
} ways[] = {
    {"write to a pipe", by_write, true}, {"writev to a pipe", by_writev, true},
    {"write", by_write, false},          {"send", by_send, false},
    {"sendto", by_sendto, false},        {"sendmsg", by_sendmsg, false},
    {"sendmmsg", by_sendmmsg, false},
};

static atomic_bool sent;

static void *send_all(void *arg) {
  const struct way *way = arg;
  ssize_t n = way->send();
  CHECK(n == BYTES, "%s: %zd of %d bytes, errno %d", way->name, n, BYTES, errno);
  atomic_store(&sent, true);
  return NULL;
}

/* Collects whenever the sender has filled what there is room for. */
static void come_whole(const struct way *way) {
  static char piece[64 << 10];
  pthread_t sender;
  size_t received = 0;
  CHECK((way->by_pipe ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) == 0, "%s", way->name);
  atomic_store(&sent, false);
  CHECK(pthread_create(&sender, NULL, send_all, (void *)(uintptr_t)way) == 0, "pthread_create");
  while (received < BYTES) {
    usleep(2000);
    CHECK(received > 0 || !atomic_load(&sent), "%s: nothing was held up", way->name);
    collect();
    ssize_t n = read(ends[0], piece, sizeof piece);
    CHECK(n > 0 && memcmp(piece, bytes + received, (size_t)n) == 0, "%s: other bytes at %zu", way->name, received);
    received += (size_t)n;
  }
  pthread_join(sender, NULL);
  close(ends[0]);
  close(ends[1]);
}

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static atomic_bool timed_out;

static void *collect_meanwhile(void *unused) {
  while (!atomic_load(&timed_out)) {
    collect();
    usleep(1000);
  }
  return unused;
}

static void set_timeout(int fd, int which) {
  struct timeval t = {0, TIMEOUT_MS * 1000};
  CHECK(setsockopt(fd, SOL_SOCKET, which, &t, sizeof t) == 0, "setsockopt");
}

static int listener, peer;
static struct sockaddr_un name = {.sun_family = AF_UNIX};

static long by_full_send(void) {
  while (send(ends[1], bytes, BYTES, MSG_DONTWAIT) > 0) continue;
  return send(ends[1], bytes, 1, 0);
}
static long by_accept(void) {
  return accept(listener, NULL, NULL);
}
static long by_connect(void) {
  return connect(peer, (struct sockaddr *)&name, sizeof name);
}

static void take_their_time(const char *what, long (*call)(void)) {
  pthread_t collector;
  atomic_store(&timed_out, false);
  CHECK(pthread_create(&collector, NULL, collect_meanwhile, NULL) == 0, "pthread_create");
  long begun = now_ms(), r = call(), took = now_ms() - begun;
  CHECK(r == -1 && errno == EAGAIN, "%s: %ld, errno %d after %ld ms", what, r, errno, took);
  CHECK(took >= TIMEOUT_MS - 20, "%s took %ld ms", what, took);
  atomic_store(&timed_out, true);
  pthread_join(collector, NULL);
}

static void accept_one(int (*how)(int, struct sockaddr *, socklen_t *)) {
  struct sockaddr_un from;
  socklen_t size = sizeof from;
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(connect(client, (struct sockaddr *)&name, sizeof name) == 0, "connect: errno %d", errno);
  int fd = how(listener, (struct sockaddr *)&from, &size);
  CHECK(fd >= 0 && size == sizeof from.sun_family && from.sun_family == AF_UNIX, "accept: errno %d", errno);
  close(fd);
  close(client);
}

static int by_accept4(int fd, struct sockaddr *from, socklen_t *size) {
  return accept4(fd, from, size, SOCK_CLOEXEC);
}

static int accept_plainly(int fd, struct sockaddr *from, socklen_t *size) {
  return accept(fd, from, size);
}

static void timeouts_take_their_time(void) {
  snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "tricolor-writing-%d", (int)getpid()); /* abstract */
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 0) == 0, "listen");
  accept_one(accept_plainly);
  accept_one(by_accept4);
  set_timeout(listener, SO_RCVTIMEO);
  take_their_time("accept", by_accept);
  int first = socket(AF_UNIX, SOCK_STREAM, 0); /* fills the queue */
  CHECK(connect(first, (struct sockaddr *)&name, sizeof name) == 0, "connect");
  peer = socket(AF_UNIX, SOCK_STREAM, 0);
  set_timeout(peer, SO_SNDTIMEO);
  take_their_time("connect", by_connect);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  set_timeout(ends[1], SO_SNDTIMEO);
  take_their_time("send", by_full_send);
  close(ends[0]);
  close(ends[1]);
}

static void fail_as_ever(void) {
  void *volatile nowhere = (void *)1; /* the compiler is not to know */
  int volatile many = 100000;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  CHECK_FAILS(write(-1, bytes, 1), EBADF);
  CHECK_FAILS(write(ends[1], nowhere, 4), EFAULT);
  CHECK_FAILS(writev(ends[1], nowhere, 1), EFAULT);
  CHECK_FAILS(writev(ends[1], NULL, many), EINVAL);
  CHECK_FAILS(send(ends[1], nowhere, 4, 0), EFAULT);
  CHECK_FAILS(sendmsg(ends[1], nowhere, 0), EFAULT);
  CHECK_FAILS(connect(ends[1], nowhere, 10), EFAULT);
  CHECK_FAILS(accept(ends[1], NULL, NULL), EINVAL);
  CHECK_FAILS(accept4(listener, nowhere, nowhere, -1), EINVAL);
  close(ends[0]);
  CHECK_FAILS(send(ends[1], bytes, 1, MSG_NOSIGNAL), EPIPE);
  close(ends[1]);
}

int main(void) {
  bytes = malloc(BYTES);
  pattern_fill(bytes, BYTES, 5);
  fail_as_ever();
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) come_whole(&ways[i]);
  timeouts_take_their_time();
  fail_as_ever(); /* with other threads about */
  puts("ok");
  return 0;
}
