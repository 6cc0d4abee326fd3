/*
 * For the thread sanitizer: threads with caches of their own allocate, hand objects round and free each other's, and at
 * each pause what nobody holds is dropped by a flip, to be swept while all go on. Stands on the archive of alloc/
 * alone: the whole library interposes calls that the sanitizer makes before it is ready, and stops threads by a signal,
 * which it holds back.
 *
 * What it proves: memory that one thread freed, or a sweep reclaimed, was given to another in order. The program's own
 * plain writes to a slot, before and after, are what must not race.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc_port.h"
#include "alloc/mcache.h"
#include "alloc/mcentral.h"
#include "alloc/mheap.h"
#include "internal/check.h"
#include "internal/state.h"

enum { THREADS = 4, PLACES = 256, PAUSES = 6 };

struct place {
  pthread_mutex_t lock;
  unsigned char *object;
  size_t size;
};

static struct place places[PLACES];
static struct tri_mcache caches[THREADS];
static pthread_barrier_t pause_begin, pause_end;
static long steps = 6000;

void tri_port_heap_grew(uint64_t heap_live, int64_t grown) {
  (void)heap_live;
}

static unsigned next(unsigned *state) {
  *state = *state * 1103515245u + 12345u;
  return *state >> 8;
}

static void free_object(struct tri_mcache *cache, unsigned char *object) {
  struct tri_mspan *s = tri_mheap_span_of((uintptr_t)object);
  tri_check(s && tri_mcentral_ensure_swept(s));
  uint32_t i = tri_mspan_index(s, (uintptr_t)object);
  struct tri_bitgroup *g = &s->bits[i / 64];
  uint64_t bit = (uint64_t)1 << (i % 64);
  tri_check(tri_mspan_slot(s, i) == (uintptr_t)object);
  if (tri_load_acq(&s->owner) == tri_load_rlx(&cache->token)) {
    tri_mcache_free(cache, s, g, bit, (uintptr_t)object);
  } else {
    tri_check((tri_fetch_or_acq_rel(&g->rfree, bit) & bit) == 0);
    tri_mcentral_notify_rfree(s);
  }
}

/* Swaps a new object into a place and frees the one that was there, whoever made it. */
static void step(struct tri_mcache *cache, unsigned *state) {
  unsigned c = tri_size_class((size_t)16 << next(state) % 8), kind = next(state) % 3;
  unsigned spanclass = kind < 2 ? c * 2 + kind : tri_spanclass_typed(c);
  unsigned char *object = tri_mcache_alloc(cache, spanclass);
  tri_check(object != NULL);
  size_t size = tri_class_size[c];
  memset(object, (int)(next(state) & 0x7f), size);
  struct place *place = &places[next(state) % PLACES];
  pthread_mutex_lock(&place->lock);
  unsigned char *old = place->object;
  size_t old_size = place->size;
  place->object = object;
  place->size = size;
  pthread_mutex_unlock(&place->lock);
  if (old == NULL) return;
  tri_check(old[0] == old[old_size - 1]);
  memset(old, 0xaa, old_size);
  free_object(cache, old);
}

static void mark(const unsigned char *object) {
  struct tri_mspan *s = tri_mheap_span_of((uintptr_t)object);
  uint32_t i = tri_mspan_index(s, (uintptr_t)object);
  tri_fetch_or_rlx(&s->bits[i / 64].mark, (uint64_t)1 << (i % 64));
}

/* A cycle with the other threads waiting: every third object is leaked, the rest marked, all caches taken away. */
static void collect(unsigned *state) {
  for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) {
    while (tri_mcentral_sweep_some(c, 1)) continue;
  }
  for (size_t i = 0; i < PLACES; i++) {
    if (next(state) % 3 == 0) places[i].object = NULL;
    if (places[i].object != NULL) mark(places[i].object);
  }
  for (size_t i = 0; i < THREADS; i++) tri_mcache_discard_stw(&caches[i]);
  tri_mcentral_flip_stw();
  tri_int_store_rel(&tri_state.sweepgen, tri_int_load_rlx(&tri_state.sweepgen) + 2);
}

static void *run(void *arg) {
  size_t self = (size_t)arg;
  unsigned state = (unsigned)self + 1;
  for (int n = 0; n < PAUSES; n++) {
    for (long i = 0; i < steps; i++) step(&caches[self], &state);
    tri_mcache_flush(&caches[self]);
    pthread_barrier_wait(&pause_begin);
    if (self == 0) collect(&state);
    pthread_barrier_wait(&pause_end);
    if (self == 1) { /* sweeps beside the others, as a background sweeper does */
      for (unsigned c = 0; c < TRI_NUM_SPANCLASSES; c++) {
        while (tri_mcentral_sweep_some(c, 1)) continue;
      }
    }
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc > 1) steps = strtol(argv[1], NULL, 10);
  tri_check(tri_mheap_init((size_t)1 << 30));
  tri_store_rlx(&tri_state.trigger, UINT64_MAX);
  pthread_barrier_init(&pause_begin, NULL, THREADS);
  pthread_barrier_init(&pause_end, NULL, THREADS);
  for (size_t i = 0; i < PLACES; i++) pthread_mutex_init(&places[i].lock, NULL);
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) tri_mcache_init(&caches[i]);
  for (size_t i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, run, (void *)i) != 0) return 1;
  }
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  for (size_t i = 0; i < PLACES; i++) {
    if (places[i].object != NULL) tri_check(places[i].object[0] == places[i].object[places[i].size - 1]);
  }
  puts("ok");
  return 0;
}
