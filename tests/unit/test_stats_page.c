/* The statistics page: when it is there, who may write it, what a child and a program that closes descriptors leave. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/ownmap.h"
#include "gc/config.h"
#include "gc/stats.h"
#include "gc/stats_page.h"
#include "internal/check.h"

/* What is above: the figures, the settings. */
static struct tri_config config = {.stats_page = true};
static unsigned cycles;
static int (*while_writing)(void);

const struct tri_config *tri_runtime_config(void);
const struct tri_config *tri_runtime_config(void) {
  return &config;
}

const char *tri_metric_name(size_t index) {
  return index == 0 ? "/gc/cycles/total:gc-cycles" : NULL;
}

void tri_stats_read_all(struct tri_mem_stats *mem, struct tri_stats_page_metric metrics[TRI_STATS_PAGE_METRICS]) {
  mem->NumGC = cycles;
  metrics[0].value.count = cycles;
  if (while_writing) while_writing();
}

/* The descriptor of the page, as another process finds it; -1: there is none. */
static int find(void) {
  for (int fd = 3; fd < 20000; fd++) {
    char path[64], target[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = 0;
    if (strcmp(target, "/memfd:" TRI_STATS_PAGE_NAME " (deleted)") == 0) return fd;
  }
  return -1;
}

static struct tri_stats_page content(void) {
  struct tri_stats_page p;
  cr_assert_eq(pread(find(), &p, sizeof p, 0), (ssize_t)sizeof p);
  return p;
}

static unsigned mappings(uintptr_t *ret_lo) {
  char line[512];
  unsigned n = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) {
    if (!strstr(line, TRI_STATS_PAGE_NAME)) continue;
    sscanf(line, "%lx", ret_lo);
    n++;
  }
  fclose(maps);
  return n;
}

static bool is_own(uintptr_t p) {
  uintptr_t lo, hi;
  return tri_ownmap_next(p, &lo, &hi) && lo <= p;
}

Test(stats_page, comes_with_the_first_cycle) {
  tri_stats_page_keep_own();
  tri_stats_page_write();
  cr_assert_eq(find(), -1);
  cr_assert_not(tri_stats_page_exists());
  cycles = 1;
  tri_stats_page_cycle_ended();
  cr_assert(tri_stats_page_exists());
  struct tri_stats_page p = content();
  cr_assert_eq(memcmp(p.magic, "tristats", 8), 0);
  cr_assert_eq(p.version, 1);
  cr_assert_eq(p.size, sizeof p);
  cr_assert_eq(p.pid, (unsigned long)getpid());
  cr_assert_eq(p.sequence, 2);
  cr_assert_gt(p.written_ns, 0);
  cr_assert_eq(p.mem.size, sizeof p.mem);
  cr_assert_eq(p.mem.NumGC, 1);
  cr_assert_str_eq(p.metrics[0].name, "/gc/cycles/total:gc-cycles");
  cr_assert_eq(p.metrics[0].value.count, 1);
  cr_assert_str_eq(p.metrics[1].name, "");
  cycles = 2;
  tri_stats_page_write();
  cr_assert_eq(content().mem.NumGC, 2);
  cr_assert_eq(content().sequence, 4);
}

static int sequence_is_odd(void) {
  cr_assert_eq(content().sequence % 2, 1);
  return 0;
}

Test(stats_page, sequence_is_odd_while_writing) {
  while_writing = sequence_is_odd;
  tri_stats_page_cycle_ended();
  tri_stats_page_write();
  cr_assert_eq(content().sequence, 4);
}

Test(stats_page, descriptor_is_high_sealed_and_not_inherited_by_exec) {
  tri_stats_page_cycle_ended();
  struct rlimit lim;
  getrlimit(RLIMIT_NOFILE, &lim);
  int fd = find(), top = lim.rlim_cur < 16384 ? (int)lim.rlim_cur : 16384;
  cr_assert_geq(fd, top - 32);
  cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  cr_assert_eq(ftruncate(fd, 0), -1);
  cr_assert_eq(ftruncate(fd, 1 << 20), -1);
  uintptr_t at = 0;
  cr_assert_eq(mappings(&at), 1);
  cr_assert(is_own(at));
}

Test(stats_page, switched_off) {
  config.stats_page = false;
  tri_stats_page_cycle_ended();
  cr_assert_eq(find(), -1);
}

Test(stats_page, closed_descriptor_is_replaced_at_the_next_cycle) {
  tri_stats_page_cycle_ended();
  int old = find();
  close(old);
  int null = open("/dev/null", O_RDONLY);
  cr_assert_eq(dup2(null, old), old);
  cycles = 3;
  tri_stats_page_write();
  cr_assert_eq(find(), -1);
  tri_stats_page_cycle_ended();
  struct stat st, want;
  cr_assert(fstat(old, &st) == 0 && fstat(null, &want) == 0 && st.st_ino == want.st_ino, "closed what was not ours");
  cr_assert_neq(find(), old);
  cr_assert_eq(content().mem.NumGC, 3);
  uintptr_t at;
  cr_assert_eq(mappings(&at), 1);
  int same = find();
  tri_stats_page_cycle_ended();
  cr_assert_eq(find(), same);
}

static void in_child(int (*body)(uintptr_t page), bool past_handlers) {
  uintptr_t page = 0;
  cr_assert_eq(mappings(&page), 1);
  pid_t pid = fork();
  if (pid == 0) {
    if (!past_handlers) tri_stats_page_after_fork();
    cycles = 100;
    _exit(body(page));
  }
  int status = -1;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert_eq(status, 0, "%#x", status);
  cr_assert_eq(content().mem.NumGC, 1);
  cr_assert_eq(content().pid, (unsigned long)getpid());
}

static int has_none_until_it_collects(uintptr_t page) {
  uintptr_t at;
  if (find() >= 0 || tri_stats_page_exists() || is_own(page) || mappings(&at)) return 1;
  tri_stats_page_write();
  if (find() >= 0) return 2;
  tri_stats_page_cycle_ended();
  return content().mem.NumGC == 100 && content().pid == (unsigned long)getpid() ? 0 : 3;
}

static int writes_nothing(uintptr_t page) {
  tri_stats_page_write();
  return find() >= 0 || is_own(page) ? 1 : has_none_until_it_collects(page);
}

/* The program has got the number for a file of its own, and the place for a mapping. */
static int leaves_the_programs_file(uintptr_t page) {
  int null = open("/dev/null", O_RDONLY), fd = find();
  dup2(null, fd);
  char *p = mmap((void *)page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (p != (char *)page) return 4;
  tri_stats_page_keep_own();
  tri_stats_page_write();
  return fcntl(fd, F_GETFD) >= 0 && !is_own(page) && p[0] == 0 && p[32] == 0 ? 0 : 5;
}

Test(stats_page, child) {
  cycles = 1;
  tri_stats_page_cycle_ended();
  in_child(has_none_until_it_collects, false);
  in_child(writes_nothing, true);
  in_child(leaves_the_programs_file, true);
}

Test(stats_page, no_page_where_files_are_limited) {
  struct rlimit lim;
  getrlimit(RLIMIT_FSIZE, &lim);
  lim.rlim_cur = 4096;
  setrlimit(RLIMIT_FSIZE, &lim);
  tri_stats_page_cycle_ended();
  cr_assert_eq(find(), -1);
  cr_assert_not(tri_stats_page_exists());
  lim.rlim_cur = lim.rlim_max;
  setrlimit(RLIMIT_FSIZE, &lim);
  tri_stats_page_cycle_ended();
  cr_assert(tri_stats_page_exists());
}
