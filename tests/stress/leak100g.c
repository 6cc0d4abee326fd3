/*
 * The leak: N GB allocated in all, 64 MiB live at any time, in 4 threads. What leaves the live window is forgotten, or,
 * with the second argument "free", freed, for comparison.
 *
 *   leak100g [GB [leak|free [fill|ends]]]
 *
 * With STRESS_API the objects are the API's, stored through the write barrier.
 *
 * Prints the time and the peak RSS. Sizes go from 16 bytes to 60 KiB. Each object is filled when it is allocated and
 * read through when it leaves the window; with "ends" only its first and last byte are, so that the program does next
 * to nothing but allocate: the worst case for a collector, which has to read the rest as well.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

#include "stress/memory.h"

#define THREADS 4
#define LIVE ((size_t)64 << 20)
enum { PLAIN = 3 }; /* of memory_get: malloc, tri_alloc */
#define WINDOW 8192 /* objects per thread; the mean size makes the window a quarter of LIVE */

struct window {
  uint64_t bytes; /* still to allocate */
  uint64_t random;
  bool honest, fill;
  unsigned char *object[WINDOW];
  uint32_t size[WINDOW];
};

/* Mean 2 KiB: LIVE / THREADS / WINDOW. */
static uint32_t next_size(uint64_t *random) {
  uint64_t r = probe_random(random);
  uint32_t kind = (uint32_t)(r >> 32) % 1000;
  uint32_t low = (uint32_t)r;
  if (kind < 700) return 16 + low % 481;
  if (kind < 960) return 512 + low % 3585;
  return 4096 + low % 57345;
}

static bool whole(const unsigned char *p, uint32_t size, unsigned char content) {
  return p[0] == content && memcmp(p, p + 1, size - 1) == 0;
}

static void check(const struct window *w, unsigned i) {
  const unsigned char *p = w->object[i];
  uint32_t size = w->size[i];
  unsigned char content = (unsigned char)i;
  bool ok = w->fill ? whole(p, size, content) : p[0] == content && p[size - 1] == content;
  CHECK(ok, "object of %u bytes was overwritten", size);
}

static void replace(struct window *w, unsigned i, uint32_t size) {
  unsigned char *old = w->object[i];
  if (old != NULL) {
    check(w, i);
    if (w->honest) memory_free(old);
  }
  unsigned char *p = memory_get(PLAIN, 0, size);
  CHECK(p != NULL, "no %u bytes", size);
  if (w->fill) {
    memset(p, (unsigned char)i, size);
  } else {
    p[0] = p[size - 1] = (unsigned char)i;
  }
  memory_store(&w->object[i], p);
  w->size[i] = size;
}

static void *leak(void *argument) {
  struct window *w = argument;
  for (unsigned i = 0; w->bytes > 0; i = (i + 1) % WINDOW) {
    uint32_t size = next_size(&w->random);
    replace(w, i, size);
    w->bytes -= size < w->bytes ? size : w->bytes;
  }
  return NULL;
}

int main(int argc, char **argv) {
  static struct window windows[THREADS];
  pthread_t t[THREADS];
  struct rusage usage;
  struct timespec from, to;
  double gigabytes = argc > 1 ? atof(argv[1]) : 1;
  bool honest = argc > 2 && strcmp(argv[2], "free") == 0;
  bool fill = argc <= 3 || strcmp(argv[3], "fill") == 0;
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (unsigned i = 0; i < THREADS; i++) {
    windows[i].bytes = (uint64_t)(gigabytes * 1e9 / THREADS);
    windows[i].random = i + 1;
    windows[i].honest = honest;
    windows[i].fill = fill;
    CHECK(pthread_create(&t[i], NULL, leak, &windows[i]) == 0, "pthread_create");
  }
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &to);
  getrusage(RUSAGE_SELF, &usage);
  double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
  printf("%g GB %s%s in %.2f s, peak RSS %ld MiB, %lu collections\nok\n", gigabytes, honest ? "freed" : "leaked",
         fill ? "" : " (ends only)", seconds, usage.ru_maxrss >> 10, memory_cycles());
  return 0;
}
