/* Types: bitmaps that the macros make, what is a good descriptor, tiling over arrays at every place, numbers. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "gc/types.h"
#include "tricolor/tricolor.h"

struct node {
  struct node *left, *right;
  uint64_t key;
  const char *name[2];
  struct {
    int a;
    void *p;
  } in;
  char tail;
};
TRI_TYPE(node_type, struct node, left, right, name, in.p);
TRI_TYPE(one_name_type, struct node, name[1]);
TRI_TYPE_DATA(data_type, struct node);

struct big {
  uint64_t x[100];
  void *p;
  uint64_t y[27];
  void *q[200];
};
TRI_TYPE(big_type, struct big, q, p);

#define NAMES(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
#define FIELD(i)    \
  uint64_t data##i; \
  void *pointer##i, *other##i;
struct many {
  NAMES(FIELD)
};
TRI_TYPE(many_type, struct many, pointer0, other0, pointer1, other1, pointer2, other2, pointer3, other3, pointer4,
         other4, pointer5, other5, pointer6, other6, pointer7, other7, pointer8, other8, pointer9, other9, pointer10,
         other10, pointer11, other11, pointer12, other12, pointer13, other13, pointer14, other14, pointer15, other15);

static bool bit(const uint64_t *bits, size_t i) {
  return bits[i / 64] >> (i % 64) & 1;
}

Test(types, macros_name_the_words_of_the_fields) {
  static const bool node[] = {1, 1, 0, 1, 1, 0, 1, 0};
  cr_assert(node_type.size == sizeof(struct node) && node_type.bitmap_words == 1);
  cr_assert_str_eq(node_type.name, "struct node");
  for (size_t i = 0; i < 64; i++) {
    cr_assert_eq(bit(node_type.pointers, i), i < TRI_ARRAY_LEN(node) && node[i], "word %zu", i);
    cr_assert_eq(bit(one_name_type.pointers, i), i == 4, "word %zu", i);
  }
  for (size_t i = 0; i < big_type.bitmap_words * 64; i++)
    cr_assert_eq(bit(big_type.pointers, i), i == 100 || (i >= 128 && i < 328), "word %zu", i);
  for (size_t i = 0; i < 64; i++) cr_assert_eq(bit(many_type.pointers, i), i < 48 && i % 3 != 0, "word %zu", i);
  cr_assert(data_type.bitmap_words == 0 && data_type.pointers == NULL);
}

Test(types, bad_descriptors) {
  static const uint64_t some[] = {5, 1}, past[] = {16, 0}, none[] = {0, 0};
  static const struct tri_type good[] = {
      {"a", 24, 1, some},  {NULL, 24, 1, some}, {"a", 1, 0, NULL},  {"a", 24, 0, some},
      {"a", 520, 2, some}, {"a", 20, 1, none},  {"a", 32, 1, none},
  };
  static const struct tri_type bad[] = {
      {"a", 0, 0, NULL},  {"a", 0, 0, some},  {"a", 24, 1, NULL}, {"a", 24, 2, some},       {"a", 520, 1, some},
      {"a", 32, 1, past}, {"a", 28, 1, some}, {"a", 16, 1, some}, {"a", 4, SIZE_MAX, some}, {"a", SIZE_MAX, 1, some},
  };
  for (size_t i = 0; i < TRI_ARRAY_LEN(good); i++) cr_assert(tri_types_are_good(&good[i]), "good %zu", i);
  for (size_t i = 0; i < TRI_ARRAY_LEN(bad); i++) {
    cr_assert(!tri_types_are_good(&bad[i]), "bad %zu", i);
    cr_assert_eq(tri_types_add(&bad[i]), TRI_TYPE_BAD, "bad %zu", i);
    cr_assert_eq(tri_types_find(&bad[i]), TRI_TYPE_UNKNOWN, "bad %zu", i);
  }
  cr_assert(!tri_types_are_good(NULL));
}

Test(types, added_once_and_found) {
  struct tri_type copy = node_type, other = node_type, larger = big_type;
  other.name = "another";
  cr_assert_eq(tri_types_find(&node_type), TRI_TYPE_UNKNOWN);
  unsigned n = tri_types_add(&node_type);
  cr_assert_geq(n, TRI_TYPE_FIRST);
  cr_assert(tri_types_find(&node_type) == n && tri_types_add(&node_type) == n);
  cr_assert_eq(tri_types_add(&copy), n, "equal contents");
  cr_assert_eq(tri_types_find(&copy), n);
  cr_assert_neq(tri_types_add(&other), n);
  cr_assert_neq(tri_types_add(&one_name_type), n);
  cr_assert_eq(tri_types_add(&data_type), TRI_TYPE_NOSCAN);
  cr_assert_eq(tri_types_add(&larger), tri_types_add(&big_type));
  const struct tri_type_info *info = &tri_type_infos[n];
  cr_assert_str_eq(info->name, "struct node");
  cr_assert(info->name != node_type.name && info->tiled != node_type.pointers, "nothing of the descriptor is kept");
}

static uint64_t seed = 7;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

/* At every word of an element, and stepping from 64 words to the next 64 as marking does. */
static void check_tiling(const struct tri_type *type) {
  const struct tri_type_info *info = &tri_type_infos[tri_types_add(type)];
  size_t period = type->size / 8;
  cr_assert_eq(info->period, period);
  bool all = true;
  for (size_t i = 0; i < period; i++) all = all && bit(type->pointers, i);
  cr_assert_eq(info->all, all);
  for (size_t phase = 0; phase < period; phase++)
    for (size_t i = 0; i < 64; i++)
      cr_assert_eq(tri_type_mask(info, phase) >> i & 1, bit(type->pointers, (phase + i) % period),
                   "%zu words, from %zu, word %zu", period, phase, i);
  cr_assert_eq(info->first, tri_type_mask(info, 0));
  cr_assert_eq(info->step, 64 % period);
}

Test(types, bitmaps_tile) {
  enum { MOST = 300 };
  static uint64_t bits[MOST + 1][MOST / 64 + 1];
  static struct tri_type type[MOST + 1];
  for (size_t words = 1; words <= MOST; words++) {
    for (size_t i = 0; i < words; i++) bits[words][i / 64] |= (uint64_t)(next_random() % 3 == 0) << (i % 64);
    bits[words][0] |= 1;
    type[words] = (struct tri_type){NULL, words * 8, TRI_TYPE_WORDS(words * 8), bits[words]};
    check_tiling(&type[words]);
  }
  check_tiling(&big_type);
}

Test(types, a_full_table_is_conservative) {
  static const uint64_t one[] = {1};
  static char name[3000][8];
  static struct tri_type type[3000];
  unsigned last = 0;
  for (unsigned i = 0; i < TRI_ARRAY_LEN(type); i++) {
    snprintf(name[i], sizeof name[i], "t%u", i);
    type[i] = (struct tri_type){name[i], 8, 1, one};
    unsigned n = tri_types_add(&type[i]);
    cr_assert_eq(n, i < TRI_TYPE_END - TRI_TYPE_FIRST ? last ? last + 1 : n : TRI_TYPE_ANY, "type %u", i);
    last = n;
  }
  for (unsigned i = 0; i < TRI_ARRAY_LEN(type); i++) cr_assert_eq(tri_types_add(&type[i]), tri_types_find(&type[i]));
  cr_assert_eq(tri_types_add(&data_type), TRI_TYPE_NOSCAN);
}

/* More descriptors than the hash table takes: they are looked through each time. */
Test(types, many_descriptors_of_one_type) {
  static struct tri_type copy[5000];
  unsigned n = tri_types_add(&node_type);
  for (unsigned i = 0; i < TRI_ARRAY_LEN(copy); i++) {
    copy[i] = node_type;
    cr_assert_eq(tri_types_add(&copy[i]), n, "copy %u", i);
  }
  cr_assert_eq(tri_types_find(&copy[0]), n);
  cr_assert_eq(tri_types_find(&copy[4999]), TRI_TYPE_UNKNOWN);
}
