/* The emergency region: aligned, zeroed, disjoint blocks; whole again when the last is freed; one line when used up;
 * usable from many threads. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "gc/emergency.h"
#include "internal/atomic.h"

enum { REGION = 4 << 20, THREADS = 4, ROUNDS = 20000 };

static bool all_are(const unsigned char *p, size_t size, unsigned char c) {
  for (size_t i = 0; i < size; i++)
    if (p[i] != c) return false;
  return true;
}

Test(emergency, blocks_are_aligned_zeroed_disjoint_and_sized) {
  unsigned char *p[100];
  size_t size[100];
  for (size_t i = 0; i < 100; i++) {
    size_t align = (size_t)1 << i % 15;
    size[i] = i * 7;
    p[i] = tri_emergency_alloc(align, size[i]);
    cr_assert_not_null(p[i]);
    cr_assert_eq((uintptr_t)p[i] % tri_max(align, 16), 0);
    cr_assert(tri_emergency_owns(p[i]));
    cr_assert(all_are(p[i], size[i], 0));
    memset(p[i], (int)i + 1, size[i]);
  }
  for (size_t i = 0; i < 100; i++) {
    cr_assert_eq(tri_emergency_size(p[i]), size[i]);
    cr_assert(all_are(p[i], size[i], (unsigned char)(i + 1)), "block %zu was overwritten", i);
  }
}

Test(emergency, owns_nothing_else) {
  int local;
  unsigned char *p = tri_emergency_alloc(16, 1);
  cr_assert_not(tri_emergency_owns(&local));
  cr_assert_not(tri_emergency_owns(NULL));
  cr_assert_not(tri_emergency_owns(p + REGION));
  cr_assert_not(tri_emergency_owns(p - 4096));
}

Test(emergency, is_whole_again_after_the_last_free) {
  void *first = tri_emergency_alloc(16, 100), *second = tri_emergency_alloc(16, 100);
  memset(second, 0xee, 100);
  tri_emergency_free(first);
  void *third = tri_emergency_alloc(16, 100);
  cr_assert(third > second, "a block is still in use");
  tri_emergency_free(third);
  tri_emergency_free(second);
  cr_assert_eq(tri_emergency_alloc(16, 50), first);
  unsigned char *again = tri_emergency_alloc(16, 500);
  cr_assert(all_are(again, 500, 0), "used memory comes back zeroed");
}

static char said[1000];

static void *alloc_and_listen(size_t size) {
  int p[2], old = dup(2);
  cr_assert_eq(pipe2(p, O_NONBLOCK), 0);
  dup2(p[1], 2);
  void *block = tri_emergency_alloc(16, size);
  dup2(old, 2);
  ssize_t n = read(p[0], said, sizeof said - 1);
  said[n > 0 ? n : 0] = 0;
  close(p[0]), close(p[1]), close(old);
  return block;
}

Test(emergency, used_up_is_enomem_and_said_once) {
  void *big = tri_emergency_alloc(16, REGION - 16);
  cr_assert_not_null(big, "the whole region but a header");
  errno = 0;
  cr_assert_null(alloc_and_listen(1));
  cr_assert_eq(errno, ENOMEM);
  cr_assert_not_null(strstr(said, "signal handlers"));
  cr_assert_eq(strchr(said, '\n'), said + strlen(said) - 1, "one line: %s", said);
  cr_assert_null(alloc_and_listen(1));
  cr_assert_str_empty(said);
  tri_emergency_free(big);
  cr_assert_not_null(tri_emergency_alloc(16, 1));
}

Test(emergency, impossible_sizes) {
  cr_assert_null(tri_emergency_alloc(16, REGION));
  cr_assert_null(tri_emergency_alloc(16, SIZE_MAX));
  cr_assert_null(tri_emergency_alloc(16, SIZE_MAX - 100));
  cr_assert_null(tri_emergency_alloc(REGION * 4, SIZE_MAX / 2));
  cr_assert_not_null(tri_emergency_alloc(16, 0));
}

static tri_aint bad;

static void *user(void *arg) {
  unsigned char mine = (unsigned char)(uintptr_t)arg;
  for (int i = 0; i < ROUNDS; i++) {
    size_t size = 1 + (size_t)i % 200;
    unsigned char *p = tri_emergency_alloc(16, size);
    if (!p) continue; /* the others keep the region from being whole again */
    if (!all_are(p, size, 0)) tri_int_store_rel(&bad, 1);
    memset(p, mine, size);
    if (!all_are(p, size, mine) || tri_emergency_size(p) != size) tri_int_store_rel(&bad, 2);
    tri_emergency_free(p);
  }
  return NULL;
}

Test(emergency, threads_get_disjoint_blocks, .timeout = 60) {
  pthread_t t[THREADS];
  for (uintptr_t i = 0; i < THREADS; i++) cr_assert_eq(pthread_create(&t[i], NULL, user, (void *)(i + 1)), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
  cr_assert_eq(bad, 0);
  tri_emergency_free(tri_emergency_alloc(16, 1));
  cr_assert_not_null(tri_emergency_alloc(16, REGION - 16), "whole again");
}
