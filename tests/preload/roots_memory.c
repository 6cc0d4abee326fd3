/*
 * Objects whose only pointer lies in memory that is not a thread's: statics, the heap itself, thread-local variables,
 * thread-specific data, mappings of every kind, the brk area, the kernel. Each kind in both directions
 * (support/keep.h).
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "support/keep.h"

static void *in_data[KEEP] = {(void *)1};
static void *in_bss[KEEP];
static __thread void *in_tls[KEEP];
static void **place; /* of the kind under test */

static void put_data(int i, void *p) {
  in_data[i] = p;
}
static void *get_data(int i) {
  return in_data[i];
}
static void put_bss(int i, void *p) {
  in_bss[i] = p;
}
static void *get_bss(int i) {
  return in_bss[i];
}
static void put_tls(int i, void *p) {
  in_tls[i] = p;
}
static void *get_tls(int i) {
  return in_tls[i];
}
static void put_place(int i, void *p) {
  place[i * 7] = p;
}
static void *get_place(int i) {
  return place[i * 7];
}

/* Interior pointers: one to the middle, one to the last byte. */
static void put_interior(int i, void *p) {
  in_bss[i] = p == NULL ? NULL : (char *)p + (i % 2 ? keep_size(i) / 2 : keep_size(i) - 1);
}
static void *get_interior(int i) {
  return (char *)in_bss[i] - (i % 2 ? keep_size(i) / 2 : keep_size(i) - 1);
}

/* As compilers at run time do: in the middle of an instruction, at any byte, also across pages and 256 KiB. */
static unsigned char *code;
static unsigned char *code_place(int i) {
  return code + (i + 1) * 8192 - i % 8;
}
static void put_code(int i, void *p) {
  memcpy(code_place(i), &p, sizeof(p));
}
static void *get_code(int i) {
  void *p;
  memcpy(&p, code_place(i), sizeof(p));
  return p;
}

static pthread_key_t keys[KEEP];
static void put_specific(int i, void *p) {
  pthread_setspecific(keys[i], p);
}
static void *get_specific(int i) {
  return pthread_getspecific(keys[i]);
}

static int epoll, events[KEEP];
static void put_epoll(int i, void *p) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
  uint64_t one = 1;
  if (p == NULL) {
    CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, events[i], NULL) == 0, "EPOLL_CTL_DEL");
    close(events[i]);
    return;
  }
  events[i] = eventfd(0, EFD_NONBLOCK);
  CHECK(epoll_ctl(epoll, i % 2 ? EPOLL_CTL_ADD : EPOLL_CTL_ADD, events[i], &event) == 0, "EPOLL_CTL_ADD");
  if (i % 2) CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, events[i], &event) == 0, "EPOLL_CTL_MOD");
  CHECK(write(events[i], &one, sizeof(one)) == (ssize_t)sizeof(one), "eventfd");
}
static void *get_epoll(int i) {
  struct epoll_event event;
  uint64_t count;
  CHECK(epoll_wait(epoll, &event, 1, 1000) == 1, "no event for %d", i);
  for (int k = 0; k < KEEP; k++) {
    if (UNHIDE(keep_hidden[k]) == event.data.ptr) CHECK(read(events[k], &count, sizeof(count)) > 0, "eventfd read");
  }
  return event.data.ptr;
}

static const struct keep by_static[] = {
    {"data", put_data, get_data},
    {"bss", put_bss, get_bss},
    {"thread-local variable of main", put_tls, get_tls},
    {"interior pointer", put_interior, get_interior},
    {"thread-specific data of main", put_specific, get_specific},
};

/* Events come in the order in which they became ready, which is the order of their places. */
static const struct keep by_epoll = {"epoll data", put_epoll, get_epoll};

static void by_place(const char *name, void *at) {
  struct keep kind = {name, put_place, get_place};
  CHECK(at != MAP_FAILED && at != NULL, "%s: no memory", name);
  place = at;
  keep_run(&kind);
}

static void *map(int flags, int fd) {
  return mmap(NULL, 16384, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void mappings(void) {
  int fd = memfd_create("roots", 0);
  CHECK(fd >= 0 && ftruncate(fd, 16384) == 0, "memfd");
  by_place("private anonymous mapping", map(MAP_PRIVATE | MAP_ANONYMOUS, -1));
  by_place("shared anonymous mapping", map(MAP_SHARED | MAP_ANONYMOUS, -1));
  by_place("shared memfd", map(MAP_SHARED, fd));
  by_place("private memfd", map(MAP_PRIVATE, fd));
  by_place("brk area", sbrk(16384));
  close(fd);
}

static void by_code(void) {
  struct keep kind = {"generated code", put_code, get_code};
  code = mmap(NULL, (KEEP + 2) * 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED, "mmap");
  keep_run(&kind);
}

/* The page is read-only whenever it is not being written. */
static char *locked_page;
static void put_locked(int i, void *p) {
  CHECK(mprotect(locked_page, 16384, PROT_READ | PROT_WRITE) == 0, "mprotect");
  put_place(i, p);
  CHECK(mprotect(locked_page, 16384, PROT_READ) == 0, "mprotect");
}

static void read_only(void) {
  struct keep kind = {"page made read-only", put_locked, get_place};
  locked_page = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  CHECK(locked_page != MAP_FAILED, "mmap");
  place = (void **)locked_page;
  keep_run(&kind);
}

static void heap_places(void) {
  void **small = calloc(KEEP * 7, sizeof(void *)), **large = calloc(100000, sizeof(void *));
  by_place("heap object", small);
  by_place("end of a large heap object", large + 100000 - KEEP * 7);
  place = NULL;
  free(small);
  free(large);
}

/* What may not be touched: reservations, holes, a page without permission, a mapping that shrinks meanwhile. */
static void dangerous_mappings(void) {
  char *reserve =
      mmap(NULL, (size_t)1 << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  char *none = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int fd = memfd_create("short", 0);
  CHECK(ftruncate(fd, 8192) == 0, "ftruncate");
  char *beyond = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(reserve != MAP_FAILED && none != MAP_FAILED && beyond != MAP_FAILED, "mmap");
  reserve[(size_t)1 << 35] = 1;
  beyond[0] = 1;
  collect();
  CHECK(ftruncate(fd, 0) == 0, "ftruncate");
  collect();
  unsigned char present[16];
  CHECK(mincore(reserve + ((size_t)3 << 34), sizeof(present) * 4096, present) == 0, "mincore");
  for (size_t i = 0; i < sizeof(present); i++) CHECK((present[i] & 1) == 0, "the collector touched a reservation");
  munmap(reserve, (size_t)1 << 36);
  munmap(none, 1 << 20);
  munmap(beyond, 1 << 20);
  close(fd);
  puts("dangerous mappings");
}

int main(void) {
  for (int i = 0; i < KEEP; i++) pthread_key_create(&keys[i], NULL);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; i < sizeof(by_static) / sizeof(by_static[0]); i++) keep_run(&by_static[i]);
  keep_run(&by_epoll);
  by_code();
  mappings();
  read_only();
  heap_places();
  dangerous_mappings();
  puts("ok");
  return 0;
}
