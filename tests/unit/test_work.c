/* Grey work: nothing put is lost or doubled, in one marker, between many, and when memory runs out. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "alloc/fixalloc.h"
#include "alloc/mspan.h"
#include "gc/work.h"

enum { MANY = 100000, MARKERS = 4, PER_MARKER = 60000 };

/* The allocator of buffers, which may be told to refuse. */
static tri_aint chunks, refuse;

void *tri_persistent_alloc(size_t size) {
  if (tri_int_load_acq(&refuse)) return NULL;
  tri_int_fetch_add_acq_rel(&chunks, 1);
  return aligned_alloc(64, tri_align_up(size, 64));
}

static unsigned char got[MARKERS * PER_MARKER + MANY + 1];

static size_t drain(struct tri_work *w) {
  size_t n = 0;
  for (uintptr_t grey; (grey = tri_work_get(w)); n++) got[grey]++;
  return n;
}

Test(work, grey_entries_pack_address_and_class) {
  uintptr_t address = 0x7fffffffff08;
  for (unsigned c = 0; c < 68; c++) {
    uintptr_t grey = tri_grey(address, c << 8);
    cr_assert_eq(tri_grey_address(grey), address);
    cr_assert_eq(tri_grey_class(grey), c);
    cr_assert(!tri_grey_noscan(grey) && tri_grey_is_plain(grey));
    cr_assert_eq(tri_grey_type(grey), 0);
  }
}

Test(work, typed_entries_pack_the_type_too) {
  for (unsigned type = 1; type < 1u << TRI_GREY_TYPE_BITS; type++)
    for (unsigned c = 1; c < 68; c += 11) {
      uintptr_t address = 0x7fffffffff08 + c * 8;
      uintptr_t grey = tri_grey_typed(address, c << 8 | TRI_TAG_TYPED | TRI_TAG_SPECIAL, type);
      cr_assert_eq(tri_grey_address(grey), address);
      cr_assert_eq(tri_grey_class(grey), c + TRI_GREY_TYPED);
      cr_assert_eq(tri_grey_type(grey), type);
      cr_assert(!tri_grey_noscan(grey) && !tri_grey_is_plain(grey));
    }
}

/* The type is not known yet, or there is none. */
Test(work, tags_tell_plain_entries) {
  uintptr_t address = 0x7fffffffff08;
  for (unsigned c = 0; c < 68; c++) {
    uintptr_t noscan = tri_grey(address, c << 8 | TRI_TAG_NOSCAN | TRI_TAG_SPECIAL);
    uintptr_t typed = tri_grey(address, c << 8 | TRI_TAG_TYPED | TRI_TAG_SPECIAL);
    cr_assert(!tri_grey_is_plain(noscan) && tri_grey_noscan(noscan));
    cr_assert(!tri_grey_is_plain(typed) && !tri_grey_noscan(typed));
    cr_assert_eq(tri_grey_address(typed), address);
    cr_assert_eq(tri_grey_typed(address, c << 8 | TRI_TAG_TYPED | TRI_TAG_SPECIAL, 0), tri_grey(address, c << 8));
  }
}

Test(work, many_at_once) {
  struct tri_work w = {0};
  uintptr_t some[100], back[100], n = 0;
  for (unsigned round = 0; round < 50; round++) {
    unsigned k = round * 7 % 100;
    for (unsigned i = 0; i < k; i++) some[i] = ++n;
    cr_assert(tri_work_put_many(&w, some, k));
  }
  size_t got_back = 0;
  for (unsigned k, want = 1; (k = tri_work_get_many(&w, back, want)) > 0; want = want % 100 + 1) {
    cr_assert_leq(k, want);
    for (unsigned i = 0; i < k; i++) got[back[i]]++;
    got_back += k;
  }
  cr_assert_eq(got_back, n);
  for (size_t i = 1; i <= n; i++) cr_assert_eq(got[i], 1, "entry %zu", i);
  cr_assert_eq(tri_work_get(&w), 0);
}

Test(work, the_last_put_come_first) {
  struct tri_work w = {0};
  uintptr_t back[3];
  for (uintptr_t i = 1; i <= 5; i++) tri_work_put(&w, i);
  cr_assert_eq(tri_work_get_many(&w, back, 3), 3);
  cr_assert(back[0] == 5 && back[1] == 4 && back[2] == 3);
  cr_assert_eq(tri_work_get_many(&w, back, 3), 2);
}

Test(work, empty_at_first) {
  struct tri_work w = {0};
  cr_assert_eq(tri_work_get(&w), 0);
  cr_assert_not(tri_work_available());
  tri_work_share(&w);
  tri_work_dispose(&w);
}

Test(work, one_marker_gets_back_each_once) {
  struct tri_work w = {0};
  for (uintptr_t i = 1; i <= MANY; i++) cr_assert(tri_work_put(&w, i));
  cr_assert(tri_work_available());
  cr_assert_eq(drain(&w), MANY);
  for (size_t i = 1; i <= MANY; i++) cr_assert_eq(got[i], 1, "entry %zu", i);
  cr_assert_not(tri_work_available());
  cr_assert_not(w.overflow);
  tri_work_dispose(&w);
}

Test(work, the_newest_first_within_a_buffer) {
  struct tri_work w = {0};
  for (uintptr_t i = 1; i <= TRI_WORKBUF_ENTRIES; i++) tri_work_put(&w, i);
  for (uintptr_t i = TRI_WORKBUF_ENTRIES; i >= 1; i--) cr_assert_eq(tri_work_get(&w), i);
}

Test(work, work_at_a_buffers_edge_stays_off_the_stacks) {
  struct tri_work w = {0};
  for (uintptr_t i = 1; i <= TRI_WORKBUF_ENTRIES + 1; i++) tri_work_put(&w, i);
  for (int round = 0; round < 1000; round++) {
    cr_assert_neq(tri_work_get(&w), 0);
    cr_assert_neq(tri_work_get(&w), 0);
    tri_work_put(&w, 1);
    tri_work_put(&w, 2);
    cr_assert_not(tri_work_available());
  }
}

Test(work, buffers_are_used_again) {
  struct tri_work w = {0};
  for (int round = 0; round < 20; round++) {
    for (uintptr_t i = 1; i <= MANY; i++) tri_work_put(&w, i);
    cr_assert_eq(drain(&w), MANY);
    tri_work_dispose(&w);
    if (round == 0) refuse = 1;
    cr_assert_not(w.overflow);
  }
}

Test(work, share_gives_the_older_half_or_the_spare) {
  struct tri_work w = {0}, other = {0};
  for (uintptr_t i = 1; i <= 3; i++) tri_work_put(&w, i);
  tri_work_share(&w);
  cr_assert_not(tri_work_available(), "too little to share");
  for (uintptr_t i = 4; i <= 101; i++) tri_work_put(&w, i);
  tri_work_share(&w);
  cr_assert(tri_work_available());
  cr_assert_eq(tri_work_get(&other), 50);
  cr_assert_eq(tri_work_get(&w), 101);
  cr_assert_eq(drain(&other), 49);
  cr_assert_eq(drain(&w), 50);
  for (uintptr_t i = 1; i <= 2 * TRI_WORKBUF_ENTRIES; i++) tri_work_put(&w, i);
  cr_assert_not(tri_work_available());
  tri_work_share(&w);
  cr_assert_eq(drain(&other), TRI_WORKBUF_ENTRIES);
  cr_assert_eq(drain(&w), TRI_WORKBUF_ENTRIES);
}

Test(work, without_memory_an_entry_is_dropped_and_it_shows) {
  struct tri_work w = {0}, none = {0};
  refuse = 1;
  cr_assert_not(tri_work_put(&none, 1));
  cr_assert(none.overflow);
  refuse = 0;
  uintptr_t put = 0;
  cr_assert(tri_work_put(&w, ++put));
  refuse = 1;
  while (tri_work_put(&w, put + 1)) put++;
  cr_assert(w.overflow);
  cr_assert_geq(put, TRI_WORKBUF_ENTRIES);
  tri_work_share(&w);
  cr_assert_eq(drain(&w), put, "what was accepted is kept");
  tri_work_dispose(&w);
  cr_assert(w.overflow, "tri_mark_recover asks after the marker has ended");
}

Test(work, put_up_entries_are_for_the_next_round) {
  struct tri_work w = {0}, next = {0};
  for (uintptr_t i = 1; i <= TRI_WORKBUF_ENTRIES + 5; i++) cr_assert(tri_work_put(&w, i));
  tri_work_put_up(&w);
  cr_assert(w.cur == NULL && w.spare == NULL);
  cr_assert(tri_work_available());
  cr_assert_eq(drain(&next), TRI_WORKBUF_ENTRIES + 5);
  tri_work_dispose(&next);
  cr_assert(tri_work_put(&w, 1));
  tri_work_put_up(&w);
  tri_work_drop_all();
  cr_assert_not(tri_work_available());
}

/* Markers pass buffers round as fast as they can. */

static void *marker(void *arg) {
  struct tri_work w = {0};
  uintptr_t base = (uintptr_t)arg * PER_MARKER;
  for (uintptr_t i = 1; i <= PER_MARKER; i++) {
    cr_assert(tri_work_put(&w, base + i));
    if (i % 97 == 0) tri_work_share(&w);
    uintptr_t grey = i % 3 == 0 ? tri_work_get(&w) : 0;
    if (grey) __atomic_fetch_add(&got[grey], 1, __ATOMIC_RELAXED);
  }
  for (uintptr_t grey; (grey = tri_work_get(&w));) __atomic_fetch_add(&got[grey], 1, __ATOMIC_RELAXED);
  tri_work_dispose(&w);
  return NULL;
}

Test(work, markers_share_without_loss, .timeout = 60) {
  pthread_t threads[MARKERS];
  for (uintptr_t i = 0; i < MARKERS; i++) cr_assert_eq(pthread_create(&threads[i], NULL, marker, (void *)i), 0);
  for (int i = 0; i < MARKERS; i++) pthread_join(threads[i], NULL);
  struct tri_work rest = {0};
  drain(&rest);
  for (size_t i = 1; i <= (size_t)MARKERS * PER_MARKER; i++) cr_assert_eq(got[i], 1, "entry %zu: %d times", i, got[i]);
}
