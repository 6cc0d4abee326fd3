/*
 * GOGC=off and a memory limit: LIVE MiB stay, two threads make garbage of all sizes for SECONDS, and a third looks how
 * much memory is in use, by the limit's own definition and resident. ALLOWED: MiB that neither may pass; 0: the live
 * data do not fit, and all that is asked for is that the program gets on.
 */
#include <pthread.h>
#include <time.h>

#include "support/probe.h"

enum { NODE = 256, THREADS = 2 };

struct node {
  struct node *next;
  char fill[NODE - sizeof(struct node *)];
};

static struct node *live;
static volatile bool stop;
static volatile unsigned long long made[THREADS];
static size_t most_mapped, most_resident;

static void *churn_forever(void *arg) {
  unsigned self = (unsigned)(uintptr_t)arg;
  uint64_t random = self + 1;
  while (!stop) {
    uint64_t r = probe_random(&random);
    size_t size = r % 64 == 0 ? 4096 + r % 100000 : 16 + (r >> 8) % 1000;
    char *volatile p = malloc(size);
    CHECK(p, "malloc(%zu)", size);
    p[0] = p[size - 1] = 1;
    made[self] += size;
  }
  return NULL;
}

static size_t resident(void) {
  size_t size = 0, pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  CHECK(f && fscanf(f, "%zu %zu", &size, &pages) == 2, "statm");
  fclose(f);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mapped(void) {
  struct tri_stats s;
  memset(&s, 0, sizeof s);
  s.size = sizeof s;
  if (!probe.read_stats || probe.read_stats(&s) != 0) return 0;
  return s.heap_sys - s.heap_released + s.meta_sys + s.offheap;
}

static void look(void) {
  size_t m = mapped(), r = resident();
  if (m > most_mapped) most_mapped = m;
  if (r > most_resident) most_resident = r;
}

static void fill(size_t mib) {
  for (size_t n = (mib << 20) / NODE; n > 0; n--) {
    struct node *p = malloc(sizeof *p);
    CHECK(p, "malloc");
    memset(p->fill, 1, sizeof p->fill);
    p->next = live;
    live = p;
  }
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  CHECK(argc == 4, "usage: LIVE SECONDS ALLOWED");
  size_t allowed = strtoul(argv[3], NULL, 10) << 20;
  pthread_t t[THREADS];
  fill(strtoul(argv[1], NULL, 10));
  double start = now(), end = start + strtod(argv[2], NULL);
  for (unsigned i = 0; i < THREADS; i++)
    CHECK(pthread_create(&t[i], NULL, churn_forever, (void *)(uintptr_t)i) == 0, "pthread_create");
  while (now() < end) {
    look();
    usleep(2000);
  }
  stop = true;
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  double rate = (double)(made[0] + made[1]) / (now() - start);
  printf("%lu cycles, %.0f MB/s, at most %.1f MiB in use, %.1f MiB resident\n", probe_cycles(), rate * 1e-6,
         (double)most_mapped / 1048576, (double)most_resident / 1048576);
  CHECK(made[0] && made[1], "a thread made nothing");
  if (allowed && probe_live()) {
    CHECK(most_mapped <= allowed, "%zu bytes in use", most_mapped);
    CHECK(most_resident <= allowed + ((size_t)6 << 20), "%zu bytes resident", most_resident); /* image, stacks */
  }
  puts("ok");
  return 0;
}
