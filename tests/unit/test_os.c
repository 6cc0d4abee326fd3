/* The kernel's memory calls: alignment, zeroes, limits, errno. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "alloc/os.h"
#include "tests/support/child.h"

#define MIB ((size_t)1 << 20)

Test(os, page_size_is_the_kernels) {
  cr_assert_eq(tri_os_page_size(), (size_t)sysconf(_SC_PAGESIZE));
}

Test(os, reserve_is_aligned) {
  for (size_t align = 4096; align <= 1024 * MIB; align *= 4) {
    char *p = tri_os_reserve(8 * MIB, align);
    cr_assert_not_null(p);
    cr_assert_eq((uintptr_t)p % align, 0, "align %zu", align);
    tri_os_unreserve(p, 8 * MIB);
  }
}

Test(os, large_reserves_are_at_random_addresses) {
  void *a = tri_os_reserve(1024 * MIB, 4 * MIB), *b = NULL;
  for (int i = 0; i < 4 && (b == NULL || a == b); i++) {
    tri_os_unreserve(a, 1024 * MIB);
    b = a;
    a = tri_os_reserve(1024 * MIB, 4 * MIB);
  }
  cr_assert_neq(a, b);
}

static void touch_reserved(void) {
  volatile char *p = tri_os_reserve(MIB, 4096);
  CHILD_CHECK((void *)p != NULL);
  signal(SIGSEGV, SIG_DFL);
  p[0] = 1;
}

Test(os, reserved_memory_faults_before_commit) {
  cr_assert_eq(child_run(touch_reserved), 128 + SIGSEGV);
}

Test(os, commit_and_release_read_as_zero) {
  char *p = tri_os_reserve(4 * MIB, 65536);
  cr_assert(tri_os_commit(p, MIB));
  cr_assert_eq(p[0], 0);
  memset(p, 1, MIB);
  cr_assert(tri_os_release(p, MIB));
  for (size_t i = 0; i < MIB; i += 512) cr_assert_eq(p[i], 0);
}

Test(os, errno_is_preserved_when_calls_fail) {
  errno = 4242;
  cr_assert_null(tri_os_reserve(SIZE_MAX / 2, 4096));
  cr_assert_null(tri_os_reserve(SIZE_MAX - 5, 4096));
  cr_assert_null(tri_os_reserve((size_t)1 << 62, (size_t)1 << 62));
  cr_assert_not(tri_os_commit((void *)4096, 4096));
  tri_os_unreserve((void *)1, 4096);
  cr_assert_eq(errno, 4242);
}

static void limited(void) {
  CHILD_CHECK(tri_os_address_space_left() == SIZE_MAX);
  struct rlimit limit = {1024 * MIB, 1024 * MIB};
  CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  size_t left = tri_os_address_space_left();
  if (left == 0) _exit(CHILD_SKIP); /* the process is larger than that already */
  CHILD_CHECK(left < 1024 * MIB && left > 512 * MIB);
  void *p = tri_os_reserve(256 * MIB, 4096);
  CHILD_CHECK(p != NULL && tri_os_address_space_left() <= left - 256 * MIB);
  CHILD_CHECK(tri_os_reserve(1024 * MIB, 4096) == NULL);
}

Test(os, address_space_left_follows_the_limit) {
  cr_assert(child_passes(limited));
}

static void locked(void) {
  char *p = tri_os_reserve(MIB, 4096);
  CHILD_CHECK(p != NULL && tri_os_commit(p, 65536));
  /* Raw, since sanitizers make mlock a no-op. */
  if (syscall(SYS_mlock, p, 65536) != 0) _exit(CHILD_SKIP);
  p[0] = 7;
  errno = 4242;
  CHILD_CHECK(!tri_os_release(p, 65536));
  CHILD_CHECK(errno == 4242);
}

Test(os, release_of_locked_memory_is_refused) {
  cr_assert(child_passes(locked));
}
