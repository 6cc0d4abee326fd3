/*
 * A program written for the collector: counts words in a search tree and never frees. Each round builds a tree from the
 * same text and drops the one before; the nodes and the words in them are found again by the collector.
 *
 * Build it outside this tree with: cc words.c $(pkg-config --cflags --libs tricolor)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tricolor/tricolor.h>

enum { ROUNDS = 200, WORDS = 5000 };

struct word {
  struct word *left, *right;
  char *text;
  unsigned count;
};

static void *need(void *p) {
  if (p == NULL) {
    perror("words");
    exit(1);
  }
  return p;
}

static void add(struct word **tree, const char *text) {
  while (*tree != NULL) {
    int order = strcmp(text, (*tree)->text);
    if (order == 0) {
      (*tree)->count++;
      return;
    }
    tree = order < 0 ? &(*tree)->left : &(*tree)->right;
  }
  struct word *w = need(tri_alloc(sizeof *w));
  tri_write(&w->text, need(tri_alloc_noscan(strlen(text) + 1)));
  strcpy(w->text, text);
  w->count = 1;
  tri_write(tree, w);
}

static unsigned long total(const struct word *tree) {
  return tree == NULL ? 0 : tree->count + total(tree->left) + total(tree->right);
}

static struct word *build(void) {
  struct word *tree = NULL;
  unsigned state = 1;
  for (int i = 0; i < WORDS; i++) {
    char text[32];
    state = state * 1103515245u + 12345u;
    snprintf(text, sizeof text, "word-%u", state >> 16 & 2047);
    add(&tree, text);
  }
  return tree;
}

int main(void) {
  unsigned long words = 0;
  for (int round = 0; round < ROUNDS; round++) words += total(build());
  tri_gc();

  struct tri_stats stats = {.size = sizeof stats};
  if (tri_read_stats(&stats) != 0) return 1;
  printf("%lu words counted, %lu collections, %zu KiB in use at the end\n", words, stats.num_gc,
         stats.heap_alloc >> 10);
  return words == (unsigned long)ROUNDS * WORDS && stats.num_gc > 1 ? 0 : 1;
}
