/*
 * A program whose live bytes pass the runtime's steps where nothing is collected, and no thread started: in free()
 * alone, since each small block that it forgets comes between large ones that are freed at once; there, with no other
 * allocation after that than pthread_create's own ("create"); or where threads end ("end"). But by the next allocation,
 * or the next thread, it must be. BLOCKS blocks of SIZE bytes; 150 MiB are forgotten, or 60.
 */
#include <pthread.h>

#include "support/proc.h"

enum { FORGOTTEN = 100, MORE = 1000, MOST = 16, ALLOWED_MIB = 40, ENDING = 8, ENDING_BYTES = 3000 };

static char stack[256 << 10] __attribute__((aligned(4096)));

static void forget(size_t size) {
  volatile char *p = malloc(size);
  CHECK(p, "malloc");
  p[0] = 1;
}

static void use_and_free(size_t blocks, size_t size) {
  void *block[MOST];
  for (size_t i = 0; i < blocks; i++) CHECK((block[i] = malloc(size)) != NULL, "malloc");
  for (size_t i = 0; i < blocks; i++) free(block[i]);
}

static void *nothing(void *arg) {
  return arg;
}

static void *forget_some(void *arg) {
  for (int i = 0; i < ENDING; i++) forget(ENDING_BYTES);
  return arg;
}

static void run_thread(const pthread_attr_t *attr, void *(*fn)(void *)) {
  pthread_t t;
  CHECK(pthread_create(&t, attr, fn, NULL) == 0, "pthread_create");
  pthread_join(t, NULL);
}

static void create(size_t blocks, size_t size) {
  pthread_attr_t own_stack; /* the C library allocates for it each time */
  pthread_attr_init(&own_stack);
  CHECK(pthread_attr_setstack(&own_stack, stack, sizeof stack) == 0, "pthread_attr_setstack");
  for (size_t n = (60 << 20) / MORE; n > 0; n--) {
    forget(MORE);
    use_and_free(blocks, size);
    run_thread(&own_stack, nothing);
  }
}

static void end(void) {
  for (size_t n = (60 << 20) / (ENDING * ENDING_BYTES); n > 0; n--) run_thread(NULL, forget_some);
}

int main(int argc, char **argv) {
  size_t blocks = argc > 1 ? strtoul(argv[1], NULL, 10) : 4, size = argc > 2 ? strtoul(argv[2], NULL, 10) : 30000;
  const char *where = argc > 3 ? argv[3] : "free";
  CHECK(blocks <= MOST, "usage");
  if (strcmp(where, "create") == 0) {
    create(blocks, size);
  } else if (strcmp(where, "end") == 0) {
    end();
  } else {
    for (size_t n = (150 << 20) / FORGOTTEN; n > 0; n--) {
      forget(FORGOTTEN);
      use_and_free(blocks, size);
    }
  }
  size_t mib = proc_kib("/proc/self/status", "VmRSS") >> 10;
  if (mib >= ALLOWED_MIB) fprintf(stderr, "%zu MiB are resident, %lu collections\n", mib, probe_cycles());
  CHECK(mib < ALLOWED_MIB, "what the program forgot is still there");
  puts("ok");
  return 0;
}
