/* Off-heap memory: counts, contracts, own mappings, threads that come and go, fork, and deafness to MALLOC_CONF. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc/offheap.h"
#include "alloc/ownmap.h"
#include "internal/atomic.h"
#include "tricolor/tricolor.h"

static bool in_ownmap(const void *p, size_t size) {
  uintptr_t lo, hi, first = (uintptr_t)p;
  return tri_ownmap_next(first, &lo, &hi) && lo <= first && first + size <= hi;
}

Test(offheap, counts_usable_sizes) {
  cr_assert_eq(tri_offheap_bytes(), 0);
  void *a = tri_offheap_raw_alloc(1);
  size_t smallest = tri_offheap_bytes();
  cr_assert(smallest >= 1 && smallest <= 16);
  void *b = tri_offheap_raw_alloc(100000);
  cr_assert_geq(tri_offheap_bytes(), smallest + 100000);
  cr_assert_leq(tri_offheap_bytes(), smallest + 125000);
  tri_offheap_raw_free(b);
  cr_assert_eq(tri_offheap_bytes(), smallest);
  tri_offheap_raw_free(a);
  tri_offheap_raw_free(NULL);
  cr_assert_eq(tri_offheap_bytes(), 0);
}

Test(offheap, size_zero_gives_distinct_objects) {
  void *a = tri_offheap_raw_alloc(0), *b = tri_offheap_raw_alloc(0);
  cr_assert(a != NULL && b != NULL && a != b);
  tri_offheap_raw_free(a);
  tri_offheap_raw_free(b);
}

Test(offheap, realloc_keeps_the_bytes_and_the_count) {
  unsigned char *p = tri_offheap_raw_realloc(NULL, 10);
  for (int i = 0; i < 10; i++) p[i] = (unsigned char)i;
  for (size_t size = 20; size < 40 << 20; size *= 3) {
    p = tri_offheap_raw_realloc(p, size);
    cr_assert_not_null(p);
    for (int i = 0; i < 10; i++) cr_assert_eq(p[i], i);
    memset(p + 10, 0xee, size - 10);
    cr_assert(tri_offheap_bytes() >= size && tri_offheap_bytes() <= size + size / 4 + 16);
  }
  p = tri_offheap_raw_realloc(p, 10);
  for (int i = 0; i < 10; i++) cr_assert_eq(p[i], i);
  cr_assert_leq(tri_offheap_bytes(), 16);
  cr_assert_null(tri_offheap_raw_realloc(p, 0));
  cr_assert_eq(tri_offheap_bytes(), 0);
}

Test(offheap, impossible_sizes_are_enomem_and_errno_is_else_kept) {
  const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX + 1, (size_t)1 << 52};
  char *kept = tri_offheap_raw_alloc(64);
  size_t before = tri_offheap_bytes();
  strcpy(kept, "kept");
  for (size_t i = 0; i < TRI_ARRAY_LEN(sizes); i++) {
    errno = 0;
    cr_assert_null(tri_offheap_raw_alloc(sizes[i]));
    cr_assert_eq(errno, ENOMEM);
    errno = 0;
    cr_assert_null(tri_offheap_raw_realloc(kept, sizes[i]));
    cr_assert_eq(errno, ENOMEM);
  }
  cr_assert_str_eq(kept, "kept");
  cr_assert_eq(tri_offheap_bytes(), before);
  errno = 42;
  tri_offheap_raw_free(tri_offheap_raw_alloc(1 << 24));
  tri_offheap_raw_free(kept);
  cr_assert_eq(errno, 42);
}

Test(offheap, all_of_it_is_in_ownmap) {
  enum { N = 300 };
  static char *p[N];
  for (size_t i = 0; i < N; i++) {
    size_t size = (size_t)1 << (i % 24);
    p[i] = tri_offheap_raw_alloc(size);
    cr_assert_not_null(p[i]);
    p[i][0] = p[i][size - 1] = 1;
    cr_assert(in_ownmap(p[i], size), "object of %zu bytes", size);
  }
  for (size_t i = 0; i < N; i++) tri_offheap_raw_free(p[i]);
  int on_stack;
  cr_assert_not(in_ownmap(&on_stack, sizeof on_stack));
}

/* Address space that jemalloc keeps must not use the table up. */
Test(offheap, needs_few_ownmap_entries) {
  for (size_t i = 0; i < 2000; i++) {
    void *p = tri_offheap_raw_alloc((i * 7919) % (3 << 20) + 1);
    cr_assert_not_null(p);
    if (i % 3 != 0) tri_offheap_raw_free(p);
  }
  size_t n = 0;
  for (uintptr_t at = 0, lo, hi; tri_ownmap_next(at, &lo, &hi); at = hi) n++;
  cr_assert(n >= 1 && n <= 100, "%zu ranges", n);
}

enum { CHURN_THREADS = 200, SLOTS = 64 };
static tri_aword handed[SLOTS];

/* Frees what other threads allocated, as the first call of some threads, and leaves memory behind for the next. */
static void *churn(void *arg) {
  size_t seed = (size_t)arg;
  for (size_t i = 0; i < 500; i++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    size_t size = seed >> 33 & (i % 50 == 0 ? 0xfffff : 0xfff);
    char *fresh = (seed >> 20 & 3) != 0 ? tri_offheap_raw_alloc(size + 1) : NULL;
    if (fresh != NULL) memset(fresh, (int)i, size + 1);
    tri_offheap_raw_free((void *)tri_exchange_acq_rel(&handed[seed >> 48 & (SLOTS - 1)], (uintptr_t)fresh));
  }
  return NULL;
}

Test(offheap, threads_come_and_go, .timeout = 60) {
  pthread_t t[4];
  for (size_t round = 0; round < CHURN_THREADS / 4; round++) {
    for (size_t i = 0; i < 4; i++) cr_assert_eq(pthread_create(&t[i], NULL, churn, (void *)(round * 4 + i + 1)), 0);
    for (size_t i = 0; i < 4; i++) pthread_join(t[i], NULL);
  }
  for (size_t i = 0; i < SLOTS; i++) tri_offheap_raw_free((void *)handed[i]);
  cr_assert_eq(tri_offheap_bytes(), 0);
}

static pthread_key_t late_key;

static void use_at_thread_exit(void *value) {
  size_t round = (size_t)value;
  char *p = tri_offheap_raw_alloc(round * 100);
  memset(p, 1, round * 100);
  tri_offheap_raw_free(p);
  if (round < PTHREAD_DESTRUCTOR_ITERATIONS) pthread_setspecific(late_key, (void *)(round + 1));
}

static void *exit_with_key(void *arg) {
  pthread_setspecific(late_key, (void *)1);
  return NULL;
}

/* A thread whose first call comes in its destructors: its state must not stay linked anywhere once its stack is gone.
 */
Test(offheap, first_use_in_a_destructor) {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 48 << 20); /* more than glibc caches: unmapped at exit */
  pthread_key_create(&late_key, use_at_thread_exit);
  for (int i = 0; i < 50; i++) {
    pthread_t t;
    cr_assert_eq(pthread_create(&t, &attr, exit_with_key, NULL), 0);
    pthread_join(t, NULL);
  }
  cr_assert_eq(tri_offheap_bytes(), 0);
}

static tri_aint stop;
static pthread_barrier_t started; /* a sanitizer's locks are held while a thread starts, and not handled at fork */

static void *busy(void *arg) {
  pthread_barrier_wait(&started);
  while (!tri_int_load_acq(&stop)) {
    tri_offheap_raw_free(tri_offheap_raw_alloc(3000));
    tri_offheap_raw_free(tri_offheap_raw_alloc(300000));
  }
  return NULL;
}

static void child_works(void) {
  alarm(10); /* a lock that stayed taken shows as a death */
  for (size_t i = 1; i < 2000; i++) tri_offheap_raw_free(tri_offheap_raw_alloc(i * 100));
  pthread_t t;
  if (pthread_create(&t, NULL, churn, (void *)7) != 0 || pthread_join(t, NULL) != 0) _exit(2);
  _exit(0);
}

Test(offheap, fork_while_threads_allocate, .timeout = 60) {
  pthread_t t[3];
  pthread_barrier_init(&started, NULL, 4);
  for (size_t i = 0; i < 3; i++) pthread_create(&t[i], NULL, busy, NULL);
  pthread_barrier_wait(&started);
  for (int i = 0; i < 50; i++) {
    tri_offheap_fork_prepare();
    pid_t pid = fork();
    if (pid == 0) {
      tri_offheap_fork_child();
      child_works();
    }
    tri_offheap_fork_parent();
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: status %x", i, status);
  }
  tri_int_store_rel(&stop, 1);
  for (size_t i = 0; i < 3; i++) pthread_join(t[i], NULL);
}

Test(offheap, fork_before_the_first_use) {
  tri_offheap_fork_prepare();
  pid_t pid = fork();
  if (pid == 0) {
    tri_offheap_fork_child();
    child_works();
  }
  tri_offheap_fork_parent();
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* jemalloc would end the program for it, or fill with junk (0xa5). */
Test(offheap, malloc_conf_is_the_programs) {
  setenv("MALLOC_CONF", "junk:true,abort_conf:true,nonsense:1", 1);
  unsigned char *p = tri_offheap_raw_alloc(4096);
  cr_assert_not_null(p);
  cr_assert_neq(p[100], 0xa5);
  tri_offheap_raw_free(p);
}
