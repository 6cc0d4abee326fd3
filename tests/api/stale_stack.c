/*
 * Coroutine stacks in collected objects, for gccheckmark=1. What lies below the stack pointer of a suspended coroutine
 * is not in use: when it runs on, calls overwrite it without a barrier, and what only such words point to is garbage.
 * Here each coroutine goes down a deep call, leaves pointers there, comes up and is suspended; the check must not take
 * its next call for stores that forgot tri_write. A list keeps the markers from the stacks for a while.
 */
#include <ucontext.h>

#include "support/probe.h"

enum { COROUTINES = 100, LENGTH = 20000, STACK_BYTES = 64 << 10, DEPTH = 100, ROUNDS = 30, SIZE = 64 };

struct link {
  struct link *next;
  char fill[56];
};

static struct coroutine {
  ucontext_t context, caller;
  tri_stack *stack;
  char *memory;
} coroutines[COROUTINES];
static struct coroutine *running;
static struct link *list;

NOINLINE static unsigned go_down(unsigned depth, unsigned seed) {
  void *volatile held[8];
  for (int i = 0; i < 8; i++) held[i] = tri_alloc(SIZE);
  pattern_fill(held[depth % 8], SIZE, seed + depth);
  unsigned below = depth > 0 ? go_down(depth - 1, seed) : 0;
  CHECK(pattern_holds(held[depth % 8], SIZE, seed + depth), "an object that a coroutine holds is gone");
  return below + 1;
}

static void run(void) {
  for (unsigned seed = 0;; seed++) {
    CHECK(go_down(DEPTH, seed) == DEPTH + 1, "depth");
    tri_stack_switch(NULL);
    swapcontext(&running->context, &running->caller);
  }
}

static void set_up(struct coroutine *c) {
  tri_write(&c->memory, tri_alloc(STACK_BYTES));
  c->stack = tri_stack_register(c->memory, STACK_BYTES);
  CHECK(c->stack != NULL, "tri_stack_register");
  getcontext(&c->context);
  c->context.uc_stack.ss_sp = c->memory;
  c->context.uc_stack.ss_size = STACK_BYTES;
  makecontext(&c->context, run, 0);
}

static void build(void) {
  for (int i = 0; i < LENGTH; i++) {
    struct link *l = tri_alloc(sizeof *l);
    tri_write(&l->next, list);
    tri_write(&list, l);
  }
}

int main(void) {
  for (int i = 0; i < COROUTINES; i++) set_up(&coroutines[i]);
  build();
  for (int round = 0; round < ROUNDS; round++)
    for (int i = 0; i < COROUTINES; i++) {
      running = &coroutines[i];
      tri_stack_switch(running->stack);
      swapcontext(&running->caller, &running->context);
    }
  puts("ok");
  return 0;
}
