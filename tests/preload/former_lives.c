/*
 * What a block holds before the program has written to it is no pointer of the program's. Blocks full of pointers are
 * freed, their memory comes back as blocks of another size that are held and not written to, and what the old words
 * point to is handed out meanwhile and lost. With gccheckmark=1 a collection that takes old words for pointers in one
 * place and not in another ends the program.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "support/probe.h"

enum { SECONDS = 2, POINTERS = 19, HOLDERS = 2000, HELD = 200, BLOCK_BYTES = 2000 };

static atomic_bool done;
static _Atomic uintptr_t latest; /* address of a block, hidden */
static void *held[HELD];

static void *loser(void *arg) {
  while (!atomic_load(&done)) {
    void *p = malloc(BLOCK_BYTES);
    CHECK(p != NULL, "malloc");
    atomic_store(&latest, HIDE(p));
  }
  return arg;
}

NOINLINE static void leave_old_words(void) {
  static void **holders[HOLDERS];
  for (int i = 0; i < HOLDERS; i++) {
    holders[i] = malloc(POINTERS * sizeof(void *));
    CHECK(holders[i] != NULL, "malloc");
    uintptr_t target = (uintptr_t)UNHIDE(atomic_load(&latest));
    for (int k = 0; k < POINTERS; k++) holders[i][k] = (void *)(target + 32);
  }
  for (int i = 0; i < HOLDERS; i++) {
    free(holders[i]);
    holders[i] = NULL;
  }
}

/* Of a size that nobody has blocks of: in new spans. */
static void hold(size_t size) {
  struct timespec a_moment = {0, 200000};
  for (int i = 0; i < HELD; i++) {
    held[i] = malloc(size);
    if (i % 20 == 0) nanosleep(&a_moment, NULL);
  }
  for (int i = 0; i < HELD; i++) free(held[i]);
}

static void *holder(void *arg) {
  static const size_t sizes[] = {300, 400, 500, 600, 800, 1000, 1200, 1500, 2500, 3000};
  for (unsigned i = 0; !atomic_load(&done); i++) {
    leave_old_words();
    hold(sizes[i % (sizeof sizes / sizeof sizes[0])]);
  }
  return arg;
}

int main(void) {
  pthread_t t[2];
  CHECK(pthread_create(&t[0], NULL, loser, NULL) == 0, "pthread_create");
  CHECK(pthread_create(&t[1], NULL, holder, NULL) == 0, "pthread_create");
  struct timespec left = {SECONDS, 0};
  while (nanosleep(&left, &left) != 0) continue;
  atomic_store(&done, true);
  for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
  CHECK(!probe_live() || probe_cycles() > 1, "%lu collections", probe_cycles());
  puts("ok");
  return 0;
}
