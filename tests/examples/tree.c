/*
 * A search tree that stays balanced: a treap. Insertions and deletions rotate nodes that a collection may be looking
 * at, so each link is stored with tri_write, through a pointer to the slot; deleted nodes are simply left.
 *
 * The tree's root is a local variable of main: slots in stacks may be stored into with tri_write like any other, which
 * saves the functions from knowing where a slot is.
 *
 * Build it outside this tree with: cc tree.c $(pkg-config --cflags --libs tricolor)
 */
#include <stdio.h>
#include <stdlib.h>
#include <tricolor/tricolor.h>

enum { KEYS = 30000, STEPS = 2000000 };

struct node {
  struct node *left, *right;
  unsigned key, priority;
};

static unsigned random_state = 1;

static unsigned random_number(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}

static struct node *make(unsigned key) {
  struct node *n = tri_alloc(sizeof *n);
  if (n == NULL) {
    perror("tree");
    exit(1);
  }
  n->key = key;
  n->priority = random_number();
  return n;
}

static void rotate_right(struct node **slot) {
  struct node *up = (*slot)->left, *down = *slot;
  tri_write(&down->left, up->right);
  tri_write(&up->right, down);
  tri_write(slot, up);
}

static void rotate_left(struct node **slot) {
  struct node *up = (*slot)->right, *down = *slot;
  tri_write(&down->right, up->left);
  tri_write(&up->left, down);
  tri_write(slot, up);
}

static void insert(struct node **slot, unsigned key) {
  struct node *n = *slot;
  if (n == NULL) {
    tri_write(slot, make(key));
  } else if (key < n->key) {
    insert(&n->left, key);
    if (n->left->priority > n->priority) rotate_right(slot);
  } else if (key > n->key) {
    insert(&n->right, key);
    if (n->right->priority > n->priority) rotate_left(slot);
  }
}

static void delete_top(struct node **slot) {
  struct node *n = *slot;
  if (n->left == NULL || n->right == NULL) {
    tri_write(slot, n->left != NULL ? n->left : n->right);
  } else if (n->left->priority > n->right->priority) {
    rotate_right(slot);
    delete_top(&(*slot)->right);
  } else {
    rotate_left(slot);
    delete_top(&(*slot)->left);
  }
}

static void remove_key(struct node **slot, unsigned key) {
  while (*slot != NULL && (*slot)->key != key) slot = key < (*slot)->key ? &(*slot)->left : &(*slot)->right;
  if (*slot != NULL) delete_top(slot);
}

/* Counts the nodes that are in order and below one of higher priority. */
static unsigned long good_nodes(const struct node *n, unsigned low, unsigned high, unsigned priority) {
  if (n == NULL) return 0;
  unsigned long good = n->key >= low && n->key < high && n->priority <= priority;
  return good + good_nodes(n->left, low, n->key, n->priority) + good_nodes(n->right, n->key + 1, high, n->priority);
}

int main(void) {
  static unsigned char present[KEYS];
  struct node *root = NULL;
  unsigned long expected = 0;
  for (int i = 0; i < STEPS; i++) {
    unsigned key = random_number() % KEYS;
    if (random_number() % 2 == 0) {
      insert(&root, key);
      present[key] = 1;
    } else {
      remove_key(&root, key);
      present[key] = 0;
    }
  }
  for (unsigned key = 0; key < KEYS; key++) expected += present[key];
  unsigned long found = good_nodes(root, 0, KEYS, ~0u);

  struct tri_stats stats = {.size = sizeof stats};
  if (tri_read_stats(&stats) != 0) return 1;
  printf("%lu nodes of %lu in place, %lu collections\n", found, expected, stats.num_gc);
  return found == expected && stats.num_gc > 0 ? 0 : 1;
}
