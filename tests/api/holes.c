/*
 * Large objects of which few pages were ever touched, with pages in them that nobody may read, in a program that closes
 * the collector's descriptors while it marks: nothing unreadable is read, nothing becomes present, nothing is lost.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/probe.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum { NODES = 300000, CHAINS = 64, LARGE = 16 << 20, LARGES = 32, PAGE = 4096, COLLECTIONS = 60, MOST_MIB = 200 };

struct node {
  struct node *next;
  char fill[56];
};

static struct node *chains[CHAINS];
static char *large[LARGES];
static atomic_bool stop;

static void *close_all_but_three(void *unused) {
  while (!atomic_load(&stop)) {
    syscall(SYS_close_range, 3, ~0u, 0);
    usleep(50);
  }
  return unused;
}

static void build(void) {
  for (int i = 0; i < NODES; i++) {
    struct node *n = tri_alloc(sizeof *n);
    tri_write(&n->next, chains[i % CHAINS]);
    tri_write(&chains[i % CHAINS], n);
  }
  for (int i = 0; i < LARGES; i++) {
    tri_write(&large[i], tri_alloc(LARGE));
    memset(large[i], 1, PAGE);
    tri_write((void **)(large[i] + LARGE / 2), large[(i + 1) % LARGES]);
    char *hole = (char *)(((uintptr_t)large[i] + LARGE / 4) & ~(uintptr_t)(PAGE - 1));
    CHECK(madvise(hole, PAGE, MADV_GUARD_INSTALL) == 0 || errno == EINVAL, "madvise: errno %d", errno);
  }
}

int main(void) {
  pthread_t closer;
  struct rusage used;
  build();
  tri_gc();
  CHECK(pthread_create(&closer, NULL, close_all_but_three, NULL) == 0, "pthread_create");
  for (int i = 0; i < COLLECTIONS; i++) tri_gc();
  atomic_store(&stop, true);
  pthread_join(closer, NULL);
  for (int i = 0; i < LARGES; i++) CHECK(large[i][PAGE - 1] == 1, "object %d was overwritten", i);
  CHECK(getrusage(RUSAGE_SELF, &used) == 0 && used.ru_maxrss < MOST_MIB * 1024L, "%ld KiB are present", used.ru_maxrss);
  puts("ok");
  return 0;
}
