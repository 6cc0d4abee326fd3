/* Fixed-size objects and persistent bytes. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "alloc/fixalloc.h"
#include "alloc/ownmap.h"

static bool is_own(const void *p) {
  uintptr_t lo, hi;
  return tri_ownmap_next((uintptr_t)p, &lo, &hi) && lo <= (uintptr_t)p;
}

Test(fixalloc, sizes_are_rounded_and_aligned) {
  struct tri_fixalloc small = TRI_FIXALLOC_INIT(20), large = TRI_FIXALLOC_INIT(100);
  for (int i = 0; i < 100; i++) {
    cr_assert_eq((uintptr_t)tri_fixalloc_alloc(&small) % 16, 0);
    cr_assert_eq((uintptr_t)tri_fixalloc_alloc(&large) % 64, 0);
  }
  cr_assert_eq(small.size, 32);
  cr_assert_eq(large.size, 128);
  cr_assert_eq(large.inuse_bytes, 12800);
}

Test(fixalloc, new_objects_are_zero_and_own) {
  struct tri_fixalloc f = TRI_FIXALLOC_INIT(192);
  char zero[192] = {0};
  for (int i = 0; i < 5000; i++) {
    char *p = tri_fixalloc_alloc(&f);
    cr_assert(p != NULL && is_own(p) && is_own(p + 191));
    cr_assert_eq(memcmp(p, zero, sizeof zero), 0, "objects overlap or are dirty");
    memset(p, 0xAA, sizeof zero);
  }
}

Test(fixalloc, reused_objects_keep_all_but_the_first_word) {
  struct tri_fixalloc f = TRI_FIXALLOC_INIT(64);
  uint64_t *a = tri_fixalloc_alloc(&f), *b = tri_fixalloc_alloc(&f);
  for (int i = 0; i < 8; i++) a[i] = b[i] = 77;
  tri_fixalloc_free(&f, a);
  tri_fixalloc_free(&f, b);
  cr_assert_eq(f.inuse_bytes, 0);
  uint64_t *again = tri_fixalloc_alloc(&f);
  cr_assert(again == a || again == b);
  for (int i = 1; i < 8; i++) cr_assert_eq(again[i], 77);
}

Test(fixalloc, objects_larger_than_a_chunk) {
  struct tri_fixalloc f = TRI_FIXALLOC_INIT(100000);
  char *a = tri_fixalloc_alloc(&f), *b = tri_fixalloc_alloc(&f);
  memset(a, 1, 100000);
  memset(b, 2, 100000);
  cr_assert_eq(a[99999], 1);
}

Test(persistent, is_aligned_zeroed_and_counted) {
  size_t before = tri_persistent_bytes();
  for (int i = 0; i < 100; i++) {
    char *p = tri_persistent_alloc(50001);
    cr_assert(p != NULL && (uintptr_t)p % 64 == 0 && is_own(p) && is_own(p + 50000));
    for (int k = 0; k < 50001; k += 100) cr_assert_eq(p[k], 0);
    memset(p, 0xFF, 50001);
  }
  cr_assert_geq(tri_persistent_bytes() - before, 100 * 50001);
  cr_assert_leq(tri_persistent_bytes() - before, 100 * 50001 + 3 * ((size_t)2 << 20));
}

Test(persistent, impossible_sizes_give_null) {
  cr_assert_null(tri_persistent_alloc(0));
  cr_assert_null(tri_persistent_alloc(SIZE_MAX));
  cr_assert_null(tri_persistent_alloc(SIZE_MAX / 4));
  cr_assert_not_null(tri_persistent_alloc(64));
}

static struct tri_fixalloc shared = TRI_FIXALLOC_INIT(1024);

static void *churn(void *arg) {
  uint64_t *held[200];
  uint64_t me = (uint64_t)(uintptr_t)arg;
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 200; i++) {
      held[i] = tri_fixalloc_alloc(&shared);
      held[i][0] = held[i][127] = me;
    }
    for (int i = 0; i < 200; i++) {
      if (held[i][0] != me || held[i][127] != me) return (void *)1;
      tri_fixalloc_free(&shared, held[i]);
    }
  }
  return NULL;
}

Test(fixalloc, threads_never_share_an_object) {
  pthread_t t[4];
  void *result;
  for (uintptr_t i = 0; i < 4; i++) cr_assert_eq(pthread_create(&t[i], NULL, churn, (void *)(i + 1)), 0);
  for (int i = 0; i < 4; i++) {
    pthread_join(t[i], &result);
    cr_assert_null(result);
  }
  cr_assert_eq(shared.inuse_bytes, 0);
}
