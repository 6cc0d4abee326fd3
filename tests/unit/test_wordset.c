/* The word set against a plain array: puts, removals, growth that drops tombstones, and no memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/offheap.h"
#include "gc/wordset.h"
#include "tests/support/random.h"

enum { KEYS = 2000, STEPS = 100000 };

/* The off-heap arena. */
static bool refuse;
static int blocks;

void *tri_offheap_raw_alloc(size_t size) {
  void *p = refuse ? NULL : malloc(size);
  if (p == NULL) return NULL;
  blocks++;
  return memset(p, 0xee, size);
}

void tri_offheap_raw_free(void *p) {
  blocks -= p != NULL;
  free(p);
}

static uintptr_t values[KEYS + 1]; /* the model: value of key, or 0 */
static unsigned visits[KEYS + 1];

/* Values carry their key, so that a visit is known. */
static void visit(uintptr_t value, void *arg) {
  uintptr_t key = value % (KEYS + 1);
  cr_assert_eq(values[key], value, "key %zu", (size_t)key);
  visits[key]++;
  ++*(size_t *)arg;
}

static void compare(const struct tri_wordset *w) {
  size_t n = 0, expected = 0;
  memset(visits, 0, sizeof visits);
  tri_wordset_each(w, visit, &n);
  for (int k = 1; k <= KEYS; k++) {
    cr_assert_eq(visits[k], values[k] != 0, "key %d", k);
    expected += values[k] != 0;
  }
  cr_assert_eq(n, expected);
  cr_assert_eq(w->live, expected);
}

static void put(struct tri_wordset *w, uintptr_t key, uintptr_t version) {
  uintptr_t value = version * (KEYS + 1) + key;
  cr_assert(tri_wordset_put(w, key, value));
  values[key] = value;
}

Test(wordset, empty_set) {
  struct tri_wordset w = {0};
  tri_wordset_remove(&w, 5);
  compare(&w);
  put(&w, 5, 1);
  tri_wordset_remove(&w, 6);
  compare(&w);
}

Test(wordset, the_last_value_counts) {
  struct tri_wordset w = {0};
  put(&w, 7, 1);
  put(&w, 7, 2);
  compare(&w);
  tri_wordset_remove(&w, 7);
  values[7] = 0;
  compare(&w);
  tri_wordset_remove(&w, 7);
  put(&w, 7, 3);
  compare(&w);
}

Test(wordset, keys_like_addresses) {
  struct tri_wordset w = {0};
  for (uint64_t i = 1; i <= KEYS; i++) {
    uintptr_t value = (KEYS + 1) + i;
    cr_assert(tri_wordset_put(&w, ((uint64_t)0xc0 << 32) + i * 4096, value));
    values[i] = value;
  }
  compare(&w);
}

Test(wordset, tombstones_do_not_fill_it) {
  struct tri_wordset w = {0};
  for (uintptr_t i = 0; i < 100000; i++) {
    put(&w, 1 + i % KEYS, 1);
    tri_wordset_remove(&w, 1 + i % KEYS);
    values[1 + i % KEYS] = 0;
  }
  cr_assert_leq(w.capacity, 256, "one key at a time, but %zu entries", w.capacity);
  compare(&w);
  cr_assert_eq(blocks, 1);
}

Test(wordset, no_memory_keeps_what_is_there) {
  struct tri_wordset w = {0};
  refuse = true;
  cr_assert_not(tri_wordset_put(&w, 1, 1));
  refuse = false;
  put(&w, 1, 1);
  refuse = true;
  uintptr_t k = 2;
  for (; tri_wordset_put(&w, k, (KEYS + 1) + k); k++) values[k] = (KEYS + 1) + k;
  cr_assert_gt(k, 40);
  compare(&w);
  refuse = false;
  put(&w, k, 1);
  compare(&w);
}

Test(wordset, random_operations) {
  struct test_random r = test_random_seeded("test_wordset");
  struct tri_wordset w = {0};
  for (int step = 0; step < STEPS; step++) {
    uintptr_t key = 1 + test_random_below(&r, step / 20000 % 2 ? 50 : KEYS);
    if (test_random_below(&r, 100) < (step / 10000 % 2 ? 30u : 60u)) {
      put(&w, key, (uintptr_t)step + 1);
    } else {
      tri_wordset_remove(&w, key);
      values[key] = 0;
    }
    if (step % 1000 == 0) compare(&w);
  }
  compare(&w);
  cr_assert_eq(blocks, 1);
}
