/*
 * A hash map that several threads use at once, without a lock. Each bucket holds a chain of entries that never change
 * once they are in it; who changes a bucket builds what is to be its chain and puts it in with tri_atomic_cas. Readers
 * just walk: the collector keeps what they look at, so there are neither reference counts nor hazard pointers, and a
 * chain that has been replaced cannot come back at the same address while somebody compares with it.
 *
 * Threads need not be announced, and the main thread's array of buckets is found by all through a global.
 *
 * Build it outside this tree with: cc -pthread map.c $(pkg-config --cflags --libs tricolor)
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <tricolor/tricolor.h>

enum { BUCKETS = 4096, KEYS = 16384, WRITERS = 2, READERS = 2, STEPS = 300000 };

struct value {
  uint64_t key, version;
};

struct entry {
  struct entry *next;
  struct value *value;
  uint64_t key;
};

struct map {
  struct entry *bucket[BUCKETS];
};

static struct map *map;
static uint64_t last_version[KEYS]; /* each is its writer's */
static int writers_left = WRITERS;

static void *need(void *p) {
  if (p == NULL) {
    perror("map");
    exit(1);
  }
  return p;
}

static struct entry **bucket_of(uint64_t key) {
  return &map->bucket[key * UINT64_C(0x9E3779B97F4A7C15) >> 52];
}

static struct entry *load(struct entry **slot) {
  return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static const struct value *map_get(uint64_t key) {
  for (const struct entry *e = load(bucket_of(key)); e != NULL; e = e->next)
    if (e->key == key) return e->value;
  return NULL;
}

/* A new object is this thread's alone until it is published: its fields are stored plainly. */
static struct entry *make(uint64_t key, struct value *value, struct entry *next) {
  struct entry *e = need(tri_alloc(sizeof *e));
  e->key = key;
  e->value = value;
  e->next = next;
  return e;
}

/* The chain without `key`: copies up to there, the rest as it is. */
static struct entry *without(struct entry *chain, uint64_t key) {
  const struct entry *found = chain;
  while (found != NULL && found->key != key) found = found->next;
  if (found == NULL) return chain;
  struct entry *copy = found->next;
  for (const struct entry *e = chain; e != found; e = e->next) copy = make(e->key, e->value, copy);
  return copy;
}

/* value NULL: removes the key. */
static void map_put(uint64_t key, struct value *value) {
  struct entry **bucket = bucket_of(key), *old, *chain;
  do {
    old = load(bucket);
    chain = without(old, key);
    if (value != NULL) chain = make(key, value, chain);
  } while (!tri_atomic_cas(bucket, old, chain));
}

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void *write_keys(void *arg) {
  uint64_t number = (uint64_t)(uintptr_t)arg, state = number + 1;
  for (uint64_t version = 1; version <= STEPS; version++) {
    uint64_t key = next_random(&state) % (KEYS / WRITERS) * WRITERS + number;
    struct value *v = NULL;
    if (next_random(&state) % 4 != 0) {
      v = need(tri_alloc_noscan(sizeof *v)); /* holds no pointers: never scanned */
      v->key = key;
      v->version = version;
    }
    map_put(key, v);
    last_version[key] = v != NULL ? version : 0;
  }
  __atomic_fetch_sub(&writers_left, 1, __ATOMIC_RELEASE);
  return NULL;
}

/* Counts what cannot be: a value of another key, or an older one than was seen before. */
static void *read_keys(void *arg) {
  uint64_t state = (uint64_t)(uintptr_t)arg + 100, wrong = 0;
  uint64_t *seen = need(tri_alloc_noscan(KEYS * sizeof *seen));
  for (size_t key = 0; key < KEYS; key++) seen[key] = 0;
  while (__atomic_load_n(&writers_left, __ATOMIC_ACQUIRE) > 0) {
    uint64_t key = next_random(&state) % KEYS;
    const struct value *v = map_get(key);
    if (v == NULL) continue;
    if (v->key != key || v->version < seen[key]) wrong++;
    seen[key] = v->version;
  }
  return (void *)(uintptr_t)wrong;
}

static uint64_t wrong_at_the_end(void) {
  uint64_t wrong = 0;
  for (uint64_t key = 0; key < KEYS; key++) {
    const struct value *v = map_get(key);
    if ((v != NULL ? v->version : 0) != last_version[key]) wrong++;
  }
  return wrong;
}

int main(void) {
  pthread_t thread[WRITERS + READERS];
  uint64_t wrong = 0;
  map = need(tri_alloc(sizeof *map));
  for (uintptr_t i = 0; i < WRITERS + READERS; i++) {
    if (pthread_create(&thread[i], NULL, i < WRITERS ? write_keys : read_keys, (void *)i) != 0) return 1;
  }
  for (int i = 0; i < WRITERS + READERS; i++) {
    void *result;
    pthread_join(thread[i], &result);
    wrong += (uint64_t)(uintptr_t)result;
  }
  wrong += wrong_at_the_end();

  struct tri_stats stats = {.size = sizeof stats};
  if (tri_read_stats(&stats) != 0) return 1;
  printf("%d steps by each of %d writers, %llu wrong, %lu collections\n", STEPS, WRITERS, (unsigned long long)wrong,
         stats.num_gc);
  return wrong == 0 && stats.num_gc > 1 ? 0 : 1;
}
