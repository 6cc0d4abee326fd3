/*
 * /proc/self/maps and page presence, for the root scan of a stopped world. Plain system calls, static buffers, no
 * allocation, no locks: used by the one thread that runs a cycle. The calls are raw: the C library's are cancellation
 * points, and a thread that is cancelled here would leave the world stopped. /proc/thread-self, since /proc/self shows
 * no memory once the main thread has ended by pthread_exit.
 *
 * Presence comes from the PAGEMAP_SCAN ioctl (Linux 6.7) or, where it is missing, from the words of
 * /proc/self/pagemap (bit 63 present, 62 swapped, 61 file page or shared).
 */
#include "gc/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/os.h"

enum { READ_BUFFER = 1 << 16, SCAN_REGIONS = 512, PAGEMAP_WORDS = 4096 };

/* From linux/fs.h of Linux 6.7, which Debian 12's headers lack. */
struct page_region {
  uint64_t start, end, categories;
};
struct pm_scan_arg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define TRI_PAGEMAP_SCAN _IOWR('f', 16, struct pm_scan_arg)
enum { PAGE_IS_FILE = 1 << 2, PAGE_IS_PRESENT = 1 << 3, PAGE_IS_SWAPPED = 1 << 4 };

static int pagemap_fd = -1;
static bool have_scan = true;

static bool parse_hex(const char **p, uintptr_t *ret) {
  uintptr_t v = 0;
  const char *start = *p;
  for (;; (*p)++) {
    char c = **p;
    if (c >= '0' && c <= '9') {
      v = v * 16 + (uintptr_t)(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      v = v * 16 + (uintptr_t)(c - 'a' + 10);
    } else {
      break;
    }
  }
  *ret = v;
  return *p != start;
}

static bool starts_with(const char *s, const char *prefix) {
  return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void classify(struct tri_mapping *m, const char *path) {
  m->stack = strcmp(path, "[stack]") == 0;
  m->brk = strcmp(path, "[heap]") == 0;
  m->special = path[0] == '[' && !m->stack && !m->brk && !starts_with(path, "[anon");
  bool zero = starts_with(path, "/dev/zero");
  m->shared_anon =
      m->shared && (zero || starts_with(path, "/memfd:") || starts_with(path, "/SYSV") || starts_with(path, "[anon"));
  m->device = starts_with(path, "/dev/") && !zero && !starts_with(path, "/dev/shm/");
}

/* "lo-hi rwxp offset dev inode   path" */
static bool parse_line(const char *p, struct tri_mapping *m) {
  memset(m, 0, sizeof *m);
  if (!parse_hex(&p, &m->lo) || *p++ != '-' || !parse_hex(&p, &m->hi) || *p++ != ' ') return false;
  if (strnlen(p, 5) < 5) return false;
  m->readable = p[0] == 'r';
  m->writable = p[1] == 'w';
  m->executable = p[2] == 'x';
  m->shared = p[3] == 's';
  p += 5;
  for (int field = 0; field < 2; field++) {
    while (*p && *p != ' ') p++;
    while (*p == ' ') p++;
  }
  m->file = *p != '0' || (p[1] >= '0' && p[1] <= '9');
  while (*p && *p != ' ') p++;
  while (*p == ' ') p++;
  classify(m, p);
  return true;
}

static ssize_t read_some(int fd, char *buf, size_t size) {
  ssize_t n;
  do {
    n = syscall(SYS_read, fd, buf, size);
  } while (n < 0 && errno == EINTR);
  return n;
}

static bool each_line(int fd, bool (*fn)(const struct tri_mapping *, void *), void *arg) {
  static char buf[READ_BUFFER + 1];
  size_t have = 0;
  for (;;) {
    ssize_t n = read_some(fd, buf + have, READ_BUFFER - have);
    if (n < 0) return false;
    if (n == 0) return true;
    have += (size_t)n;
    char *line = buf, *end;
    while ((end = memchr(line, '\n', have - (size_t)(line - buf)))) {
      struct tri_mapping m;
      *end = 0;
      if (!parse_line(line, &m)) return false;
      if (!fn(&m, arg)) return true;
      line = end + 1;
    }
    have -= (size_t)(line - buf);
    if (have == READ_BUFFER) return false;
    memmove(buf, line, have);
  }
}

bool tri_maps_each(bool (*fn)(const struct tri_mapping *, void *), void *arg) {
  int saved_errno = errno;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0 && each_line(fd, fn, arg);
  if (fd >= 0) syscall(SYS_close, fd);
  errno = saved_errno;
  return ok;
}

bool tri_pages_open(void) {
  int saved_errno = errno;
  pagemap_fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC);
  errno = saved_errno;
  return pagemap_fd >= 0;
}

void tri_pages_close(void) {
  int saved_errno = errno;
  if (pagemap_fd >= 0) syscall(SYS_close, pagemap_fd);
  pagemap_fd = -1;
  errno = saved_errno;
}

static bool scan_by_ioctl(uintptr_t lo, uintptr_t hi, bool private_only, void (*fn)(uintptr_t, uintptr_t, void *),
                          void *arg) {
  static struct page_region regions[SCAN_REGIONS];
  while (lo < hi) {
    struct pm_scan_arg a = {.size = sizeof a,
                            .start = lo,
                            .end = hi,
                            .vec = (uintptr_t)regions,
                            .vec_len = SCAN_REGIONS,
                            .category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
                            .return_mask = PAGE_IS_PRESENT};
    if (private_only) {
      a.category_mask = PAGE_IS_FILE;
      a.category_inverted = PAGE_IS_FILE;
    }
    int n = ioctl(pagemap_fd, TRI_PAGEMAP_SCAN, &a);
    if (n < 0) return false;
    for (int i = 0; i < n; i++) fn(regions[i].start, regions[i].end, arg);
    if (a.walk_end <= lo) return true;
    lo = a.walk_end;
  }
  return true;
}

static bool page_counts(uint64_t word, bool private_only) {
  bool here = word >> 62 != 0;
  bool is_file = (word >> 61 & 1) != 0;
  return here && !(private_only && is_file);
}

static bool scan_by_words(uintptr_t lo, uintptr_t hi, bool private_only, void (*fn)(uintptr_t, uintptr_t, void *),
                          void *arg) {
  static uint64_t words[PAGEMAP_WORDS];
  size_t page = tri_os_page_size();
  uintptr_t run = 0;
  while (lo < hi) {
    size_t n = tri_min((hi - lo) / page, PAGEMAP_WORDS);
    ssize_t got = syscall(SYS_pread64, pagemap_fd, words, n * sizeof words[0], (off_t)(lo / page * sizeof words[0]));
    if (got <= 0) return false;
    n = (size_t)got / sizeof words[0];
    for (size_t i = 0; i < n; i++, lo += page) {
      bool counts = page_counts(words[i], private_only);
      if (counts && !run) run = lo;
      if (!counts && run) {
        fn(run, lo, arg);
        run = 0;
      }
    }
  }
  if (run) fn(run, hi, arg);
  return true;
}

struct clip {
  uintptr_t lo, hi;
  void (*fn)(uintptr_t lo, uintptr_t hi, void *);
  void *arg;
};

static void clipped(uintptr_t lo, uintptr_t hi, void *clip) {
  const struct clip *c = clip;
  c->fn(tri_max(lo, c->lo), tri_min(hi, c->hi), c->arg);
}

/* The kernel speaks of whole pages; the range may begin at a stack pointer. */
bool tri_pages_each(uintptr_t lo, uintptr_t hi, bool private_only, void (*fn)(uintptr_t lo, uintptr_t hi, void *),
                    void *arg) {
  int saved_errno = errno;
  bool ok = false;
  struct clip c = {lo, hi, fn, arg};
  lo = tri_align_down(lo, tri_os_page_size());
  hi = tri_align_up(hi, tri_os_page_size());
  if (have_scan) {
    ok = scan_by_ioctl(lo, hi, private_only, clipped, &c);
    if (!ok && (errno == ENOTTY || errno == EINVAL || errno == EPERM || errno == ENOSYS)) have_scan = false;
  }
  if (!ok) ok = scan_by_words(lo, hi, private_only, clipped, &c);
  errno = saved_errno;
  return ok;
}
