/*
 * Large blocks from malloc that a marker beside the program must treat with care: with a page that cannot be read
 * (MADV_GUARD_INSTALL, where the kernel has it), while the program closes every descriptor that it does not know; and
 * sparse ones, freed and allocated again, of which no collection may touch more than the program did.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "support/probe.h"

#define GUARD_INSTALL 102
#define SPARSE ((size_t)512 << 20)
enum { DEPTH = 16, SECONDS = 2, BLOCK = 1 << 20, PAGE = 4096, TAIL = (192 << 10) - 8 };

struct node {
  struct node *left, *right;
  long fill[4];
};

static struct node *tree(int depth) {
  struct node *n = malloc(sizeof *n);
  CHECK(n, "malloc");
  n->left = depth ? tree(depth - 1) : NULL;
  n->right = depth ? tree(depth - 1) : NULL;
  n->fill[0] = depth;
  return n;
}

static void make_garbage(int n) {
  for (int i = 0; i < n; i++) {
    struct node *volatile p = malloc(48 + (size_t)i % 500);
    CHECK(p, "malloc");
    p->left = p->right = NULL;
  }
}

static atomic_bool done;

static void *closes(void *arg) {
  while (!atomic_load(&done)) {
    struct timespec moment = {0, 3000000};
    nanosleep(&moment, NULL);
    for (int fd = 1000; fd < 17000; fd++) close(fd);
  }
  return arg;
}

static void guarded(void) {
  static char *block, *tail;
  pthread_t t;
  struct timespec now, end;
  CHECK(posix_memalign((void **)&block, PAGE, BLOCK) == 0, "posix_memalign");
  CHECK(posix_memalign((void **)&tail, PAGE, TAIL) == 0, "posix_memalign");
  memset(block, 0, BLOCK);
  memset(tail, 0, TAIL);
  make_garbage(20000);
  madvise(block + 16 * PAGE, PAGE, GUARD_INSTALL); /* refused by older kernels */
  madvise(tail + 36 * PAGE, PAGE, GUARD_INSTALL);
  CHECK(pthread_create(&t, NULL, closes, NULL) == 0, "pthread_create");
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += SECONDS;
  do {
    make_garbage(20000);
    *(char *volatile *)block = block;
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec < end.tv_sec);
  atomic_store(&done, true);
  pthread_join(t, NULL);
}

static void sparse(void) {
  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < 20; i++) {
    char *volatile p = malloc(SPARSE);
    CHECK(p, "malloc");
    p[(size_t)i * PAGE] = 1;
    make_garbage(20000);
    free(p);
  }
  getrusage(RUSAGE_SELF, &after);
  CHECK(!probe_live() || after.ru_maxrss - before.ru_maxrss < 256 << 10, "RSS grew from %ld to %ld KiB",
        before.ru_maxrss, after.ru_maxrss);
}

int main(void) {
  static struct node *root;
  root = tree(DEPTH);
  sparse();
  guarded();
  CHECK(root->fill[0] == DEPTH, "the tree has changed");
  puts("ok");
  return 0;
}
