/*
 * The contract of the whole malloc family, as the man pages and C23 give it. Holds for glibc too, except where noted.
 */
#include <errno.h>
#include <malloc.h>

#include "support/probe.h"

static volatile size_t huge = SIZE_MAX - 64, above = (size_t)PTRDIFF_MAX + 1; /* volatile: compilers judge constants */

static bool aligned(const void *p, size_t alignment) {
  return (uintptr_t)p % alignment == 0;
}

static void use_all(void *p, size_t request) {
  size_t usable = malloc_usable_size(p);
  CHECK(usable >= request, "usable %zu for %zu", usable, request);
  memset(p, 0x5a, usable);
}

static void all_sizes(void) {
  for (size_t size = 0; size < 200000; size += size < 4200 ? 1 : 977) {
    void *p = malloc(size);
    CHECK(p != NULL, "malloc(%zu)", size);
    CHECK(aligned(p, size >= 16 ? 16 : 8), "malloc(%zu) = %p", size, p);
    use_all(p, size);
    unsigned char *z = calloc(1, size);
    for (size_t i = 0; i < size; i++) CHECK(z[i] == 0, "calloc(1, %zu) byte %zu is %d", size, i, z[i]);
    use_all(z, size);
    free(p);
    free(z);
  }
}

static void neighbours(void) {
  enum { N = 2000 };
  static unsigned char *p[N];
  for (int i = 0; i < N; i++) {
    p[i] = malloc((size_t)i + 1);
    pattern_fill(p[i], (size_t)i + 1, (unsigned)i);
  }
  for (int i = 0; i < N; i++) {
    CHECK(pattern_holds(p[i], (size_t)i + 1, (unsigned)i), "object of %d bytes was overwritten", i + 1);
    free(p[i]);
  }
}

static void alignments(void) {
  void *p;
  for (size_t a = sizeof(void *); a <= 1 << 20; a *= 2) {
    for (size_t size = 1; size <= 70000; size = size * 5 + 3) {
      CHECK(posix_memalign(&p, a, size) == 0 && aligned(p, a), "posix_memalign(%zu, %zu) = %p", a, size, p);
      use_all(p, size);
      free(p);
      p = aligned_alloc(a, (size + a - 1) / a * a);
      CHECK(p != NULL && aligned(p, a), "aligned_alloc(%zu, %zu) = %p", a, size, p);
      use_all(p, size);
      free(p);
      p = memalign(a, size);
      CHECK(p != NULL && aligned(p, a), "memalign(%zu, %zu) = %p", a, size, p);
      use_all(p, size);
      p = realloc(p, size * 2);
      CHECK(p != NULL, "realloc of an aligned block");
      use_all(p, size * 2);
      free(p);
    }
  }
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  p = valloc(100);
  CHECK(p != NULL && aligned(p, page), "valloc = %p", p);
  free(p);
  p = pvalloc(page + 1);
  CHECK(p != NULL && aligned(p, page) && malloc_usable_size(p) >= 2 * page, "pvalloc = %p", p);
  free(p);
}

static void bad_alignments(void) {
  size_t bad[] = {0, 1, 2, 4, 12, 24, 48, 100, 65537};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    void *p = (void *)0x1234;
    errno = 0;
    CHECK(posix_memalign(&p, bad[i], 64) == EINVAL, "posix_memalign with %zu", bad[i]);
    CHECK(p == (void *)0x1234, "posix_memalign with %zu wrote its result", bad[i]);
    CHECK(errno == 0, "posix_memalign set errno");
  }
  void *p = (void *)0x1234;
  CHECK(posix_memalign(&p, 64, huge) == ENOMEM && p == (void *)0x1234, "posix_memalign of a huge size");
}

#define EXPECT_ENOMEM(call)                                          \
  do {                                                               \
    errno = 0;                                                       \
    void *volatile result_ = (call);                                 \
    CHECK(result_ == NULL && errno == ENOMEM, "errno is %d", errno); \
  } while (0)

static void overflows(void) {
  volatile size_t half = (size_t)1 << 33;
  char *volatile keep = malloc(100);
  pattern_fill(keep, 100, 3);
  EXPECT_ENOMEM(malloc(huge));
  EXPECT_ENOMEM(malloc(above));
  EXPECT_ENOMEM(calloc(half, half));
  EXPECT_ENOMEM(calloc(huge, 2));
  EXPECT_ENOMEM(calloc(1, huge));
  EXPECT_ENOMEM(reallocarray(keep, half, half));
  EXPECT_ENOMEM(reallocarray(keep, huge, 1));
  EXPECT_ENOMEM(realloc(keep, huge));
  EXPECT_ENOMEM(aligned_alloc(64, huge));
  EXPECT_ENOMEM(memalign(4096, huge));
  EXPECT_ENOMEM(valloc(huge));
  EXPECT_ENOMEM(pvalloc(huge + 60));
  CHECK(pattern_holds(keep, 100, 3), "a failed realloc touched its block");
  free(keep);
}

static void zero_and_null(void) {
  void *volatile a = malloc(0);
  void *volatile b = malloc(0);
  CHECK(a != NULL && b != NULL && a != b, "malloc(0): %p %p", a, b);
  free(a);
  free(b);
  free(NULL);
  CHECK(malloc_usable_size(NULL) == 0, "malloc_usable_size(NULL)");
  a = calloc(0, 10);
  CHECK(a != NULL, "calloc(0, 10)");
  free(a);
  a = realloc(NULL, 50);
  CHECK(a != NULL && malloc_usable_size(a) >= 50, "realloc(NULL, 50)");
  errno = 0;
  b = realloc(a, 0); /* glibc frees and returns NULL; so do programs expect */
  CHECK(b == NULL, "realloc(p, 0) = %p", b);
  a = reallocarray(NULL, 10, 10);
  CHECK(a != NULL && malloc_usable_size(a) >= 100, "reallocarray(NULL, 10, 10)");
  free(a);
}

static void reallocs(void) {
  uint64_t state = 7;
  for (int round = 0; round < 300; round++) {
    size_t size = 1 + probe_random(&state) % 3000;
    unsigned char *p = malloc(size);
    pattern_fill(p, size, (unsigned)round);
    for (int i = 0; i < 12; i++) {
      size_t next = 1 + probe_random(&state) % (i % 3 == 2 ? 400000 : 6000);
      p = realloc(p, next);
      CHECK(p != NULL && aligned(p, next >= 16 ? 16 : 8), "realloc to %zu = %p", next, (void *)p);
      CHECK(pattern_holds(p, next < size ? next : size, (unsigned)round), "realloc %zu to %zu lost bytes", size, next);
      pattern_fill(p, next, (unsigned)round);
      size = next;
    }
    free(p);
  }
}

static void errno_kept(void) {
  for (size_t size = 8; size < 40 << 20; size = size * 7 + 5) {
    char *volatile p = malloc(size);
    p[0] = 1;
    errno = 4711;
    free(p);
    CHECK(errno == 4711, "free of %zu bytes changed errno to %d", size, errno);
    errno = 4712;
    p = malloc(size);
    CHECK(errno == 4712, "malloc of %zu bytes changed errno to %d", size, errno);
    free(p);
  }
}

static void reports(void) {
  char text[8192];
  char *volatile p = malloc(3 << 20);
  memset(p, 1, 3 << 20);
  struct mallinfo2 info = mallinfo2();
  CHECK(info.uordblks + info.hblkhd >= 3 << 20, "mallinfo2 counts %zu and %zu", info.uordblks, info.hblkhd);
  FILE *f = tmpfile();
  CHECK(malloc_info(0, f) == 0, "malloc_info");
  rewind(f);
  size_t n = fread(text, 1, sizeof(text) - 1, f);
  text[n] = 0;
  CHECK(strstr(text, "<malloc") != NULL && strstr(text, "</malloc>") != NULL, "malloc_info wrote: %s", text);
  errno = 0;
  CHECK(malloc_info(1, f) != 0, "malloc_info takes no option");
  fclose(f);
  free(p);
  int released = malloc_trim(0);
  CHECK(released == 0 || released == 1, "malloc_trim returned %d", released);
}

static void sized_frees(void) {
  void (*free_sized)(void *, size_t);
  void (*free_aligned_sized)(void *, size_t, size_t);
  bool here = probe_symbol("free_sized", &free_sized) && probe_symbol("free_aligned_sized", &free_aligned_sized);
  CHECK(here || !probe_live(), "free_sized or free_aligned_sized is missing");
  if (!here) return;
  for (size_t size = 0; size < 300000; size = size * 3 + 1) {
    free_sized(malloc(size), size);
    free_sized(calloc(1, size), size);
    free_aligned_sized(aligned_alloc(256, (size + 255) / 256 * 256), 256, (size + 255) / 256 * 256);
  }
  free_sized(NULL, 5);
  free_aligned_sized(NULL, 64, 5);
}

/* Who asks for what malloc_usable_size says gets no more, and keeps the block and its alignment. Our own promise, which
 * C does not make. */
static void what_is_usable(void) {
  for (size_t n = 1; probe_live() && n < 200000; n += 1 + n / 10) {
    void *p = malloc(n), *q = NULL;
    size_t usable = malloc_usable_size(p), align = n < 4000 ? 256 : 4096;
    CHECK(realloc(p, usable) == p && malloc_usable_size(p) == usable, "realloc of %zu bytes to what is usable", n);
    CHECK(posix_memalign(&q, align, (n + align) / align * align) == 0, "posix_memalign");
    CHECK(realloc(q, (n + align) / align * align) == q, "realloc of a block aligned to %zu to its own size", align);
    free(q);
    free(p);
  }
  void *p = realloc(malloc(60000), 31000), *q = realloc(p, 70000);
  CHECK(!probe_live() || malloc_usable_size(q) == 70000, "usable %zu of 70000", malloc_usable_size(q));
  p = realloc(q, 40000);
  CHECK(!probe_live() || malloc_usable_size(p) == 40000, "usable %zu of 40000", malloc_usable_size(p));
  p = realloc(p, 31000);
  CHECK(!probe_live() || malloc_usable_size(p) < 34000, "usable %zu of 31000", malloc_usable_size(p));
  free(p);
}

int main(void) {
  what_is_usable();
  all_sizes();
  neighbours();
  alignments();
  bad_alignments();
  overflows();
  zero_and_null();
  reallocs();
  errno_kept();
  reports();
  sized_frees();
  puts("ok");
  return 0;
}
