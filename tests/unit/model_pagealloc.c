/* The page allocator against a naive bitmap: random operations, same answers. */
#include <criterion/criterion.h>
#include <string.h>

#include "alloc/os.h"
#include "alloc/pagealloc_types.h"
#include "tests/support/random.h"

#define CHUNK ((size_t)TRI_CHUNK_PAGES)
#define MAX_CHUNKS 75
#define MAX_PAGES (MAX_CHUNKS * CHUNK)
#define MAX_RUNS 4096
#define STEPS 30000

enum page_state { ABSENT, USED, DIRTY, SCAVENGED };

static struct {
  struct tri_pagealloc pa;
  struct test_random random;
  uint8_t page[MAX_PAGES]; /* enum page_state */
  size_t pages;
  struct {
    size_t page, n;
  } run[MAX_RUNS];
  size_t nruns;
} m;

static bool is_free(size_t page) {
  return m.page[page] == DIRTY || m.page[page] == SCAVENGED;
}

static size_t naive_find(size_t n, size_t align) {
  size_t run = 0;
  for (size_t i = 0; i < m.pages; i++) {
    run = is_free(i) ? run + 1 : 0;
    /* Lowest aligned start inside the run that leaves n pages. */
    if (run < n) continue;
    size_t start = i + 1 - n;
    if ((m.pa.base_page + start) % align == 0) return start;
  }
  return TRI_NO_PAGE;
}

static size_t naive_take(size_t page, size_t n) {
  size_t scavenged = 0;
  for (size_t i = page; i < page + n; i++) {
    scavenged += m.page[i] == SCAVENGED;
    m.page[i] = USED;
  }
  m.run[m.nruns].page = page;
  m.run[m.nruns++].n = n;
  return scavenged;
}

static void do_alloc(void) {
  if (m.nruns == MAX_RUNS) return;
  size_t n = test_random_size(&m.random, 6 * CHUNK), scavenged = SIZE_MAX;
  size_t align = test_random_below(&m.random, 4) ? 1 : (size_t)1 << test_random_below(&m.random, 13);
  size_t expected = naive_find(n, align), page = tri_pagealloc_alloc(&m.pa, n, align, &scavenged);
  cr_assert_eq(page, expected, "alloc(%zu, %zu) gave %zd, not %zd", n, align, (ssize_t)page, (ssize_t)expected);
  if (page != TRI_NO_PAGE) cr_assert_eq(scavenged, naive_take(page, n));
}

static void do_alloc_at(void) {
  if (m.nruns == MAX_RUNS) return;
  size_t page = test_random_below(&m.random, m.pages), n = test_random_size(&m.random, 2 * CHUNK), scavenged = SIZE_MAX;
  bool expected = n <= m.pages - page;
  for (size_t i = page; expected && i < page + n; i++) expected = is_free(i);
  cr_assert_eq(tri_pagealloc_alloc_at(&m.pa, page, n, &scavenged), expected, "alloc_at(%zu, %zu)", page, n);
  if (expected) cr_assert_eq(scavenged, naive_take(page, n));
}

/* Frees a run, or a part of it. */
static void do_free(void) {
  if (m.nruns == 0) return;
  size_t r = test_random_below(&m.random, m.nruns), page = m.run[r].page, n = m.run[r].n;
  size_t kept = test_random_below(&m.random, 3) ? 0 : test_random_below(&m.random, n);
  tri_pagealloc_free(&m.pa, page + kept, n - kept);
  memset(&m.page[page + kept], DIRTY, n - kept);
  if (kept != 0) {
    m.run[r].n = kept;
  } else {
    m.run[r] = m.run[--m.nruns];
  }
}

static size_t naive_dirty(size_t from, size_t min, size_t *ret_n) {
  size_t run = 0;
  for (size_t i = from; i <= m.pages; i++) {
    if (i < m.pages && m.page[i] == DIRTY) {
      run++;
      continue;
    }
    *ret_n = run;
    if (run != 0 && run >= min) return i - run;
    run = 0;
  }
  return TRI_NO_PAGE;
}

static void do_scavenge(void) {
  size_t from = test_random_below(&m.random, m.pages), min = test_random_size(&m.random, CHUNK), n = 0, expected_n;
  size_t expected = naive_dirty(from, min, &expected_n), page = tri_pagealloc_next_dirty_run(&m.pa, from, min, &n);
  cr_assert_eq(page, expected, "dirty(%zu, %zu) gave %zd, not %zd", from, min, (ssize_t)page, (ssize_t)expected);
  if (page == TRI_NO_PAGE) return;
  cr_assert_eq(n, expected_n);
  size_t part = 1 + test_random_below(&m.random, n);
  tri_pagealloc_set_scavenged(&m.pa, page, part);
  memset(&m.page[page], SCAVENGED, part);
}

static void do_grow(void) {
  size_t n = tri_min((1 + test_random_below(&m.random, 9)) * CHUNK, MAX_PAGES - m.pages);
  if (n == 0) return;
  cr_assert(tri_pagealloc_grow(&m.pa, m.pages, n));
  memset(&m.page[m.pages], SCAVENGED, n);
  m.pages += n;
}

static void compare_counts(void) {
  size_t dirty = 0, scavenged = 0;
  for (size_t i = 0; i < m.pages; i++) {
    dirty += m.page[i] == DIRTY;
    scavenged += m.page[i] == SCAVENGED;
  }
  cr_assert_eq(tri_pagealloc_free_pages(&m.pa), dirty + scavenged);
  cr_assert_eq(tri_pagealloc_scavenged_pages(&m.pa), scavenged);
  tri_pagealloc_check(&m.pa);
}

Test(model, pagealloc, .timeout = 120) {
  m.random = test_random_seeded("model_pagealloc");
  tri_pagealloc_init(&m.pa, tri_os_reserve(tri_pagealloc_meta_size(MAX_PAGES), 65536), MAX_PAGES);
  m.pa.base_page = test_random_below(&m.random, 1 << 20) * CHUNK;
  do_grow();
  for (int step = 0; step < STEPS; step++) {
    /* Phases that fill alternate with phases that empty. */
    size_t fill = step / 2000 % 2 ? 30 : 55, what = test_random_below(&m.random, 100);
    if (what < fill) {
      do_alloc();
    } else if (what < fill + 5) {
      do_alloc_at();
    } else if (what < 90) {
      do_free();
    } else if (what < 99) {
      do_scavenge();
    } else if (test_random_below(&m.random, 4) == 0) {
      do_grow();
    }
    if (step % 50 == 0) compare_counts();
  }
  compare_counts();
}
