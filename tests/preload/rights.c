/*
 * Pages from malloc that lose their rights while the collector marks beside the program: it must not read them then.
 * Two threads keep a structure alive that takes a while to mark, and leak, so that cycles follow each other; another
 * takes the rights from a page in the middle of a live object, and gives them back.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "support/probe.h"

enum { SECONDS = 3, NODES = 200000, PAGE = 4096, PAGES = 16 };

struct node {
  struct node *next;
  char fill[56];
};

static atomic_bool done;
static struct node *list;

static void build(void) {
  for (int i = 0; i < NODES; i++) {
    struct node *n = calloc(1, sizeof *n);
    CHECK(n, "calloc");
    n->next = list;
    list = n;
  }
}

static void *leaker(void *arg) {
  while (!atomic_load(&done)) {
    for (int i = 0; i < 1000; i++) {
      volatile char *p = malloc(500);
      CHECK(p, "malloc");
      p[0] = 1;
    }
  }
  return arg;
}

static void take_and_give(char *object) {
  CHECK(mprotect(object + 4 * PAGE, PAGE, PROT_NONE) == 0, "errno %d", errno);
  CHECK(mprotect(object + 4 * PAGE, PAGE, PROT_READ) == 0, "errno %d", errno);
  CHECK(mprotect(object + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0, "errno %d", errno);
}

int main(void) {
  pthread_t t[2];
  struct timespec now, end;
  char *object = NULL;
  build();
  CHECK(posix_memalign((void **)&object, PAGE, PAGES * PAGE) == 0, "posix_memalign");
  memset(object, 7, PAGES * PAGE);
  errno = 0;
  CHECK(mprotect(object + 1, PAGE, PROT_NONE) == -1 && errno == EINVAL, "errno %d", errno);
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&t[i], NULL, leaker, NULL) == 0, "pthread_create");
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += SECONDS;
  do {
    for (int i = 0; i < 20; i++) take_and_give(object);
    CHECK(object[4 * PAGE] == 7 && object[PAGES * PAGE - 1] == 7, "the object has changed");
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec < end.tv_sec);
  atomic_store(&done, true);
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
  CHECK(!probe_live() || probe_cycles() > 3, "%lu collections", probe_cycles());
  puts("ok");
  return 0;
}
