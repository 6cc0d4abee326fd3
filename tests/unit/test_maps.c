/* The list of mappings and which of their pages hold data, against mappings made here. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gc/maps.h"
#include "gc/pages.h"
#include "internal/pagemap.h"
#include "support/zombie.h"

enum { PAGES = 16 };

static size_t page;

/* The kernel's page scan, which one before Linux 6.7 lacks. */
static bool old_kernel;

int ioctl(int fd, unsigned long request, ...) {
  va_list ap;
  va_start(ap, request);
  void *arg = va_arg(ap, void *);
  va_end(ap);
  if (old_kernel) errno = ENOTTY;
  return old_kernel ? -1 : (int)syscall(SYS_ioctl, fd, request, arg);
}

static void init(void) {
  page = (size_t)sysconf(_SC_PAGESIZE);
}

TestSuite(maps, .init = init, .timeout = 20);

/* A mapping with a page without access on both sides, so that no neighbour is merged with it. */
static char *map(int prot, int flags, int fd) {
  char *p = mmap(NULL, (PAGES + 2) * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  cr_assert_neq(p, MAP_FAILED);
  cr_assert_neq(mmap(p + page, PAGES * page, prot, flags | MAP_FIXED, fd, 0), MAP_FAILED);
  return p + page;
}

static int memory_file(void) {
  int fd = memfd_create("test", 0);
  cr_assert_eq(ftruncate(fd, (off_t)(PAGES * page)), 0);
  return fd;
}

struct search {
  uintptr_t addr, last;
  struct tri_mapping found;
  int calls, stop_after;
};

static bool look(const struct tri_mapping *m, void *arg) {
  struct search *s = arg;
  cr_assert(m->lo >= s->last && m->lo < m->hi, "not in ascending order");
  s->last = m->hi;
  if (s->addr >= m->lo && s->addr < m->hi) s->found = *m;
  return ++s->calls != s->stop_after;
}

static struct tri_mapping mapping_of(const void *p) {
  struct search s = {.addr = (uintptr_t)p};
  errno = 77;
  cr_assert(tri_maps_each(look, &s));
  cr_assert_eq(errno, 77);
  return s.found;
}

static struct tri_mapping mapped(int prot, int flags, int fd) {
  char *p = map(prot, flags, fd);
  struct tri_mapping m = mapping_of(p + page);
  cr_assert_eq(m.lo, (uintptr_t)p);
  cr_assert_eq(m.hi, (uintptr_t)p + PAGES * page);
  cr_assert_eq(m.readable, (prot & PROT_READ) != 0);
  cr_assert_eq(m.writable, (prot & PROT_WRITE) != 0);
  cr_assert_eq(m.executable, (prot & PROT_EXEC) != 0);
  cr_assert_eq(m.shared, (flags & MAP_SHARED) != 0);
  cr_assert_not(m.stack || m.brk || m.special || m.device);
  return m;
}

Test(maps, protections) {
  static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
  for (size_t i = 0; i < TRI_ARRAY_LEN(prots); i++) {
    struct tri_mapping m = mapped(prots[i], MAP_PRIVATE | MAP_ANONYMOUS, -1);
    cr_assert(!m.file && !m.shared_anon);
  }
}

Test(maps, kinds_of_sharing) {
  struct tri_mapping m = mapped(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
  cr_assert(m.shared_anon);
  m = mapped(PROT_READ | PROT_WRITE, MAP_SHARED, memory_file());
  cr_assert(m.file && m.shared_anon, "memfd");
  m = mapped(PROT_READ, MAP_PRIVATE, memory_file());
  cr_assert(m.file && !m.shared_anon);
  FILE *f = tmpfile();
  cr_assert_eq(ftruncate(fileno(f), (off_t)(PAGES * page)), 0);
  m = mapped(PROT_READ, MAP_SHARED, fileno(f));
  cr_assert(m.file && !m.shared_anon, "a file that others can open");
}

Test(maps, stack_brk_vdso_and_code) {
  int local;
  struct tri_mapping m = mapping_of(sbrk(8192));
  cr_assert(m.brk && m.writable && !m.stack && !m.file);
  m = mapping_of(&local);
  cr_assert(m.writable && !m.brk && !m.special);
  m = mapping_of((void *)(uintptr_t)mapping_of);
  cr_assert(m.executable && m.file && !m.writable);
}

Test(maps, stops_when_told) {
  struct search s = {.stop_after = 2};
  cr_assert(tri_maps_each(look, &s));
  cr_assert_eq(s.calls, 2);
}

/* More lines than the reader's buffer of 64 KiB holds. */
Test(maps, many_mappings) {
  enum { N = 3000 };
  char *p = mmap(NULL, N * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < N; i += 2) cr_assert_eq(mprotect(p + (size_t)i * page, page, PROT_READ), 0);
  struct search s = {.addr = (uintptr_t)p + (N - 2) * page};
  cr_assert(tri_maps_each(look, &s));
  cr_assert_geq(s.calls, N);
  cr_assert(s.found.readable && s.found.lo == s.addr && s.found.hi == s.addr + page);
}

/* /proc/self has no memory to show then. */
static void *see_memory(void *arg) {
  struct search s = {.addr = (uintptr_t)&s};
  uint64_t word;
  (void)arg;
  while (!is_zombie(getpid())) usleep(1000);
  bool listed = tri_maps_each(look, &s) && s.found.writable;
  off_t at = (off_t)((uintptr_t)&s / page * sizeof word);
  bool mapped = pread(tri_pagemap_open(), &word, sizeof word, at) == sizeof word && word >> 63 == 1;
  _exit(listed + 2 * mapped);
}

Test(maps, first_thread_has_ended) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    pthread_t t;
    if (pthread_create(&t, NULL, see_memory, NULL) == 0) pthread_exit(NULL);
    _exit(0);
  }
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3, "status %x", (unsigned)status);
}

static struct {
  char *base;
  unsigned char seen[PAGES];
  uintptr_t lo, hi;
} runs;

static void add_run(uintptr_t lo, uintptr_t hi, void *arg) {
  cr_assert_lt(lo, hi);
  if (runs.lo == 0) runs.lo = lo;
  runs.hi = hi;
  for (uintptr_t a = tri_align_down(lo, page); a < hi; a += page) runs.seen[(a - (uintptr_t)runs.base) / page]++;
}

static void pages_of(char *p, size_t from, size_t to, bool private_only) {
  memset(&runs, 0, sizeof runs);
  runs.base = p;
  cr_assert(tri_pages_open());
  cr_assert(tri_pages_each((uintptr_t)p + from, (uintptr_t)p + to, private_only, add_run, NULL));
  tri_pages_close(false);
}

static void expect_pages(const char *expected) {
  for (int i = 0; i < PAGES; i++) cr_assert_eq(runs.seen[i], expected[i] - '0', "page %d of %s", i, expected);
}

static void only_touched(void) {
  char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  madvise(p, PAGES * page, MADV_NOHUGEPAGE);
  pages_of(p, 0, PAGES * page, true);
  expect_pages("0000000000000000");
  p[0] = p[3 * page] = p[4 * page] = p[15 * page] = 1;
  for (int i = 0; i < 2; i++) {
    pages_of(p, 0, PAGES * page, i);
    expect_pages("1001100000000001");
  }
}

static void clipped(void) {
  char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  memset(p, 1, PAGES * page);
  pages_of(p, 2 * page + 128, 5 * page + 64, true);
  expect_pages("0011110000000000");
  cr_assert_eq(runs.lo, (uintptr_t)p + 2 * page + 128);
  cr_assert_eq(runs.hi, (uintptr_t)p + 5 * page + 64);
}

static void private_only(void) {
  int fd = memory_file();
  for (int i = 0; i < PAGES; i++) cr_assert_eq(pwrite(fd, "x", 1, (off_t)((size_t)i * page)), 1);
  char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
  for (int i = 0; i < PAGES; i++) cr_assert_eq(p[(size_t)i * page], 'x'); /* present, and still the file's */
  p[2 * page] = p[9 * page] = 1;                                          /* copied */
  pages_of(p, 0, PAGES * page, true);
  expect_pages("0010000001000000");
  pages_of(p, 0, PAGES * page, false);
  expect_pages("1111111111111111");
}

Test(maps, only_touched_pages_and_none_is_touched) {
  only_touched();
  old_kernel = true;
  only_touched();
}

Test(maps, ranges_are_clipped) {
  clipped();
  old_kernel = true;
  clipped();
}

Test(maps, private_only_leaves_out_what_is_still_the_files) {
  private_only();
  old_kernel = true;
  private_only();
}

Test(maps, no_descriptor_is_left_open) {
  int before = dup(0), after;
  close(before);
  mapping_of(&page);
  only_touched();
  after = dup(0);
  cr_assert_eq(after, before);
}

/* What the descriptor that stayed says of the child's memory is its parent's. */
Test(maps, a_child_asks_about_its_own_pages) {
  cr_assert(tri_pages_open());
  tri_pages_close(true);
  cr_assert(tri_pages_are_open());
  char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  int status = 0;
  pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
  if (pid == 0) {
    p[0] = p[3 * page] = 1;
    pages_of(p, 0, PAGES * page, true);
    _exit(runs.seen[0] == 1 && runs.seen[3] == 1 && runs.seen[1] == 0);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  tri_pages_close(false);
  cr_assert_not(tri_pages_are_open());
}

Test(maps, pages_need_an_open_file) {
  char *p = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  errno = 77;
  cr_assert_not(tri_pages_each((uintptr_t)p, (uintptr_t)p + page, true, add_run, NULL));
  cr_assert_eq(errno, 77);
}
