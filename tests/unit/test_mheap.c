/* mheap: spans of pages, the table behind them, growth, memory given back, limits of the process. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "alloc/mheap.h"
#include "alloc/os.h"
#include "alloc/ownmap.h"
#include "alloc/pagecut.h"
#include "tests/support/child.h"

#define MIB ((size_t)1 << 20)
#define PAGES(bytes) ((bytes) / TRI_PAGE_SIZE)

static struct tri_mspan *span(size_t npages) {
  return tri_mheap_alloc_span(npages, 1, 1);
}

static struct tri_mheap_stats stats(void) {
  struct tri_mheap_stats s;
  tri_mheap_read_stats(&s);
  return s;
}

/* A page of no span: its entry is NULL, or a tombstone that is DEAD for ever. */
static bool no_span_at(uintptr_t addr) {
  struct tri_mspan *s = tri_mheap_span_of(addr);
  return s == NULL || (s->state == TRI_SPAN_DEAD && s->base == 0);
}

/* Mappings of the process that lie in the heap's range. */
static int count_mappings(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  uintptr_t lo, hi;
  char line[512];
  int n = 0;
  while (f != NULL && fgets(line, sizeof line, f) != NULL) {
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &lo, &hi) != 2) continue;
    n += hi > tri_heap_range.base && lo < tri_heap_range.base + tri_heap_range.reserved_bytes;
  }
  if (f != NULL) fclose(f);
  return n;
}

Test(mheap, init_reserves_a_tebibyte_and_commits_nothing) {
  cr_assert(tri_mheap_init(0));
  cr_assert_eq(tri_heap_range.base % TRI_CHUNK_SIZE, 0);
  cr_assert_geq(tri_heap_range.reserved_bytes, 64 * MIB);
  cr_assert_eq(stats().used_bytes, 0);
  uintptr_t lo, hi;
  cr_assert(tri_ownmap_next(tri_heap_range.base, &lo, &hi));
  cr_assert(lo <= tri_heap_range.base && hi >= tri_heap_range.base + tri_heap_range.reserved_bytes);
  tri_mheap_check();
}

Test(mheap, span_is_ready_and_found_from_every_page) {
  cr_assert(tri_mheap_init(0));
  cr_assert_null(tri_mheap_span_of(tri_heap_range.base));
  struct tri_mspan *s = tri_mheap_alloc_span(3, 1, 300);
  cr_assert_eq(s->npages, 3);
  cr_assert_eq(s->nelems, 300);
  cr_assert_eq(s->ngroups, 5);
  cr_assert_neq(s->bits, &s->bits0);
  cr_assert_eq(s->needzero, 0);
  cr_assert_eq(s->state, TRI_SPAN_DEAD);
  memset((void *)s->base, 0xFF, 3 * TRI_PAGE_SIZE);
  cr_assert_eq(tri_mheap_span_of(s->base), s);
  cr_assert_eq(tri_mheap_span_of(s->base + 3 * TRI_PAGE_SIZE - 1), s);
  cr_assert_null(tri_mheap_span_of(s->base + 3 * TRI_PAGE_SIZE));
  cr_assert_null(tri_mheap_span_of(s->base - 1));
  cr_assert_null(tri_mheap_span_of(0));
  cr_assert_null(tri_mheap_span_of(UINTPTR_MAX));
  tri_mheap_check();
  uintptr_t base = s->base;
  tri_mheap_free_span(s, false);
  cr_assert(no_span_at(base));
  cr_assert(no_span_at(base + 2 * TRI_PAGE_SIZE));
  tri_mheap_check();
}

Test(mheap, bits_are_cleared_at_every_birth) {
  cr_assert(tri_mheap_init(0));
  static const uint32_t nelems[] = {1, 64, 65, 128, 129, 256, 257, 512, 513, 1024};
  for (int round = 0; round < 3; round++) {
    for (unsigned i = 0; i < TRI_ARRAY_LEN(nelems); i++) {
      struct tri_mspan *s = tri_mheap_alloc_span(1, 1, nelems[i]);
      cr_assert_eq(s->ngroups, (nelems[i] + 63) / 64);
      const unsigned char *bytes = (const unsigned char *)s->bits;
      for (size_t b = 0; b < s->ngroups * sizeof *s->bits; b++) cr_assert_eq(bytes[b], 0);
      memset(s->bits, 0xFF, s->ngroups * sizeof *s->bits);
      tri_mheap_free_span(s, false);
    }
  }
}

/* The types lie in the same memory as the bits, before them, and do not reach those of another span. */
Test(mheap, typed_spans_have_types_and_bits) {
  cr_assert(tri_mheap_init(0));
  struct tri_mspan *s[TRI_NUM_CLASSES] = {NULL};
  for (int round = 0; round < 3; round++) {
    for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
      s[c] = tri_mheap_alloc_typed_span(tri_class_pages[c], tri_class_nelems[c]);
      tri_mspan_init(s[c], tri_spanclass_typed(c), 2);
      cr_assert(tri_mspan_typed(s[c]) && !tri_mspan_noscan(s[c]) && s[c]->bits != &s[c]->bits0);
      for (uint32_t i = 0; i < s[c]->nelems; i++) cr_assert_eq(*tri_mspan_type_at(s[c], i), 0, "class %u", c);
      for (uint32_t i = 0; i < s[c]->nelems; i++) *tri_mspan_type_at(s[c], i) = (uint16_t)(c * 1024 + i);
      for (uint32_t g = 0; g < s[c]->ngroups; g++)
        cr_assert(s[c]->bits[g].alloc == 0 && s[c]->bits[g].mark == 0 && s[c]->bits[g].rfree == 0);
      memset(s[c]->bits, 0xFF, s[c]->ngroups * sizeof *s[c]->bits);
    }
    tri_mheap_check();
    for (unsigned c = 1; c < TRI_NUM_CLASSES; c++) {
      for (uint32_t i = 0; i < s[c]->nelems; i++)
        cr_assert_eq(*tri_mspan_type_at(s[c], i), (uint16_t)(c * 1024 + i), "class %u, slot %u", c, i);
      tri_int_store_rel(&s[c]->state, TRI_SPAN_DEAD);
      tri_mheap_free_span(s[c], false);
    }
  }
}

static struct tri_mspan *shown_span(unsigned spanclass) {
  unsigned c = tri_spanclass_size_class(spanclass);
  struct tri_mspan *s = tri_spanclass_is_typed(spanclass)
                            ? tri_mheap_alloc_typed_span(tri_class_pages[c], tri_class_nelems[c])
                            : tri_mheap_alloc_span(tri_class_pages[c], 1, tri_class_nelems[c]);
  tri_mspan_init(s, spanclass, 2);
  tri_mheap_show_span(s);
  return s;
}

static uint64_t cut_of(uintptr_t addr) {
  return tri_load_acq(&tri_heap_range.cuts[(addr - tri_heap_range.base) >> TRI_PAGE_SHIFT]);
}

/* What marking reads in a cut is what the span says, for every class and on every page; a dead span has none. */
Test(mheap, cuts_say_what_spans_say) {
  cr_assert(tri_mheap_init(0));
  for (unsigned spanclass = 2; spanclass < TRI_NUM_SPANCLASSES; spanclass++) {
    if (tri_spanclass_size_class(spanclass) == 0) continue; /* no typed large ones */
    struct tri_mspan *s = shown_span(spanclass);
    uintptr_t end = s->base + (s->npages << TRI_PAGE_SHIFT);
    for (uintptr_t addr = s->base; addr < end; addr += TRI_PAGE_SIZE - 1) {
      uint64_t cut = cut_of(addr);
      cr_assert_eq(tri_pagecut_span(cut, addr), s->base, "span class %u", spanclass);
      cr_assert_eq(tri_pagecut_bits(cut), s->bits);
      cr_assert_eq(tri_pagecut_class(cut), tri_spanclass_size_class(spanclass));
      cr_assert_eq(tri_pagecut_tag(cut), s->tag);
    }
    tri_mheap_check();
    tri_int_store_rel(&s->state, TRI_SPAN_DEAD);
    uintptr_t base = s->base;
    tri_mheap_free_span(s, false);
    for (uintptr_t addr = base; addr < end; addr += TRI_PAGE_SIZE) cr_assert_eq(cut_of(addr), 0);
    tri_mheap_check();
  }
}

Test(mheap, remote_link_survives_death_and_rebirth) {
  cr_assert(tri_mheap_init(0));
  struct tri_mspan *s = span(1), *other = span(1);
  s->rpending = 1;
  s->rnext = other;
  tri_mheap_free_span(s, false);
  struct tri_mspan *again = span(1);
  cr_assert_eq(again, s);
  cr_assert_eq(s->rpending, 1);
  cr_assert_eq(s->rnext, other);
}

Test(mheap, free_pages_remember_who_freed_them) {
  cr_assert(tri_mheap_init(0));
  struct tri_mspan *a = span(2), *b = span(2);
  uintptr_t freed = a->base + TRI_PAGE_SIZE, reclaimed = b->base + TRI_PAGE_SIZE, never = b->base + 2 * TRI_PAGE_SIZE;
  cr_assert_not(tri_mheap_page_was_freed(freed));
  tri_mheap_free_span(a, false);
  tri_mheap_free_span(b, true);
  cr_assert(tri_mheap_page_was_freed(freed) && !tri_mheap_page_was_reclaimed(freed));
  cr_assert(tri_mheap_page_was_reclaimed(reclaimed) && !tri_mheap_page_was_freed(reclaimed));
  cr_assert(!tri_mheap_page_was_freed(never) && !tri_mheap_page_was_reclaimed(never));
  tri_mheap_check();
  tri_mheap_release_free(0, 0);
  cr_assert(tri_mheap_page_was_reclaimed(reclaimed));
  a = span(4);
  cr_assert_eq(tri_mheap_span_of(reclaimed), a);
  cr_assert_not(tri_mheap_page_was_reclaimed(reclaimed));
  tri_mheap_check();
}

Test(mheap, used_pages_need_zeroing_until_released) {
  cr_assert(tri_mheap_init(0));
  struct tri_mspan *s = span(PAGES(4 * MIB));
  uintptr_t base = s->base;
  memset((void *)base, 0x5A, 4 * MIB);
  tri_mheap_free_span(s, false);
  s = span(PAGES(4 * MIB));
  cr_assert_eq(s->base, base);
  cr_assert_eq(s->needzero, 1);
  tri_mheap_free_span(s, false);
  cr_assert_eq(stats().free_bytes, 4 * MIB);
  cr_assert_eq(tri_mheap_release_free(8 * MIB, 0), 0);
  cr_assert_eq(tri_mheap_release_free(MIB, 0), 4 * MIB);
  cr_assert_eq(tri_mheap_release_free(0, 0), 0);
  cr_assert_eq(stats().free_bytes, 0);
  cr_assert_eq(stats().released_bytes, stats().used_bytes);
  s = span(PAGES(4 * MIB));
  cr_assert_eq(s->base, base);
  cr_assert_eq(s->needzero, 0);
  for (size_t i = 0; i < 4 * MIB; i += 256) cr_assert_eq(((char *)base)[i], 0);
  tri_mheap_check();
}

Test(mheap, release_covers_several_runs_and_large_ones) {
  cr_assert(tri_mheap_init(0));
  struct tri_mspan *a = span(PAGES(MIB)), *keep = span(1), *b = span(PAGES(50 * MIB)), *keep2 = span(1), *c = span(3);
  tri_mheap_free_span(a, false);
  tri_mheap_free_span(b, false);
  tri_mheap_free_span(c, false);
  cr_assert_eq(tri_mheap_release_free(MIB, 0), 51 * MIB);
  cr_assert_eq(stats().free_bytes, 3 * TRI_PAGE_SIZE);
  cr_assert_eq(tri_mheap_release_free(1, 0), 3 * TRI_PAGE_SIZE);
  cr_assert_eq(stats().nspans, 2);
  tri_mheap_free_span(keep, false);
  tri_mheap_free_span(keep2, false);
  tri_mheap_check();
}

Test(mheap, release_retains_the_lowest_free_runs) {
  cr_assert(tri_mheap_init(0));
  struct tri_mspan *low = span(PAGES(4 * MIB)), *keep = span(1), *high = span(PAGES(6 * MIB)), *keep2 = span(1);
  uintptr_t low_base = low->base;
  size_t in_use = 2 * TRI_PAGE_SIZE;
  memset((void *)low->base, 1, 4 * MIB);
  tri_mheap_free_span(low, false);
  tri_mheap_free_span(high, false);
  cr_assert_eq(tri_mheap_release_free(MIB, in_use + 10 * MIB), 0);
  cr_assert_eq(tri_mheap_release_free(MIB, in_use + 7 * MIB), 3 * MIB);
  cr_assert_eq(*(char *)low_base, 1, "the low run was given back");
  cr_assert_eq(tri_mheap_release_free(MIB, in_use + 2 * MIB), 5 * MIB);
  cr_assert_eq(*(char *)low_base, 1);
  cr_assert_eq(tri_mheap_release_free(MIB, 0), 2 * MIB);
  cr_assert_eq(*(char *)low_base, 0);
  tri_mheap_free_span(keep, false);
  tri_mheap_free_span(keep2, false);
  tri_mheap_check();
}

Test(mheap, any_alignment) {
  cr_assert(tri_mheap_init(0));
  for (size_t align = 1; align <= PAGES((size_t)4 << 30); align *= 2) {
    struct tri_mspan *s = tri_mheap_alloc_span(3, align, 1);
    cr_assert_not_null(s, "align %zu", align);
    cr_assert_eq(s->base % (align * TRI_PAGE_SIZE), 0);
    memset((void *)s->base, 1, 3 * TRI_PAGE_SIZE);
  }
  tri_mheap_check();
  cr_assert_null(tri_mheap_alloc_span(1, (size_t)1 << 63, 1));
  cr_assert_null(tri_mheap_alloc_span(1, (size_t)1 << 50, 1));
}

Test(mheap, impossible_sizes_give_null_and_keep_errno) {
  cr_assert(tri_mheap_init(0));
  errno = 4242;
  cr_assert_null(span(0));
  cr_assert_null(span(SIZE_MAX));
  cr_assert_null(span(SIZE_MAX / TRI_PAGE_SIZE));
  cr_assert_null(span(SIZE_MAX / TRI_PAGE_SIZE + 2));
  cr_assert_null(span(PAGES(tri_heap_range.reserved_bytes) + 1));
  cr_assert_null(tri_mheap_alloc_span(SIZE_MAX - 3, 1024, 1));
  cr_assert_eq(errno, 4242);
  cr_assert_eq(stats().nspans, 0);
  tri_mheap_check();
}

Test(mheap, a_full_heap_says_so_and_recovers) {
  cr_assert(tri_mheap_init(16 * MIB));
  cr_assert_eq(tri_heap_range.reserved_bytes, 16 * MIB);
  struct tri_mspan *s[16];
  for (int i = 0; i < 16; i++) cr_assert_not_null(s[i] = span(PAGES(MIB)));
  cr_assert_null(span(1));
  tri_mheap_free_span(s[7], false);
  cr_assert_null(span(PAGES(MIB) + 1));
  cr_assert_not_null(s[7] = span(PAGES(MIB)));
  tri_mheap_check();
}

Test(mheap, growth_stays_in_two_mappings) {
  cr_assert(tri_mheap_init(0));
  for (int i = 0; i < 200; i++) {
    struct tri_mspan *s = span(PAGES(MIB));
    *(char *)s->base = 1;
  }
  cr_assert_leq(count_mappings(), 2, "%d mappings", count_mappings());
  cr_assert_geq(stats().used_bytes, 200 * MIB);
  cr_assert_leq(stats().used_bytes, 200 * MIB + 64 * MIB);
}

Test(mheap, small_use_grows_by_the_smallest_step) {
  cr_assert(tri_mheap_init(0));
  span(1);
  cr_assert_eq(stats().used_bytes, TRI_CHUNK_SIZE);
  cr_assert_lt(stats().meta_bytes, 2 * MIB);
}

Test(mheap, resize_shrinks_and_grows_in_place) {
  cr_assert(tri_mheap_init(0));
  bool needzero;
  struct tri_mspan *s = span(100), *next = span(10), *tail = NULL;
  cr_assert_not(tri_mheap_resize_span(s, 101, &needzero));
  cr_assert_eq(s->npages, 100);
  cr_assert(tri_mheap_resize_span(s, 40, &needzero));
  cr_assert(no_span_at(s->base + 40 * TRI_PAGE_SIZE));
  cr_assert(tri_mheap_page_was_freed(s->base + 99 * TRI_PAGE_SIZE));
  tri_mheap_check();
  cr_assert(tri_mheap_resize_span(s, 100, &needzero));
  cr_assert(needzero);
  cr_assert_eq(tri_mheap_span_of(s->base + 99 * TRI_PAGE_SIZE), s);
  cr_assert(tri_mheap_resize_span(next, 20, &needzero));
  cr_assert_not(needzero);
  tail = span(1);
  cr_assert_eq(tail->base, next->base + 20 * TRI_PAGE_SIZE);
  tri_mheap_check();
}

Test(mheap, resize_grows_the_heap_for_the_last_span) {
  cr_assert(tri_mheap_init(256 * MIB));
  bool needzero;
  struct tri_mspan *s = span(10);
  cr_assert(tri_mheap_resize_span(s, PAGES(100 * MIB), &needzero));
  memset((void *)s->base, 1, 100 * MIB);
  cr_assert_not(tri_mheap_resize_span(s, PAGES(256 * MIB) + 1, &needzero));
  cr_assert_not(tri_mheap_resize_span(s, SIZE_MAX, &needzero));
  cr_assert(tri_mheap_resize_span(s, PAGES(256 * MIB), &needzero));
  cr_assert(tri_mheap_resize_span(s, 1, &needzero));
  cr_assert_eq(stats().inuse_bytes, TRI_PAGE_SIZE);
  tri_mheap_check();
}

Test(mheap, trim_gives_back_the_untouched_tail) {
  cr_assert(tri_mheap_init(1024 * MIB));
  struct tri_mspan *s = span(PAGES(10 * MIB));
  uintptr_t end = tri_heap_range.base + 1024 * MIB, lo = 0, hi = 0;
  tri_mheap_trim_reserve(100 * MIB);
  cr_assert_eq(tri_heap_range.reserved_bytes, 100 * MIB);
  cr_assert_eq(mmap((void *)(end - MIB), MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
               (void *)(end - MIB), "the tail is still mapped");
  cr_assert(!tri_ownmap_next(end - MIB, &lo, &hi) || lo >= end);
  tri_mheap_trim_reserve(0);
  cr_assert_eq(tri_heap_range.reserved_bytes, stats().used_bytes);
  cr_assert_null(span(PAGES(90 * MIB)));
  memset((void *)s->base, 1, 10 * MIB);
  cr_assert_not_null(span(1));
  tri_mheap_check();
}

Test(mheap, wrong_free_is_fatal, .signal = SIGABRT) {
  cr_assert(tri_mheap_init(0));
  struct tri_mspan *s = span(2);
  s->base += TRI_PAGE_SIZE * 4;
  tri_mheap_free_span(s, false);
}

/* What the process's limits do. */

static void under_rlimit_as(void) {
  struct rlimit limit = {600 * MIB, 600 * MIB};
  CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  if (tri_os_address_space_left() == 0) _exit(CHILD_SKIP); /* the process is larger than that already */
  CHILD_CHECK(tri_mheap_init(0));
  CHILD_CHECK(tri_heap_range.reserved_bytes >= 64 * MIB && tri_heap_range.reserved_bytes <= 300 * MIB);
  struct tri_mspan *s[1024];
  size_t n = 0;
  while (n < 1024 && (s[n] = span(PAGES(MIB))) != NULL) *(char *)s[n++]->base = 1;
  CHILD_CHECK(n == tri_heap_range.reserved_bytes / MIB);
  while (n > 0) tri_mheap_free_span(s[--n], false);
  CHILD_CHECK(span(PAGES(60 * MIB)) != NULL);
  tri_mheap_check();
}

Test(mheap, lives_within_half_of_rlimit_as) {
  cr_assert(child_passes(under_rlimit_as));
}

static void under_rlimit_as_with_a_size(void) {
  struct rlimit limit = {600 * MIB, 600 * MIB};
  CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  if (tri_os_address_space_left() == 0) _exit(CHILD_SKIP); /* the process is larger than that already */
  CHILD_CHECK(tri_mheap_init(400 * MIB));
  CHILD_CHECK(tri_heap_range.reserved_bytes <= 300 * MIB);
}

Test(mheap, a_wished_size_does_not_override_rlimit_as) {
  cr_assert(child_passes(under_rlimit_as_with_a_size));
}

static void no_room(void) {
  struct rlimit limit = {32 * MIB, 32 * MIB};
  CHILD_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
  if (tri_os_address_space_left() == 0) _exit(CHILD_SKIP); /* the process is larger than that already */
  errno = 4242;
  CHILD_CHECK(!tri_mheap_init(0));
  CHILD_CHECK(errno == 4242);
}

Test(mheap, init_fails_where_not_even_the_least_fits) {
  cr_assert(child_passes(no_room));
}

/* RLIMIT_DATA charges private writable memory, as overcommit_memory=2 does: growth fails, the reserve does not. */
static void no_memory(void) {
  CHILD_CHECK(tri_mheap_init(0));
  struct rlimit limit = {60 * MIB, 60 * MIB};
  CHILD_CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
  if (mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) _exit(CHILD_SKIP);
  CHILD_CHECK(span(PAGES(MIB)) != NULL);
  size_t n = 1;
  errno = 4242;
  while (n < 100 && span(PAGES(MIB)) != NULL) n++;
  CHILD_CHECK(errno == 4242);
  CHILD_CHECK(n > 28 && n <= 60);        /* the steps 4, 8, 16 and then 32, which is refused */
  CHILD_CHECK(span(PAGES(MIB)) == NULL); /* the smallest step had been tried too */
  CHILD_CHECK(n * MIB == stats().used_bytes);
  tri_mheap_check();
  struct rlimit more = {200 * MIB, 200 * MIB};
  if (setrlimit(RLIMIT_DATA, &more) == 0) CHILD_CHECK(span(PAGES(50 * MIB)) != NULL);
}

Test(mheap, refused_growth_gives_null_and_can_succeed_later) {
  cr_assert(child_passes(no_memory));
}

static size_t resident_bytes(void) {
  size_t size = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f == NULL || fscanf(f, "%zu %zu", &size, &resident) != 2) resident = SIZE_MAX / 65536;
  if (f != NULL) fclose(f);
  return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Sanitizers make mlockall a no-op. */
static bool new_memory_is_locked(void) {
  void *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return p != MAP_FAILED && madvise(p, MIB, MADV_DONTNEED) != 0;
}

static void all_locked(void) {
  size_t before = resident_bytes();
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0 || !new_memory_is_locked()) _exit(CHILD_SKIP);
  before = resident_bytes() > before ? resident_bytes() : before;
  CHILD_CHECK(tri_mheap_init(0));
  if (tri_heap_range.reserved_bytes < 1024 * MIB) _exit(CHILD_SKIP); /* RLIMIT_MEMLOCK allows no more */
  struct tri_mspan *s = span(PAGES(2 * MIB));
  CHILD_CHECK(s != NULL);
  CHILD_CHECK(resident_bytes() - before < 16 * MIB);
  tri_mheap_free_span(s, false);
  CHILD_CHECK(tri_mheap_release_free(MIB, 0) == 0); /* the kernel refuses */
  CHILD_CHECK(span(PAGES(2 * MIB))->needzero);
  tri_mheap_check();
}

Test(mheap, mlockall_makes_only_the_used_part_resident) {
  cr_assert(child_passes(all_locked));
}

/* No reservation may count as committed memory: that is what overcommit_memory=2 limits. */
Test(mheap, the_reserve_is_not_charged) {
  cr_assert(tri_mheap_init(0));
  span(1);
  FILE *f = fopen("/proc/self/smaps", "r");
  uintptr_t lo, hi, in = 0;
  char line[512], perms[8];
  int seen = 0;
  cr_assert_not_null(f);
  while (fgets(line, sizeof line, f) != NULL) {
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s", &lo, &hi, perms) == 3) {
      in = lo > tri_heap_range.base && lo < tri_heap_range.base + tri_heap_range.reserved_bytes;
    } else if (in && strncmp(line, "VmFlags:", 8) == 0) {
      cr_assert_null(strstr(line, " ac"), "the PROT_NONE tail is charged");
      seen++;
    }
  }
  fclose(f);
  cr_assert_eq(seen, 1);
}

/* Threads. */

static tri_aint stop_threads;

static void *churn(void *arg) {
  unsigned id = (unsigned)(uintptr_t)arg;
  size_t n = PAGES(2 * MIB);
  for (int round = 0; round < 400; round++) {
    struct tri_mspan *s = span(n);
    if (s == NULL) return (void *)1;
    unsigned *first = (unsigned *)s->base, *last = (unsigned *)(s->base + n * TRI_PAGE_SIZE) - 1;
    for (size_t i = 0; i < 2 * MIB; i += 4096) ((char *)first)[i] = 1; /* so that giving it back takes a while */
    *first = *last = id;
    if (tri_mheap_span_of((uintptr_t)last) != s) return (void *)2;
    if (*first != id || *last != id) return (void *)3;
    tri_mheap_free_span(s, false);
    sched_yield(); /* lets the releaser in */
  }
  return NULL;
}

static void *release_loop(void *arg) {
  while (tri_int_load_acq(&stop_threads) == 0) tri_mheap_release_free(TRI_PAGE_SIZE, 0);
  return NULL;
}

static void *check_loop(void *arg) {
  while (tri_int_load_acq(&stop_threads) == 0) {
    tri_mheap_lock();
    tri_mheap_unlock();
    tri_mheap_check();
    usleep(200);
  }
  return NULL;
}

/* Four threads with a span of 2 MiB each in 8 MiB: pages on their way back to the system are missed at once. */
Test(mheap, release_beside_allocation_in_a_tight_heap, .timeout = 60) {
  cr_assert(tri_mheap_init(8 * MIB));
  pthread_t t[4], r[2];
  void *result;
  pthread_create(&r[0], NULL, release_loop, NULL);
  pthread_create(&r[1], NULL, check_loop, NULL);
  for (uintptr_t i = 0; i < 4; i++) pthread_create(&t[i], NULL, churn, (void *)(i + 1));
  for (int i = 0; i < 4; i++) {
    pthread_join(t[i], &result);
    cr_assert_null(result, "thread ended with %p", result);
  }
  tri_int_store_rel(&stop_threads, 1);
  for (int i = 0; i < 2; i++) pthread_join(r[i], NULL);
  cr_assert_eq(stats().inuse_bytes, 0);
  tri_mheap_check();
}

static void *release_once(void *arg) {
  tri_mheap_release_free(MIB, 0);
  return NULL;
}

static void *release_a_piece(void *arg) {
  tri_mheap_release_some(MIB, 0, 8 * MIB);
  return NULL;
}

/* What another thread gives back as the last piece is not counted as kept. The delays let some round look meanwhile. */
Test(mheap, release_ends_with_pieces_of_others, .timeout = 60) {
  cr_assert(tri_mheap_init(64 * MIB));
  for (unsigned round = 0; round < 60; round++) {
    pthread_t t;
    struct tri_mspan *s = span(PAGES(8 * MIB));
    cr_assert_not_null(s);
    memset((void *)s->base, 1, 8 * MIB);
    tri_mheap_free_span(s, false);
    cr_assert_eq(pthread_create(&t, NULL, release_a_piece, NULL), 0);
    usleep(round * 10);
    tri_mheap_release_free(TRI_PAGE_SIZE, 0);
    tri_mheap_await_release();
    cr_assert_eq(stats().free_bytes, 0, "%zu bytes kept in round %u", stats().free_bytes, round);
    pthread_join(t, NULL);
  }
}

/* Pieces of 8 MiB take the kernel a while: the allocation meets one under way nearly every time. */
Test(mheap, allocation_waits_for_pages_under_way, .timeout = 60) {
  cr_assert(tri_mheap_init(64 * MIB));
  for (int round = 0; round < 5; round++) {
    pthread_t t;
    struct tri_mspan *s = span(PAGES(64 * MIB));
    cr_assert_not_null(s);
    memset((void *)s->base, 1, 64 * MIB);
    tri_mheap_free_span(s, false);
    cr_assert_eq(pthread_create(&t, NULL, release_once, NULL), 0);
    while (stats().released_bytes == 0) sched_yield();
    s = span(PAGES(64 * MIB));
    cr_assert_not_null(s, "round %d: the heap is free and refuses", round);
    pthread_join(t, NULL);
    tri_mheap_free_span(s, false);
  }
  tri_mheap_check();
}
