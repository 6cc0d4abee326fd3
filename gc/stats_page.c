/*
 * The statistics page: what tri_read_mem_stats and tri_read_metrics tell, in a sealed memfd that other processes of the
 * same user find in /proc/PID/fd and map read-only (tools/cli/stats.c). Nobody is asked, stopped or signalled for it.
 *
 *   cycle ended  ->  is the descriptor still ours?  no: a new memfd  ->  write
 *   a sweep ended, a setting changed, once a second while the program allocates (gc/monitor.c)  ->  write
 *
 * A program that never collects has neither page nor descriptor. A program that closes the descriptor hides the page
 * until its next cycle ends; the number may then be the program's, and is left alone (internal/hidden_fd.h).
 *
 * Invariants:
 *   [PAGE-1] only the process that made a page writes it. A child has no mapping of it (MADV_DONTFORK), and knows by
 *            its process id, whichever way it was forked. The place in its address space is free for the program then,
 *            so it is taken out of the table of our mappings before roots are listed.
 *   [PAGE-2] writing needs no memory: the pages are allocated with the file. Without that a write could end in SIGBUS.
 *   [PAGE-3] whatever is refused (no descriptor, RLIMIT_FSIZE, seccomp, an old kernel) means no page, and no message.
 *
 * Lock: the cycle lock guards all, and keeps stops away; below it those of the figures (the heap's) and ownmap's.
 * Memory order: `sequence` is odd while the page is written: stored, a store fence, the figures as plain stores, then
 * released. It pairs with the reader's acquire loads, in another process. A reader that meets a change begins anew.
 * Forbidden: allocating, and the C library's wrappers that are cancellation points.
 */
#include "gc/stats_page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/os.h"
#include "alloc/ownmap.h"
#include "gc/runtime.h"
#include "gc/stats.h"
#include "internal/atomic.h"
#include "internal/check.h"
#include "internal/clock.h"
#include "internal/hidden_fd.h"
#include "internal/memory_id.h"

/* Not in older headers. */
#define TRI_MFD_NOEXEC_SEAL 8u
#define TRI_F_SEAL_FUTURE_WRITE 16

static struct tri_hidden_fd file = {.fd = -1};
static struct tri_stats_page *page; /* NULL: none */
static unsigned long maker;         /* the process that made it; the page itself is not mapped in its children */
static tri_aint exists;             /* whether there is one, for those without the lock */

static size_t page_bytes(void) {
  return tri_align_up(sizeof(struct tri_stats_page), tri_os_page_size());
}

static unsigned long own_pid(void) {
  return (unsigned long)syscall(SYS_getpid);
}

/* Linux 6.3 wants to be told that nobody will execute it, older ones do not know the flag. */
static int create_file(void) {
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  long fd = syscall(SYS_memfd_create, TRI_STATS_PAGE_NAME, flags | TRI_MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL) fd = syscall(SYS_memfd_create, TRI_STATS_PAGE_NAME, flags);
  return (int)fd;
}

/* A file beyond the limit is answered with a signal that ends the program. */
static bool file_may_have(size_t bytes) {
  struct rlimit lim = {0, 0};
  return syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &lim) == 0 && lim.rlim_cur >= bytes;
}

/* The mapping that is there already stays writable. */
static bool seal(int fd) {
  int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  return syscall(SYS_fcntl, fd, F_ADD_SEALS, seals | TRI_F_SEAL_FUTURE_WRITE) == 0 ||
         syscall(SYS_fcntl, fd, F_ADD_SEALS, seals) == 0;
}

/* NULL: not to be had. */
static void *map_file(int fd, size_t bytes) {
  if (!file_may_have(bytes) || syscall(SYS_fallocate, fd, 0, 0L, bytes) != 0) return NULL;
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) return NULL;
  if (syscall(SYS_madvise, p, bytes, MADV_DONTFORK) == 0 && seal(fd) && tri_ownmap_add(p, bytes)) return p;
  munmap(p, bytes);
  return NULL;
}

static void forget(void) {
  if (page) tri_ownmap_remove(page, page_bytes());
  page = NULL;
  tri_int_store_rel(&exists, 0);
}

static void unmap(void) {
  struct tri_stats_page *p = page;
  forget();
  if (p) munmap(p, page_bytes());
}

static void label(struct tri_stats_page *p) {
  const char *name;
  memcpy(p->magic, TRI_STATS_PAGE_MAGIC, sizeof p->magic);
  p->version = TRI_STATS_PAGE_VERSION;
  p->size = sizeof *p;
  p->pid = maker = own_pid();
  p->mem.size = sizeof p->mem;
  for (size_t i = 0; (name = tri_metric_name(i)); i++)
    tri_format(p->metrics[i].name, sizeof p->metrics[i].name, "%s", name);
}

static void make(void) {
  int fd = create_file();
  if (fd < 0) return;
  page = map_file(fd, page_bytes());
  if (!page) {
    syscall(SYS_close, fd);
    return;
  }
  label(page);
  file = tri_hidden_fd_adopt(fd);
  if (file.fd < 0) {
    unmap();
  } else {
    tri_int_store_rel(&exists, 1);
  }
}

void tri_stats_page_after_fork(void) {
  forget();
  tri_hidden_fd_drop(&file);
}

/* A child in a namespace of its own may have its parent's number. */
void tri_stats_page_keep_own(void) {
  if (page && (maker != own_pid() || file.memory_id != tri_memory_id())) tri_stats_page_after_fork();
}

static void write_figures(struct tri_stats_page *p) {
  tri_aword *sequence = (tri_aword *)&p->sequence;
  tri_store_rlx(sequence, tri_load_rlx(sequence) + 1);
  tri_fence_store();
  p->written_ns = tri_now_ns();
  tri_stats_read_all(&p->mem, p->metrics);
  tri_store_rel(sequence, tri_load_rlx(sequence) + 1);
}

void tri_stats_page_write(void) {
  tri_stats_page_keep_own();
  if (page) write_figures(page);
}

void tri_stats_page_cycle_ended(void) {
  int saved_errno = errno;
  if (!tri_runtime_config()->stats_page) return;
  tri_stats_page_keep_own();
  if (!tri_hidden_fd_is_ours(&file)) {
    unmap();
    make();
  }
  if (page) write_figures(page);
  errno = saved_errno;
}

bool tri_stats_page_exists(void) {
  return tri_int_load_acq(&exists) != 0;
}
