/*
 * A store over a pointer without tri_write, which gccheckmark=1 finds: while marking runs, the only pointer to a leaf
 * moves, behind the collector's back, from the end of a long list into a node that is marked already. Prints the
 * leaf's address, as the message must name it; ends with 3 when nobody noticed. Run it with barrier=hybrid.
 */
#include "support/probe.h"

enum { NODES = 300000, TRIES = 50 };

struct leaf {
  void *none;
  uint64_t data;
};
struct node {
  uint64_t data;
  struct node *next;
  struct leaf *leaf;
};
TRI_TYPE(leaf_type, struct leaf, none);
TRI_TYPE(node_type, struct node, next, leaf);

static struct node *list, *thief;
static uintptr_t hidden_last; /* a root would be scanned early */

static NOINLINE struct node *new_node(struct node *next) {
  struct node *n = tri_alloc_typed(&node_type, 1);
  CHECK(n != NULL, "no memory");
  tri_write(&n->next, next);
  return n;
}

/* Allocation starts collections; the first node made while the barrier is on is black. */
static NOINLINE void steal(void) {
  while (tri_barrier_self.state == 0) tri_alloc_noscan(4096);
  struct node *last = UNHIDE(hidden_last);
  struct leaf *leaf = last->leaf;
  thief = new_node(NULL);
  thief->leaf = leaf;
  last->leaf = NULL;
  printf("address 0x%lx\n", (unsigned long)(uintptr_t)leaf);
  fflush(stdout);
}

/* The second store takes the place of the first in the thread's barrier, which is a root. */
static NOINLINE void give_leaf(void) {
  tri_write(&((struct node *)UNHIDE(hidden_last))->leaf, tri_alloc_typed(&leaf_type, 1));
  tri_write(&list->leaf, NULL);
}

int main(void) {
  list = new_node(NULL);
  hidden_last = HIDE(list);
  for (int i = 0; i < NODES; i++) list = new_node(list);
  for (int i = 0; i < TRIES; i++) {
    while (tri_barrier_self.state != 0) tri_alloc_noscan(4096);
    give_leaf();
    wipe();
    steal();
    wipe();
    tri_gc();
  }
  return 3;
}
