/* mheap against a naive model: random births, deaths, resizes and releases; no two spans share a page, content stays,
 * the table tells the truth, and pages said to be zero are. */
#include <criterion/criterion.h>
#include <string.h>

#include "alloc/mheap.h"
#include "tests/support/random.h"

#define HEAP_BYTES ((size_t)96 << 20)
#define HEAP_PAGES (HEAP_BYTES / TRI_PAGE_SIZE)
#define MAX_SPANS 600
#define STEPS 20000

static struct {
  struct test_random random;
  struct tri_mspan *owner[HEAP_PAGES]; /* the model's table */
  struct {
    struct tri_mspan *s;
    uint64_t stamp;
  } live[MAX_SPANS];
  size_t nlive, inuse;
  uint64_t next_stamp;
} m;

static size_t page_of(const struct tri_mspan *s) {
  return (s->base - tri_heap_range.base) / TRI_PAGE_SIZE;
}

static uint64_t *word(const struct tri_mspan *s, size_t page) {
  return (uint64_t *)(s->base + page * TRI_PAGE_SIZE);
}

/* Pages [from, to) of s become its own: free before, zero if promised. */
static void claim(struct tri_mspan *s, size_t from, size_t to, bool needzero, uint64_t stamp) {
  for (size_t i = from; i < to; i++) {
    size_t page = page_of(s) + i;
    cr_assert_null(m.owner[page], "page %zu has two owners", page);
    if (!needzero) cr_assert_eq(*word(s, i), 0, "page %zu is not zero", page);
    m.owner[page] = s;
    *word(s, i) = stamp;
  }
  m.inuse += to - from;
}

static void disclaim(struct tri_mspan *s, size_t from, size_t to, uint64_t stamp) {
  for (size_t i = from; i < to; i++) {
    cr_assert_eq(*word(s, i), stamp, "page %zu was overwritten", page_of(s) + i);
    m.owner[page_of(s) + i] = NULL;
  }
  m.inuse -= to - from;
}

static size_t longest_free_run(void) {
  size_t best = 0, run = 0;
  for (size_t i = 0; i < HEAP_PAGES; i++) {
    run = m.owner[i] == NULL ? run + 1 : 0;
    best = tri_max(best, run);
  }
  return best;
}

static void do_alloc(void) {
  if (m.nlive == MAX_SPANS) return;
  size_t n = test_random_size(&m.random, 2000);
  size_t align = test_random_below(&m.random, 5) ? 1 : (size_t)1 << test_random_below(&m.random, 11);
  uint32_t nelems = 1 + (uint32_t)test_random_below(&m.random, 1024);
  if (test_random_below(&m.random, 2)) nelems = 1;
  struct tri_mspan *s = tri_mheap_alloc_span(n, align, nelems);
  if (s == NULL) {
    cr_assert(longest_free_run() < n + align - 1, "refused %zu pages, %zu were free", n, longest_free_run());
    return;
  }
  cr_assert(s->npages == n && s->nelems == nelems && s->base % (align * TRI_PAGE_SIZE) == 0);
  claim(s, 0, n, s->needzero, ++m.next_stamp);
  m.live[m.nlive].s = s;
  m.live[m.nlive++].stamp = m.next_stamp;
}

static void do_free(void) {
  if (m.nlive == 0) return;
  size_t i = test_random_below(&m.random, m.nlive);
  disclaim(m.live[i].s, 0, m.live[i].s->npages, m.live[i].stamp);
  tri_mheap_free_span(m.live[i].s, test_random_below(&m.random, 2));
  m.live[i] = m.live[--m.nlive];
}

static void do_resize(void) {
  if (m.nlive == 0) return;
  size_t i = test_random_below(&m.random, m.nlive);
  struct tri_mspan *s = m.live[i].s;
  if (s->nelems != 1) return;
  size_t old = s->npages, n = test_random_size(&m.random, old * 2), end = page_of(s) + old;
  bool needzero = false, expected = n <= old || n - old <= HEAP_PAGES - end;
  for (size_t p = end; expected && n > old && p < end + (n - old); p++) expected = m.owner[p] == NULL;
  if (n < old) disclaim(s, n, old, m.live[i].stamp);
  cr_assert_eq(tri_mheap_resize_span(s, n, &needzero), expected, "resize %zu to %zu pages", old, n);
  if (expected && n > old) claim(s, old, n, needzero, m.live[i].stamp);
}

static void compare(void) {
  struct tri_mheap_stats st;
  tri_mheap_read_stats(&st);
  cr_assert_eq(st.nspans, m.nlive);
  cr_assert_eq(st.inuse_bytes, m.inuse * TRI_PAGE_SIZE);
  cr_assert_eq(st.used_bytes, st.inuse_bytes + st.free_bytes + st.released_bytes);
  for (size_t i = 0; i < HEAP_PAGES; i++) {
    struct tri_mspan *s = tri_mheap_span_of(tri_heap_range.base + i * TRI_PAGE_SIZE + i % TRI_PAGE_SIZE);
    cr_assert(s == m.owner[i] || (m.owner[i] == NULL && s->base == 0), "page %zu", i); /* base 0: a tombstone */
  }
  tri_mheap_check();
}

Test(model, mheap, .timeout = 120) {
  m.random = test_random_seeded("model_mheap");
  cr_assert(tri_mheap_init(HEAP_BYTES));
  cr_assert_eq(tri_heap_range.reserved_bytes, HEAP_BYTES);
  for (int step = 0; step < STEPS; step++) {
    size_t fill = step / 2000 % 2 ? 35 : 55, what = test_random_below(&m.random, 100);
    if (what < fill) {
      do_alloc();
    } else if (what < 88) {
      do_free();
    } else if (what < 98) {
      do_resize();
    } else {
      tri_mheap_release_free(test_random_size(&m.random, (size_t)4 << 20), 0);
    }
    if (step % 100 == 0) compare();
  }
  compare();
  while (m.nlive > 0) do_free();
  compare();
}
