/*
 * Binary trees: a long-lived tree, and beside it trees of several depths that are built, walked and dropped. Small
 * objects full of pointers, the shape that collectors like best and that costs a malloc one call each way per node.
 */
#include "bench.h"

enum { MIN_DEPTH = 4, MAX_DEPTH = 16 };

struct node {
  struct node *left, *right;
};

static struct node *build(unsigned depth) {
  struct node *n = bench_need(bench_alloc(sizeof *n));
  bench_store(&n->left, depth == 0 ? NULL : build(depth - 1));
  bench_store(&n->right, depth == 0 ? NULL : build(depth - 1));
  return n;
}

static uint64_t count(const struct node *n) {
  return n == NULL ? 0 : 1 + count(n->left) + count(n->right);
}

static void drop(struct node *n) {
  if (n == NULL) return;
  drop(n->left);
  drop(n->right);
  bench_free(n);
}

int main(int argc, char **argv) {
  bench_init();
  uint64_t passes = (uint64_t)(30 * bench_scale(argc, argv)), sum = 0;
  struct node *stays = build(MAX_DEPTH);
  for (uint64_t pass = 0; pass < passes; pass++) {
    for (unsigned depth = MIN_DEPTH; depth <= MAX_DEPTH; depth += 2) {
      for (unsigned i = 0; i < 1U << (MAX_DEPTH - depth); i++) {
        struct node *tree = build(depth);
        sum = bench_mix(sum, count(tree));
        drop(tree);
      }
    }
  }
  return bench_result("trees", bench_mix(sum, count(stays)));
}
