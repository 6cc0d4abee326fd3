/* The page allocator: order, borders of chunks, alignment, scavenged pages, a range of 1 TiB. */
#include <criterion/criterion.h>
#include <signal.h>

#include "alloc/os.h"
#include "alloc/pagebits.h"

#define CHUNK ((size_t)TRI_CHUNK_PAGES)

static struct tri_pagealloc pa;
static size_t scav;

static void setup(size_t max_chunks, size_t chunks) {
  tri_pagealloc_init(&pa, tri_os_reserve(tri_pagealloc_meta_size(max_chunks * CHUNK), 65536), max_chunks * CHUNK);
  cr_assert(tri_pagealloc_grow(&pa, 0, chunks * CHUNK));
}

static size_t take(size_t n) {
  return tri_pagealloc_alloc(&pa, n, 1, &scav);
}

Test(pagealloc, empty_has_no_page) {
  tri_pagealloc_init(&pa, tri_os_reserve(tri_pagealloc_meta_size(CHUNK), 65536), CHUNK);
  cr_assert_eq(take(1), TRI_NO_PAGE);
  tri_pagealloc_check(&pa);
}

Test(pagealloc, lowest_run_first) {
  setup(4, 4);
  for (size_t i = 0; i < 10; i++) cr_assert_eq(take(3), 3 * i);
  tri_pagealloc_free(&pa, 3, 3);
  tri_pagealloc_free(&pa, 12, 6);
  cr_assert_eq(take(4), 12);
  cr_assert_eq(take(2), 3);
  cr_assert_eq(take(1), 5);
  cr_assert_eq(take(2), 16);
  cr_assert_eq(take(0), TRI_NO_PAGE);
  tri_pagealloc_check(&pa);
}

Test(pagealloc, runs_cross_chunks) {
  setup(64, 64);
  cr_assert_eq(take(CHUNK - 1), 0);
  cr_assert_eq(take(2 * CHUNK), CHUNK - 1);
  cr_assert_eq(take(20 * CHUNK + 7), 3 * CHUNK - 1);
  tri_pagealloc_check(&pa);
  tri_pagealloc_free(&pa, CHUNK - 1, 2 * CHUNK);
  tri_pagealloc_check(&pa);
  cr_assert_eq(take(2 * CHUNK), CHUNK - 1);
  cr_assert_eq(take(64 * CHUNK), TRI_NO_PAGE);
  cr_assert_eq(take(SIZE_MAX), TRI_NO_PAGE);
  cr_assert_eq(take(64 * CHUNK - (23 * CHUNK + 6)), 23 * CHUNK + 6);
  cr_assert_eq(tri_pagealloc_free_pages(&pa), 0);
  cr_assert_eq(take(1), TRI_NO_PAGE);
  tri_pagealloc_check(&pa);
}

Test(pagealloc, growth_joins_the_free_tail) {
  setup(100, 1);
  cr_assert_eq(take(500), 0);
  cr_assert_eq(take(100), TRI_NO_PAGE);
  cr_assert(tri_pagealloc_grow(&pa, CHUNK, CHUNK));
  cr_assert_eq(take(100), 500);
  for (size_t c = 2; c < 100; c++) {
    cr_assert(tri_pagealloc_grow(&pa, c * CHUNK, CHUNK));
    tri_pagealloc_check(&pa);
  }
  cr_assert_eq(take(99 * CHUNK - 88), 600);
}

Test(pagealloc, alignment_counts_from_address_zero) {
  setup(64, 64);
  pa.base_page = 512 * 3 + 5;
  for (size_t align = 1; align <= 4096; align *= 2) {
    size_t page = tri_pagealloc_alloc(&pa, 3, align, &scav);
    cr_assert_neq(page, TRI_NO_PAGE);
    cr_assert_eq((pa.base_page + page) % align, 0);
  }
  tri_pagealloc_check(&pa);
  cr_assert_eq(tri_pagealloc_alloc(&pa, 1, (size_t)1 << 40, &scav), TRI_NO_PAGE);
  cr_assert_eq(tri_pagealloc_alloc(&pa, 1, (size_t)1 << 63, &scav), TRI_NO_PAGE);
}

Test(pagealloc, aligned_search_takes_an_exact_fit) {
  setup(2, 2);
  cr_assert_eq(take(2 * CHUNK), 0);
  tri_pagealloc_free(&pa, 257, 200);
  tri_pagealloc_free(&pa, CHUNK, 256);
  cr_assert_eq(tri_pagealloc_alloc(&pa, 256, 256, &scav), CHUNK);
  cr_assert_eq(tri_pagealloc_alloc(&pa, 129, 256, &scav), TRI_NO_PAGE);
  cr_assert_eq(tri_pagealloc_alloc(&pa, 16, 64, &scav), 320);
}

Test(pagealloc, many_misaligned_holes_do_not_hide_a_fit) {
  setup(16, 16);
  cr_assert_eq(take(16 * CHUNK), 0);
  for (size_t i = 1; i < 15 * CHUNK; i += 2) tri_pagealloc_free(&pa, i, 1);
  cr_assert_eq(tri_pagealloc_alloc(&pa, 1, 2, &scav), TRI_NO_PAGE);
  tri_pagealloc_free(&pa, 15 * CHUNK + 4, 1);
  cr_assert_eq(tri_pagealloc_alloc(&pa, 1, 2, &scav), 15 * CHUNK + 4);
  tri_pagealloc_check(&pa);
}

Test(pagealloc, alloc_at_takes_only_free_pages) {
  setup(4, 4);
  cr_assert(tri_pagealloc_alloc_at(&pa, 10, 20, &scav));
  cr_assert_eq(scav, 20);
  cr_assert_not(tri_pagealloc_alloc_at(&pa, 5, 6, &scav));
  cr_assert_not(tri_pagealloc_alloc_at(&pa, 29, 1, &scav));
  cr_assert_not(tri_pagealloc_alloc_at(&pa, 4 * CHUNK - 1, 2, &scav));
  cr_assert_not(tri_pagealloc_alloc_at(&pa, 4 * CHUNK, 1, &scav));
  cr_assert_not(tri_pagealloc_alloc_at(&pa, 30, SIZE_MAX - 10, &scav));
  cr_assert(tri_pagealloc_alloc_at(&pa, 5, 5, &scav));
  cr_assert(tri_pagealloc_alloc_at(&pa, 30, 3 * CHUNK, &scav));
  tri_pagealloc_check(&pa);
}

Test(pagealloc, scavenged_pages_are_counted_and_forgotten_at_use) {
  setup(4, 2);
  cr_assert_eq(tri_pagealloc_scavenged_pages(&pa), 2 * CHUNK);
  cr_assert_eq(take(600), 0);
  cr_assert_eq(scav, 600);
  tri_pagealloc_free(&pa, 0, 600);
  cr_assert_eq(tri_pagealloc_scavenged_pages(&pa), 2 * CHUNK - 600);
  tri_pagealloc_set_scavenged(&pa, 0, 100);
  tri_pagealloc_set_scavenged(&pa, 0, 100);
  cr_assert_eq(tri_pagealloc_scavenged_pages(&pa), 2 * CHUNK - 500);
  cr_assert_eq(take(150), 0);
  cr_assert_eq(scav, 100);
  tri_pagealloc_check(&pa);
}

Test(pagealloc, dirty_runs_are_found_whole) {
  setup(8, 8);
  size_t n = 0;
  cr_assert_eq(tri_pagealloc_next_dirty_run(&pa, 0, 1, &n), TRI_NO_PAGE);
  cr_assert_eq(take(8 * CHUNK), 0);
  tri_pagealloc_free(&pa, 5, 10);
  tri_pagealloc_free(&pa, CHUNK - 30, CHUNK + 60);
  tri_pagealloc_free(&pa, 8 * CHUNK - 64, 64);
  cr_assert_eq(tri_pagealloc_next_dirty_run(&pa, 0, 1, &n), 5);
  cr_assert_eq(n, 10);
  cr_assert_eq(tri_pagealloc_next_dirty_run(&pa, 0, 11, &n), CHUNK - 30);
  cr_assert_eq(n, CHUNK + 60);
  cr_assert_eq(tri_pagealloc_next_dirty_run(&pa, 2 * CHUNK + 30, 1, &n), 8 * CHUNK - 64);
  cr_assert_eq(n, 64);
  tri_pagealloc_set_scavenged(&pa, CHUNK, 1);
  cr_assert_eq(tri_pagealloc_next_dirty_run(&pa, 15, 1, &n), CHUNK - 30);
  cr_assert_eq(n, 30);
  cr_assert_eq(tri_pagealloc_next_dirty_run(&pa, CHUNK, 1, &n), CHUNK + 1);
  cr_assert_eq(tri_pagealloc_next_dirty_run(&pa, 8 * CHUNK - 63, 64, &n), TRI_NO_PAGE);
}

Test(pagealloc, a_tebibyte) {
  size_t chunks = (size_t)1 << 18, all = chunks * CHUNK;
  setup(chunks, chunks);
  cr_assert_eq(take(all), 0);
  tri_pagealloc_free(&pa, all - 1, 1);
  cr_assert_eq(take(1), all - 1);
  tri_pagealloc_free(&pa, 1, all - 2);
  cr_assert_eq(take(all - 1), TRI_NO_PAGE);
  cr_assert_eq(tri_pagealloc_alloc(&pa, all / 4, all / 4, &scav), all / 4);
  cr_assert_eq(tri_pagealloc_free_pages(&pa), all - 2 - all / 4);
  tri_pagealloc_check(&pa);
}

Test(pagealloc, double_free_is_fatal, .signal = SIGABRT) {
  setup(1, 1);
  take(4);
  tri_pagealloc_free(&pa, 0, 4);
  tri_pagealloc_free(&pa, 2, 1);
}

Test(pagealloc, check_sees_a_wrong_summary, .signal = SIGABRT) {
  setup(20, 20);
  tri_pagealloc_check(&pa);
  pa.sum[1][1].max--;
  tri_pagealloc_check(&pa);
}

static void set_pages(struct tri_chunk_bits *c, unsigned lo, unsigned hi, bool in_use) {
  for (unsigned at = lo; at < hi; at++) {
    uint64_t bit = (uint64_t)1 << (at % 64);
    c->inuse[at / 64] = in_use ? c->inuse[at / 64] | bit : c->inuse[at / 64] & ~bit;
  }
}

static bool all_are(const struct tri_chunk_bits *c, unsigned lo, unsigned hi, bool in_use) {
  for (unsigned at = lo; at < hi; at++)
    if ((c->inuse[at / 64] >> (at % 64) & 1) != in_use) return false;
  return true;
}

/* The summary that follows from the one before is the one that looking at all of the chunk gives. */
Test(pagebits, a_summary_follows_from_the_one_before) {
  unsigned changes = 0;
  for (unsigned seed = 1; seed <= 64; seed++) {
    struct tri_chunk_bits c = {0};
    struct tri_page_sum sum = tri_chunk_summarise(&c);
    srand(seed);
    for (unsigned i = 0; i < 20000; i++) {
      unsigned lo = (unsigned)rand() % TRI_CHUNK_PAGES, most = 1u << rand() % 10;
      unsigned hi = lo + 1 + (unsigned)rand() % (unsigned)tri_min(most, TRI_CHUNK_PAGES - lo);
      bool in_use = (c.inuse[lo / 64] >> (lo % 64) & 1) != 0;
      if (!all_are(&c, lo, hi, in_use)) continue;
      set_pages(&c, lo, hi, !in_use);
      sum = tri_chunk_resummarise(&c, sum, lo, hi, in_use);
      struct tri_page_sum whole = tri_chunk_summarise(&c);
      cr_assert(sum.start == whole.start && sum.max == whole.max && sum.end == whole.end,
                "seed %u, change %u, [%u, %u)", seed, i, lo, hi);
      changes++;
    }
  }
  cr_assert_gt(changes, 100000);
}
