/* Objects that several benchmark programs are made of. After bench.h, whose forms they have. */
#ifndef BENCH_PIECES_H
#define BENCH_PIECES_H

#include "bench.h"

struct node {
  struct node *left, *right;
};

static inline struct node *build_tree(unsigned depth) {
  struct node *n = bench_need(bench_alloc(sizeof *n));
  bench_store(&n->left, depth == 0 ? NULL : build_tree(depth - 1));
  bench_store(&n->right, depth == 0 ? NULL : build_tree(depth - 1));
  return n;
}

static inline uint64_t count_nodes(const struct node *n) {
  return n == NULL ? 0 : 1 + count_nodes(n->left) + count_nodes(n->right);
}

static inline void free_tree(struct node *n) {
  if (n == NULL) return;
  free_tree(n->left);
  free_tree(n->right);
  bench_free(n);
}

/* 16 to 1023 bytes, of which the first word and the last byte are written. */
struct block {
  uint64_t tag;
  unsigned char data[];
};

static inline struct block *new_block(uint64_t *random) {
  size_t size = bench_size(random, 4, 6);
  struct block *b = bench_need(bench_alloc(size));
  b->tag = *random >> 1 | UINT64_C(1) << 63; /* looks like no address */
  b->data[size - sizeof *b - 1] = (unsigned char)size;
  return b;
}

#endif
