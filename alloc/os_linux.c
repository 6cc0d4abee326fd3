/*
 * The kernel's memory calls. Everything that the runtime maps goes through here: the heap's reserve and its tables
 * (mheap.c), chunks for runtime structs (fixalloc.c).
 *
 * A reservation is a PROT_NONE private mapping, which no limit but RLIMIT_AS charges; committing is mprotect, so growth
 * at the end of the committed part extends one mapping instead of making another.
 *
 * Invariants: errno is preserved by every function. System calls are raw, since the C library's names may be
 * interposed, by us too. No locks. No memory order. Callable before the C library is ready and in a signal handler.
 *
 * Forbidden here: logging, allocating, keeping a descriptor.
 */
#include "alloc/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal/atomic.h"

/* Large reservations get a random address between these: below where Linux puts programs and libraries on x86-64,
 * above the sanitizers' shadow. Small ones take the kernel's choice, so that they end up side by side. */
#define RANDOM_LO ((uintptr_t)0x110000000000)
#define RANDOM_HI ((uintptr_t)0x500000000000)
#define RANDOM_MIN_SIZE ((size_t)64 << 20)
/* madvise's MADV_COLLAPSE, which Debian 12's headers lack. */
enum { COLLAPSE = 25 };

size_t tri_os_page_size(void) {
  static tri_aword cached;
  size_t size = tri_load_rlx(&cached);
  if (size == 0) {
    int saved = errno;
    size = getauxval(AT_PAGESZ);
    if (size == 0) size = 4096;
    tri_store_rlx(&cached, size);
    errno = saved;
  }
  return size;
}

static uintptr_t random_hint(size_t size, size_t align) {
  uint64_t r;
  if (syscall(SYS_getrandom, &r, sizeof r, GRND_NONBLOCK) != (long)sizeof r) {
    struct timespec now = {0, 0};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    r = ((uint64_t)now.tv_nsec * 0x9E3779B97F4A7C15u) ^ (uint64_t)(uintptr_t)&now;
  }
  if (size > RANDOM_HI - RANDOM_LO) return 0;
  uintptr_t span = RANDOM_HI - RANDOM_LO - size;
  return tri_align_down(RANDOM_LO + r % (span + 1), align);
}

/* 0 when refused; no address below the first page is ever mapped. */
static uintptr_t map_none(uintptr_t hint, size_t size) {
  long p = syscall(SYS_mmap, hint, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == -1 ? 0 : (uintptr_t)p;
}

static void unmap(uintptr_t addr, size_t size) {
  if (size != 0) syscall(SYS_munmap, addr, size);
}

static void *reserve(size_t size, size_t align) {
  uintptr_t hint = size >= RANDOM_MIN_SIZE ? random_hint(size, align) : 0;
  uintptr_t p = map_none(hint, size);
  if (p == 0 || p % align == 0) return (void *)p;
  unmap(p, size);

  /* A kernel's choice that is not aligned: reserve more and cut. */
  size_t larger = size + align - tri_os_page_size();
  if (larger < size) return NULL;
  p = map_none(0, larger);
  if (p == 0) return NULL;
  uintptr_t start = tri_align_up(p, align);
  unmap(p, start - p);
  unmap(start + size, p + larger - (start + size));
  return (void *)start;
}

void *tri_os_reserve(size_t size, size_t align) {
  int saved = errno;
  size_t page = tri_os_page_size();
  size_t rounded = tri_align_up(size, page);
  void *p = rounded < size || rounded == 0 ? NULL : reserve(rounded, tri_max(align, page));
  errno = saved;
  return p;
}

bool tri_os_commit(void *addr, size_t size) {
  int saved = errno;
  bool ok = syscall(SYS_mprotect, addr, size, PROT_READ | PROT_WRITE) == 0;
  errno = saved;
  return ok;
}

bool tri_os_release(void *addr, size_t size) {
  int saved = errno;
  bool ok = syscall(SYS_madvise, addr, size, MADV_DONTNEED) == 0;
  errno = saved;
  return ok;
}

bool tri_os_release_lazily(void *addr, size_t size) {
  int saved = errno;
  bool ok = syscall(SYS_madvise, addr, size, MADV_FREE) == 0;
  errno = saved;
  return ok || tri_os_release(addr, size);
}

/* What one page of a page table maps. */
size_t tri_os_huge_page_size(void) {
  return tri_os_page_size() * (tri_os_page_size() / sizeof(uint64_t));
}

static enum tri_os_huge huge_failure(int error) {
  if (error == ENOSYS || error == EPERM) return TRI_OS_HUGE_NEVER;
  return error == ENOMEM || error == EBUSY ? TRI_OS_HUGE_NO_MEMORY : TRI_OS_HUGE_NOT_HERE;
}

enum tri_os_huge tri_os_make_huge(void *addr, size_t size) {
  int saved = errno;
  bool done = syscall(SYS_madvise, addr, size, COLLAPSE) == 0;
  enum tri_os_huge ret = done ? TRI_OS_HUGE_DONE : huge_failure(errno);
  errno = saved;
  return ret;
}

/* The file's text has the chosen word in brackets. */
bool tri_os_allows_huge(void) {
  int saved = errno;
  char text[64] = "";
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? syscall(SYS_read, fd, text, sizeof text - 1) : -1;
  if (fd >= 0) syscall(SYS_close, fd);
  errno = saved;
  return n > 0 && !strstr(text, "[never]");
}

void tri_os_forbid_huge(void *addr, size_t size) {
  int saved = errno;
  syscall(SYS_madvise, addr, size, MADV_NOHUGEPAGE);
  errno = saved;
}

void tri_os_unreserve(void *addr, size_t size) {
  int saved = errno;
  unmap((uintptr_t)addr, size);
  errno = saved;
}

/* The first number in /proc/self/statm: the size of the address space in pages. 0 when it cannot be read. */
static size_t address_space_pages(void) {
  char buf[64];
  long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  long n = syscall(SYS_read, fd, buf, sizeof buf);
  syscall(SYS_close, fd);
  size_t pages = 0;
  for (long i = 0; i < n && buf[i] >= '0' && buf[i] <= '9'; i++) pages = pages * 10 + (size_t)(buf[i] - '0');
  return pages;
}

size_t tri_os_address_space_left(void) {
  int saved = errno;
  struct rlimit64 limit;
  size_t left = SIZE_MAX;
  if (syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) == 0 && limit.rlim_cur != RLIM64_INFINITY) {
    size_t used = address_space_pages() * tri_os_page_size();
    left = limit.rlim_cur > used ? limit.rlim_cur - used : 0;
  }
  errno = saved;
  return left;
}
