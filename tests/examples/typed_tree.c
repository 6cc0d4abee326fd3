/*
 * Typed allocation: a tree of measurements whose nodes are full of numbers. Any 64 bits may be in `value` and `seen`,
 * addresses too; the collector looks at `left`, `right` and `label` alone, since the type names no other words. Nothing
 * is freed: readings that fall out of the tree are collected, however many numbers look like their addresses.
 *
 * Build it outside this tree with: cc typed_tree.c $(pkg-config --cflags --libs tricolor)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tricolor/tricolor.h>

enum { KEYS = 500, ROUNDS = 400, SERIES = 16 };

struct reading {
  struct reading *left, *right;
  uint64_t key;
  uint64_t value[SERIES]; /* numbers */
  uintptr_t seen;         /* the address of the reading that this one replaced, as a number: keeps nothing alive */
  char *label;
};
TRI_TYPE(reading_type, struct reading, left, right, label);

static void *need(void *p) {
  if (p == NULL) {
    perror("typed_tree");
    exit(1);
  }
  return p;
}

static struct reading *new_reading(uint64_t key, uint64_t value) {
  struct reading *r = need(tri_alloc_typed(&reading_type, 1));
  char text[32];
  snprintf(text, sizeof text, "sensor %u", (unsigned)key);
  r->key = key;
  for (int i = 0; i < SERIES; i++) r->value[i] = value * (uint64_t)(i + 1);
  tri_write(&r->label, need(tri_alloc_noscan(strlen(text) + 1)));
  strcpy(r->label, text);
  return r;
}

/* The new reading takes the old one's place. */
static void put(struct reading **place, uint64_t key, uint64_t value) {
  while (*place != NULL && (*place)->key != key) place = key < (*place)->key ? &(*place)->left : &(*place)->right;
  struct reading *old = *place, *r = new_reading(key, value);
  if (old != NULL) {
    tri_write(&r->left, old->left);
    tri_write(&r->right, old->right);
    r->seen = (uintptr_t)old;
  }
  tri_write(place, r);
}

static unsigned long check(const struct reading *r, uint64_t value) {
  char text[32];
  if (r == NULL) return 0;
  snprintf(text, sizeof text, "sensor %u", (unsigned)r->key);
  if (strcmp(text, r->label) != 0 || r->value[0] != value || r->value[SERIES - 1] != value * SERIES) {
    fprintf(stderr, "the reading of %s is wrong\n", text);
    exit(1);
  }
  return 1 + check(r->left, value) + check(r->right, value);
}

int main(void) {
  struct reading *tree = NULL;
  for (uint64_t round = 1; round <= ROUNDS; round++)
    for (uint64_t i = 0; i < KEYS; i++) put(&tree, i * 7919 % KEYS, round);
  unsigned long readings = check(tree, ROUNDS);
  tri_gc();

  struct tri_stats stats = {.size = sizeof stats};
  if (tri_read_stats(&stats) != 0) return 1;
  printf("%lu readings of %lu live, %lu collections, %zu KiB in use at the end\n", readings,
         (unsigned long)KEYS * ROUNDS, stats.num_gc, stats.heap_alloc >> 10);
  return readings == KEYS && stats.num_gc > 1 && stats.heap_alloc < ((size_t)8 << 20) ? 0 : 1;
}
