/*
 * The structures that the stress programs build, change, verify and let go: trees, lists, a growing hash table, a graph
 * with random relinking, and plain blocks. All but the graph have one owner per object, so that they can be freed
 * honestly; the graph is freed through the list of its nodes, or left with its cycles to the collector.
 */
#include "stress/checked.h"
#include "stress/memory.h"

/* Trees: depth-first, with an explicit stack bounded by the depth. */
static struct checked *tree_new(struct maker *m, int depth) {
  struct checked *c = checked_new(m);
  if (depth == 0) return c;
  int children = 1 + (int)maker_below(m, EDGES - 1);
  for (int i = 0; i < children; i++) checked_link(c, i, tree_new(m, depth - 1));
  return c;
}

static void tree_verify(struct maker *m, const struct checked *c) {
  checked_verify(m, c);
  for (int i = 0; i < EDGES; i++) {
    if (c->to[i] != NULL) tree_verify(m, c->to[i]);
  }
}

static void tree_let_go(struct maker *m, struct checked *c) {
  checked_verify(m, c);
  for (int i = 0; i < EDGES; i++) {
    if (c->to[i] != NULL) tree_let_go(m, c->to[i]);
  }
  checked_let_go(m, c);
}

void stress_trees(struct maker *m) {
  struct checked *root = tree_new(m, 6);
  for (int step = 0; step < 60; step++) {
    struct checked *parent = root;
    int edge = 0;
    for (int depth = 1 + (int)maker_below(m, 5); depth > 0 && parent->to[0] != NULL; depth--) {
      edge = (int)maker_below(m, EDGES);
      if (parent->to[edge] == NULL) edge = 0;
      if (depth > 1 && parent->to[edge]->to[0] != NULL) parent = parent->to[edge];
    }
    struct checked *old = parent->to[edge];
    checked_link(parent, edge, tree_new(m, (int)maker_below(m, 4)));
    if (old != NULL) tree_let_go(m, old);
    if (step % 20 == 0) tree_verify(m, root);
  }
  tree_let_go(m, root);
}

/* Lists: pushed, popped, resized and reversed. */
static struct checked *list_reverse(struct checked *list) {
  struct checked *reversed = NULL;
  while (list != NULL) {
    struct checked *next = list->to[0];
    checked_link(list, 0, reversed);
    reversed = list;
    list = next;
  }
  return reversed;
}

static struct checked *list_pop(struct maker *m, struct checked *list) {
  struct checked *next = list->to[0];
  checked_verify(m, list);
  checked_let_go(m, list);
  return next;
}

static void list_verify(struct maker *m, const struct checked *list) {
  for (; list != NULL; list = list->to[0]) checked_verify(m, list);
}

void stress_lists(struct maker *m) {
  struct checked *list = NULL;
  for (int step = 0; step < 600; step++) {
    struct checked *c = checked_new(m);
    if (maker_below(m, 10) == 0) c = checked_resize(m, c);
    checked_link(c, 0, list);
    list = c;
    for (unsigned n = maker_below(m, 3); n > 0 && list != NULL; n--) list = list_pop(m, list);
    if (step % 150 == 0) list_verify(m, list = list_reverse(list));
  }
  while (list != NULL) list = list_pop(m, list);
}

/* A hash table of chains whose table grows by realloc. */
struct table {
  size_t slots, entries;
  struct checked **slot;
};

static struct checked **table_slot(const struct table *t, uint64_t id) {
  return &t->slot[id * 2654435761u % t->slots];
}

static void table_insert(struct table *t, struct checked *c) {
  struct checked **slot = table_slot(t, c->id);
  checked_link(c, 0, *slot);
  memory_store(slot, c);
  t->entries++;
}

static void table_grow(struct table *t) {
  struct checked *all = NULL;
  for (size_t i = 0; i < t->slots; i++) {
    while (t->slot[i] != NULL) {
      struct checked *c = t->slot[i];
      memory_store(&t->slot[i], c->to[0]);
      checked_link(c, 0, all);
      all = c;
    }
  }
  t->slots = t->slots * 2 + 1;
  t->slot = memory_resize(t->slot, t->slots * sizeof(*t->slot));
  CHECK(t->slot != NULL, "realloc of a table");
  memory_zero(t->slot, t->slots * sizeof(*t->slot));
  t->entries = 0;
  while (all != NULL) {
    struct checked *next = all->to[0];
    table_insert(t, all);
    all = next;
  }
}

void stress_hash(struct maker *m) {
  struct table t = {7, 0, memory_array(7)};
  uint64_t first = m->next_id;
  for (int step = 0; step < 800; step++) {
    if (t.entries > 3 * t.slots) table_grow(&t);
    table_insert(&t, checked_new(m));
    struct checked **slot = table_slot(&t, first + maker_below(m, (unsigned)(m->next_id - first)));
    if (*slot != NULL && maker_below(m, 2) == 0) {
      memory_store(slot, list_pop(m, *slot));
      t.entries--;
    }
    if (step % 200 == 0) {
      for (size_t i = 0; i < t.slots; i++) list_verify(m, t.slot[i]);
    }
  }
  for (size_t i = 0; i < t.slots; i++) {
    while (t.slot[i] != NULL) memory_store(&t.slot[i], list_pop(m, t.slot[i]));
  }
  if (m->free_percent > 0) memory_free(t.slot);
}

/* A graph with cycles: any edge may be moved to any node; nodes are replaced where nobody points to them any more. */
#define NODES 200

static void graph_forget(struct checked **node, int dead) {
  for (int i = 0; i < NODES; i++) {
    for (int e = 0; e < EDGES; e++) {
      if (node[i]->to[e] == node[dead]) checked_link(node[i], e, NULL);
    }
  }
}

void stress_graph(struct maker *m) {
  struct checked **node = memory_array(NODES);
  CHECK(node != NULL, "no memory");
  for (int i = 0; i < NODES; i++) memory_store(&node[i], checked_new(m));
  for (int step = 0; step < 4000; step++) {
    struct checked *from = node[maker_below(m, NODES)], *to = node[maker_below(m, NODES)];
    checked_link(from, (int)maker_below(m, EDGES), to);
    if (step % 32 == 0) {
      int dead = (int)maker_below(m, NODES);
      graph_forget(node, dead);
      checked_verify(m, node[dead]);
      checked_let_go(m, node[dead]);
      memory_store(&node[dead], checked_new(m));
    }
    if (step % 1000 == 0) {
      for (int i = 0; i < NODES; i++) checked_verify(m, node[i]);
    }
  }
  for (int i = 0; i < NODES; i++) checked_verify(m, node[i]);
  for (int i = 0; i < NODES; i++) checked_let_go(m, node[i]); /* first verified all: edges lead to freed nodes now */
  if (m->free_percent > 0) memory_free(node);
}

/* Blocks without pointers, from 8 bytes: too small for a header, so their content follows from their place. */
#define BLOCKS 300

static size_t block_size(struct maker *m) {
  unsigned kind = maker_below(m, 100);
  return 8 + maker_below(m, kind < 80 ? 120 : kind < 98 ? 3000 : 200000);
}

static void block_check(const unsigned char *p, size_t size, unsigned seed) {
  size_t looked = size < 256 ? size : 256;
  CHECK(pattern_holds(p, looked, seed), "block of %zu bytes at %p was overwritten", size, (const void *)p);
}

void stress_blocks(struct maker *m) {
  unsigned char *block[BLOCKS] = {0};
  size_t size[BLOCKS] = {0};
  for (unsigned step = 0; step < 1500; step++) {
    unsigned i = maker_below(m, BLOCKS);
    if (block[i] != NULL) block_check(block[i], size[i], i);
    size_t next = block_size(m);
    if (block[i] != NULL && maker_below(m, 3) == 0) {
      block[i] = memory_resize(block[i], next);
      CHECK(block[i] != NULL, "realloc to %zu", next);
      block_check(block[i], next < size[i] ? next : size[i], i);
    } else {
      if (m->free_percent > maker_below(m, 100)) memory_free(block[i]);
      block[i] = memory_get_data(next);
      CHECK(block[i] != NULL, "no memory for %zu", next);
    }
    pattern_fill(block[i], next < 256 ? next : 256, i);
    size[i] = next;
  }
  for (unsigned i = 0; i < BLOCKS; i++) {
    if (block[i] != NULL) block_check(block[i], size[i], i);
    if (m->free_percent > 0) memory_free(block[i]);
  }
}
