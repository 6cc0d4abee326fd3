/*
 * Binary trees: a long-lived tree, and beside it trees of several depths that are built, walked and dropped. Small
 * objects full of pointers, the shape that collectors like best and that costs a malloc one call each way per node.
 */
#include "pieces.h"

enum { MIN_DEPTH = 4, MAX_DEPTH = 16 };

int main(int argc, char **argv) {
  bench_init();
  uint64_t passes = (uint64_t)(30 * bench_scale(argc, argv)), sum = 0;
  struct node *stays = build_tree(MAX_DEPTH);
  for (uint64_t pass = 0; pass < passes; pass++) {
    for (unsigned depth = MIN_DEPTH; depth <= MAX_DEPTH; depth += 2) {
      for (unsigned i = 0; i < 1U << (MAX_DEPTH - depth); i++) {
        struct node *tree = build_tree(depth);
        sum = bench_mix(sum, count_nodes(tree));
        free_tree(tree);
      }
    }
  }
  return bench_result("trees", bench_mix(sum, count_nodes(stays)));
}
