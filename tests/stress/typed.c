/*
 * Objects with types. Each holder of a few words points to objects in the words that its type names, and has the
 * addresses of others in words that the type does not name. After a collection the first must all be there, the others
 * be gone, but for a few that old words on the stack may keep.
 *
 *   typed small|large|realloc|untyped|dirty|pages|calls
 *
 * small: holders of one to many elements in all size classes. large: arrays that are scanned in pieces. realloc: the
 * same after tri_realloc. untyped: the same without types keeps all; so the others prove something. dirty: the words of
 * holders change while collections run. pages: the same here and there in holders of many pages, beside a list that
 * makes marking long, so that single pages of marked holders are written to. calls: what tri_alloc_typed says to good
 * and bad arguments.
 */
#include <errno.h>

#include "support/probe.h"

enum { TARGET = 48, MOST = 500000 };

/* Hidden addresses of what must be there, and of what must be gone. A slot may be used again, so each has a number. */
static struct target {
  uintptr_t hidden;
  uint64_t number;
} real[MOST], disguised[MOST];
static size_t nreal, ndisguised;
static void *keep[4096]; /* holders; a root */
static size_t nkeep;

struct pair {
  void *disguised;
  void *real;
};
struct triple {
  void *disguised[2];
  void *real;
};
struct wide {
  void *disguised[37];
  void *real[3];
  void *more[61];
};
TRI_TYPE(pair_type, struct pair, real);
TRI_TYPE(triple_type, struct triple, real);
TRI_TYPE(wide_type, struct wide, real);
TRI_TYPE(wide_end_type, struct wide, more[60]);

static bool names(const struct tri_type *type, size_t word) {
  size_t w = word % (type->size / 8);
  return type->pointers[w / 64] >> (w % 64) & 1;
}

static uint64_t last_number;

static NOINLINE uint64_t *new_target(void) {
  uint64_t *p = tri_alloc_noscan(TARGET);
  CHECK(p != NULL && nreal < MOST && ndisguised < MOST, "no room");
  *p = ++last_number;
  return p;
}

static NOINLINE void note(struct target *list, size_t *n, const uint64_t *p) {
  list[(*n)++] = (struct target){HIDE(p), *p};
}

/* Fills words [from, to) of a holder. */
static NOINLINE void fill(void **holder, const struct tri_type *type, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    uint64_t *p = new_target();
    tri_write(&holder[i], p);
    if (names(type, i)) {
      note(real, &nreal, p);
    } else {
      note(disguised, &ndisguised, p);
    }
  }
}

static NOINLINE void **hold(const struct tri_type *type, size_t count, bool typed) {
  void **holder = typed ? tri_alloc_typed(type, count) : tri_alloc(type->size * count);
  CHECK(holder != NULL && nkeep < sizeof keep / sizeof *keep, "no room");
  for (size_t i = 0; i < type->size / 8 * count; i++) CHECK(holder[i] == NULL, "word %zu is not zero", i);
  keep[nkeep++] = holder;
  return holder;
}

static NOINLINE void make(const struct tri_type *type, size_t count, bool typed) {
  fill(hold(type, count, typed), type, 0, type->size / 8 * count);
}

static NOINLINE size_t count_objects(const struct target *list, size_t n) {
  size_t found = 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t *p = UNHIDE(list[i].hidden);
    found += tri_base(p) == p && *p == list[i].number;
  }
  return found;
}

/* What registers and old frames still say keeps a few; a word taken for a pointer in every object would keep all. */
enum { STRAY = 100 };

static void expect(bool disguised_too) {
  wipe();
  tri_gc();
  wipe();
  tri_gc();
  size_t r = count_objects(real, nreal), d = count_objects(disguised, ndisguised);
  CHECK(r == nreal, "%zu of %zu objects are there", r, nreal);
  if (disguised_too) {
    CHECK(d == ndisguised, "%zu of %zu objects are there", d, ndisguised);
  } else {
    CHECK(d <= STRAY, "%zu of %zu that nothing points to are there", d, ndisguised);
  }
  printf("%zu kept, %zu of %zu others\n", r, d, ndisguised);
}

static void small(bool typed) {
  static const struct tri_type *const types[] = {&pair_type, &triple_type, &wide_type, &wide_end_type};
  for (unsigned t = 0; t < 4; t++)
    for (size_t count = 1; count * types[t]->size <= 32768; count += 1 + count / 4)
      for (int i = 0; i < 2; i++) make(types[t], count, typed);
}

/* 24 and 808 bytes do not divide the pieces of 128 KiB. */
static void large(void) {
  make(&triple_type, 20000, true);
  make(&wide_type, 700, true);
  make(&pair_type, 3000, true);
}

/* Holders grow from class to class, and into large ones, with new elements behind the old. */
static NOINLINE void grow(const struct tri_type *type, size_t most) {
  size_t have = 1, slot = nkeep, words = type->size / 8;
  make(type, have, true);
  while (have < most) {
    size_t more = have + 1 + have / 2;
    void **moved = tri_realloc(keep[slot], more * type->size);
    CHECK(moved != NULL, "tri_realloc");
    keep[slot] = moved;
    fill(moved, type, have * words, more * words);
    have = more;
  }
}

static NOINLINE void resize(void) {
  grow(&pair_type, 9000);
  grow(&triple_type, 8000);
  grow(&wide_type, 300);
  for (int i = 0; i < 200; i++) grow(&triple_type, 20);
}

/* Each word of each holder is replaced again and again, so that collections meet them half done. */
static NOINLINE void change(void) {
  enum { HOLDERS = 600, COUNT = 30, ROUNDS = 60 };
  static struct target now[HOLDERS][COUNT];
  for (int i = 0; i < HOLDERS; i++) hold(&triple_type, COUNT, true);
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < HOLDERS; i++)
      for (int k = 0; k < COUNT; k++) {
        struct triple *t = (struct triple *)keep[i] + k;
        CHECK(round == 0 || *(uint64_t *)t->real == now[i][k].number, "lost");
        uint64_t *data = new_target();
        tri_write(&t->real, data);
        now[i][k] = (struct target){HIDE(data), *data};
        t->disguised[0] = new_target();
        if (round == ROUNDS - 1) note(disguised, &ndisguised, t->disguised[0]);
      }
  for (int i = 0; i < HOLDERS; i++)
    for (int k = 0; k < COUNT; k++) real[nreal++] = now[i][k];
}

enum { BIG = 48, ELEMENTS = 1300, HUGE_ELEMENTS = 20000 };
static struct target in_big[BIG][HUGE_ELEMENTS];

static NOINLINE void replace(int i, size_t k) {
  struct triple *t = (struct triple *)keep[i] + k;
  CHECK(in_big[i][k].number == 0 || *(uint64_t *)t->real == in_big[i][k].number, "lost");
  uint64_t *data = new_target();
  in_big[i][k] = (struct target){HIDE(data), *data};
  tri_write(&t->real, data);
  t->disguised[1] = new_target();
}

static NOINLINE void scatter(void) {
  enum { STEPS = 40000, LIST = 60000, GARBAGE = 2000 };
  static struct pair *list;
  uint64_t random = 1;
  for (int i = 0; i < LIST; i++) {
    struct pair *p = tri_alloc_typed(&pair_type, 1);
    CHECK(p != NULL, "no memory");
    tri_write(&p->real, list);
    list = p;
  }
  for (int i = 0; i < BIG; i++) hold(&triple_type, i % 8 ? ELEMENTS : HUGE_ELEMENTS, true);
  for (int n = 0; n < STEPS; n++) {
    int i = (int)(probe_random(&random) % BIG);
    CHECK(tri_alloc_noscan(GARBAGE) != NULL, "no memory"); /* few stores for each collection */
    replace(i, probe_random(&random) % (i % 8 ? ELEMENTS : HUGE_ELEMENTS));
  }
  for (int i = 0; i < BIG; i++)
    for (size_t k = 0; k < HUGE_ELEMENTS; k++)
      if (in_big[i][k].number) real[nreal++] = in_big[i][k];
}

static void says(const struct tri_type *type, size_t count, int expected) {
  errno = 0;
  void *p = tri_alloc_typed(type, count);
  CHECK((p == NULL) == (expected != 0) && errno == expected, "%p, errno %d, expected %d", p, errno, expected);
}

TRI_TYPE_DATA(byte_type, char);

static void calls(void) {
  static const uint64_t bits[] = {1, 0};
  static const struct tri_type empty = {"empty", 0, 0, NULL}, mismatch = {"mismatch", 64, 2, bits},
                               missing = {"missing", 64, 1, NULL}, odd = {"odd", 12, 1, bits},
                               unnamed = {NULL, 64, 1, bits}, huge = {"huge", (size_t)1 << 62, 0, NULL};
  for (int i = 0; i < 3; i++) {
    says(NULL, 1, EINVAL);
    says(&empty, 1, EINVAL);
    says(&mismatch, 1, EINVAL);
    says(&missing, 0, EINVAL);
    says(&odd, SIZE_MAX, EINVAL);
    says(&pair_type, SIZE_MAX, ENOMEM);
    says(&pair_type, SIZE_MAX / sizeof(struct pair) + 1, ENOMEM);
    says(&pair_type, (size_t)1 << 58, ENOMEM);
    says(&byte_type, SIZE_MAX, ENOMEM);
    says(&huge, 1, ENOMEM);
    says(&pair_type, 0, 0);
    says(&unnamed, 1, 0);
    says(&byte_type, 3, 0);
    says(&byte_type, 1 << 20, 0);
  }
  char *a = tri_alloc_typed(&pair_type, 0), *b = tri_alloc_typed(&pair_type, 0);
  CHECK(a != b && tri_usable_size(a) >= 8, "two objects");
  CHECK(tri_usable_size(tri_alloc_typed(&wide_type, 3)) >= 3 * sizeof(struct wide), "room");
  a = tri_alloc_typed(&wide_type, 2);
  CHECK(tri_base(a + 900) == a, "interior pointer");
  tri_free(a);
  CHECK(tri_base(a) == NULL, "freed");
  a = tri_alloc_typed(&byte_type, 1000);
  for (int i = 0; i < 1000; i++) CHECK(a[i] == 0, "zeroed");
  tri_free(a);
  tri_free(tri_alloc_typed(&wide_type, 1000));
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "small") == 0) small(true);
  if (strcmp(what, "untyped") == 0) small(false);
  if (strcmp(what, "large") == 0) large();
  if (strcmp(what, "realloc") == 0) resize();
  if (strcmp(what, "dirty") == 0) change();
  if (strcmp(what, "pages") == 0) scatter();
  if (strcmp(what, "calls") == 0) calls();
  expect(strcmp(what, "untyped") == 0);
  puts("ok");
  return 0;
}
