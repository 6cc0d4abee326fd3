/*
 * Finding and reading the statistics page of another process (tricolor/stats_page.h).
 *
 *   /proc/PID, held open: it stands for this process, also when the number is given to another
 *     -> its descriptors -> links to a memfd of the page's name -> opened read-only, size and seals -> mapped
 *     -> magic, version, process id -> copied with the sequence lock
 *
 * Nothing in a page is trusted: any process may have a memfd of that name. It is mapped only if it cannot shrink, since
 * a page that is gone would end this process; names are cut and cleaned where they are printed (figures.c).
 * A child inherits the descriptor and closes it as soon as it can: the page's process id tells whose it is. That is the
 * number in the process's own namespace, which is the last of the line NStgid of /proc/PID/status.
 *
 * Memory order: the loads of the sequence and of every word acquire; they pair with the release of the sequence and the
 * store fence in gc/stats_page.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "internal/atomic.h"
#include "tools/cli/cli.h"

#define LINK "/memfd:" TRI_STATS_PAGE_NAME " (deleted)"

/* Writing takes microseconds, but the writer may have to wait for a CPU, or be stopped. */
enum { TRIES = 1000, PAUSE_NS = 1000 * 1000 };
enum { WORDS = sizeof(struct tri_stats_page) / sizeof(uint64_t) };

enum verdict { NOT_A_PAGE, OF_ANOTHER, OTHER_VERSION, READ, NEVER_STILL };

static _Noreturn void fail_denied(int pid) {
  tri_cli_fail(TRI_CLI_NO_FIGURES, "process %d: no permission to look at it; be its user, or root", pid);
}

int tri_cli_open_process(int pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%d", pid);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) fail_denied(pid);
  if (fd < 0 && errno == ENOENT) tri_cli_fail(TRI_CLI_NO_FIGURES, "process %d: no such process", pid);
  if (fd < 0) tri_cli_fail(TRI_CLI_NO_FIGURES, "%s: %s", path, strerror(errno));
  return fd;
}

/* The number that the process has for itself; 0: it has ended, or is about to: its memory goes first, its descriptors
 * next, and only then is it a zombie. The kernel's own threads have no memory either. */
static unsigned long own_number(int process) {
  char text[4096];
  int fd = openat(process, "status", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  if (strstr(text, "\nState:\tZ") || strstr(text, "\nState:\tX")) return 0;
  if (!strstr(text, "\nVmSize:") && (size_t)n < sizeof text - 1) return 0;
  char *line = strstr(text, "\nNStgid:");
  if (!line) line = strstr(text, "\nTgid:"); /* a kernel without process namespaces */
  if (!line) return 0;
  line[1 + strcspn(line + 1, "\n")] = 0;
  char *last = strrchr(line, '\t');
  return last ? strtoul(last, NULL, 10) : 0;
}

static bool copy_at_rest(const struct tri_stats_page *page, struct tri_stats_page *ret) {
  const tri_aword *from = (const tri_aword *)page, *sequence = (const tri_aword *)&page->sequence;
  const struct timespec pause = {0, PAUSE_NS};
  uint64_t *to = (uint64_t *)ret;
  for (int i = 0; i < TRIES; i++) {
    uint64_t before = tri_load_acq(sequence);
    for (size_t w = 0; w < WORDS; w++) to[w] = tri_load_acq(&from[w]);
    if (before && before % 2 == 0 && tri_load_acq(sequence) == before) return true;
    nanosleep(&pause, NULL);
  }
  return false;
}

/* For OTHER_VERSION, ret->version tells which. */
static enum verdict read_mapped(const struct tri_stats_page *page, unsigned long number, struct tri_stats_page *ret) {
  if (memcmp(page->magic, TRI_STATS_PAGE_MAGIC, sizeof page->magic) != 0) return NOT_A_PAGE;
  if (page->pid != number) return OF_ANOTHER;
  ret->version = page->version;
  if (page->version != TRI_STATS_PAGE_VERSION || page->size != sizeof *page) return OTHER_VERSION;
  return copy_at_rest(page, ret) ? READ : NEVER_STILL;
}

static bool is_mappable(int fd) {
  struct stat st;
  int seals = fcntl(fd, F_GET_SEALS);
  return fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(struct tri_stats_page) && seals >= 0 &&
         (seals & F_SEAL_SHRINK);
}

static enum verdict read_file(int fd, unsigned long number, struct tri_stats_page *ret) {
  if (!is_mappable(fd)) return NOT_A_PAGE;
  void *page = mmap(NULL, sizeof(struct tri_stats_page), PROT_READ, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return NOT_A_PAGE;
  enum verdict v = read_mapped(page, number, ret);
  munmap(page, sizeof(struct tri_stats_page));
  return v;
}

static enum verdict read_link(int dir, const char *name, unsigned long number, struct tri_stats_page *ret) {
  char target[sizeof LINK];
  ssize_t n = readlinkat(dir, name, target, sizeof target);
  if (n != (ssize_t)strlen(LINK) || memcmp(target, LINK, (size_t)n) != 0) return NOT_A_PAGE;
  int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NOT_A_PAGE;
  enum verdict v = read_file(fd, number, ret);
  close(fd);
  return v;
}

/* Looks through the descriptors; the best of what was found. */
static enum verdict search(DIR *descriptors, unsigned long number, struct tri_stats_page *ret) {
  enum verdict best = NOT_A_PAGE;
  for (struct dirent *e; best != READ && (e = readdir(descriptors));) {
    enum verdict v = read_link(dirfd(descriptors), e->d_name, number, ret);
    if (v > best) best = v;
  }
  return best;
}

static DIR *open_descriptors(int process, int pid) {
  int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
  if (!d && (errno == EACCES || errno == EPERM)) fail_denied(pid);
  return d;
}

static _Noreturn void fail_unread(int pid, enum verdict v, const struct tri_stats_page *page) {
  if (v == OTHER_VERSION)
    tri_cli_fail(TRI_CLI_NO_FIGURES,
                 "process %d: its statistics have version %u of the format, this command knows %u; use the tricolor "
                 "command that came with its library",
                 pid, page->version, TRI_STATS_PAGE_VERSION);
  if (v == NEVER_STILL)
    tri_cli_fail(TRI_CLI_NO_FIGURES, "process %d: its statistics are half written for a second; is it stopped?", pid);
  tri_cli_fail(TRI_CLI_NO_FIGURES,
               "process %d: it shows no statistics: it does not run on Tricolor's heap, or has not collected yet, or "
               "runs with TRICOLOR=stats=off, or has closed the descriptor since its last collection",
               pid);
}

bool tri_cli_read_page(int process, int pid, struct tri_stats_page *ret) {
  unsigned long number = own_number(process);
  DIR *descriptors = number ? open_descriptors(process, pid) : NULL;
  if (!descriptors) return false;
  enum verdict v = search(descriptors, number, ret);
  closedir(descriptors);
  if (v != READ && own_number(process) == 0) return false;
  if (v != READ) fail_unread(pid, v, ret);
  return true;
}
