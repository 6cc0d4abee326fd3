/*
 * Coroutines on the collected heap: generators, each on a stack of its own (ucontext), build trees and hand out what is
 * in them one by one. Their stacks are declared with tri_stack_register, and each switch is announced with
 * tri_stack_switch, so that what a suspended generator holds is kept alive.
 *
 * Build it outside this tree with: cc coroutines.c $(pkg-config --cflags --libs tricolor)
 */
#include <stdio.h>
#include <stdlib.h>
#include <tricolor/tricolor.h>
#include <ucontext.h>

enum { GENERATORS = 50, ITEMS = 200, STACK_BYTES = 64 << 10 };

struct node {
  struct node *left, *right;
  int key;
};

struct generator {
  ucontext_t context, caller;
  tri_stack *stack;
  char *memory;
  int next; /* what it hands out; -1: it has ended */
};

static struct generator *running;

static void *need(void *p) {
  if (p == NULL) {
    perror("coroutines");
    exit(1);
  }
  return p;
}

static struct node *build(int low, int high) {
  if (low > high) return NULL;
  struct node *n = need(tri_alloc(sizeof *n));
  n->key = low + (high - low) / 2;
  tri_write(&n->left, build(low, n->key - 1));
  tri_write(&n->right, build(n->key + 1, high));
  return n;
}

static void hand_out(int value) {
  struct generator *g = running;
  g->next = value;
  tri_stack_switch(NULL);
  swapcontext(&g->context, &g->caller);
}

static void walk(const struct node *n) {
  if (n == NULL) return;
  walk(n->left);
  hand_out(n->key);
  walk(n->right);
}

/* The tree is reachable from this stack alone. */
static void generate(void) {
  walk(build(1, ITEMS));
  for (;;) hand_out(-1);
}

static int next(struct generator *g) {
  running = g;
  tri_stack_switch(g->stack);
  swapcontext(&g->caller, &g->context);
  return g->next;
}

static void start(struct generator *g) {
  g->memory = need(malloc(STACK_BYTES));
  g->stack = need(tri_stack_register(g->memory, STACK_BYTES));
  getcontext(&g->context);
  g->context.uc_stack.ss_sp = g->memory;
  g->context.uc_stack.ss_size = STACK_BYTES;
  makecontext(&g->context, generate, 0);
}

static void end(struct generator *g) {
  tri_stack_unregister(g->stack);
  free(g->memory);
}

int main(void) {
  static struct generator generator[GENERATORS];
  long sum = 0;
  for (int i = 0; i < GENERATORS; i++) start(&generator[i]);
  for (int item = 1; item <= ITEMS; item++) {
    for (int i = 0; i < GENERATORS; i++) {
      int value = next(&generator[i]);
      if (value != item) {
        fprintf(stderr, "generator %d: %d instead of %d\n", i, value, item);
        return 1;
      }
      sum += value;
      tri_alloc(100); /* garbage, so that there is something to collect */
    }
    if (item % 20 == 0) tri_gc();
  }
  for (int i = 0; i < GENERATORS; i++) end(&generator[i]);
  printf("%d generators, sum %ld\n", GENERATORS, sum);
  return sum == (long)GENERATORS * ITEMS * (ITEMS + 1) / 2 ? 0 : 1;
}
