/*
 * Code that runs off its thread's own stack: coroutines (makecontext) on malloc'ed and on mmap'ed stacks, suspended and
 * running, and a handler on an alternate signal stack. What only such a frame points to must live, and so must what the
 * frames of the stack that was left point to.
 */
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "support/probe.h"

#define STACK (256 * 1024)
#define COROUTINES 20

static ucontext_t main_context;
static struct coroutine {
  ucontext_t context;
  char *stack;
  bool mapped, done;
} coroutine[COROUTINES];
static int current;

static char *new_object(unsigned seed) {
  char *p = malloc(250);
  pattern_fill(p, 250, seed);
  return p;
}

/* The object's pointer is a local variable across switches and across a collection made on this very stack. */
static void body(void) {
  int me = current;
  char *volatile mine = new_object((unsigned)me);
  for (int i = 0; i < 3; i++) {
    swapcontext(&coroutine[me].context, &main_context);
    CHECK(pattern_holds(mine, 250, (unsigned)me), "coroutine %d lost its object while suspended", me);
    if (i == me % 3) {
      collect();
      churn(200000);
      CHECK(pattern_holds(mine, 250, (unsigned)me), "coroutine %d lost its object while running", me);
    }
  }
  free(mine);
  coroutine[me].done = true;
}

static void start(int i) {
  struct coroutine *c = &coroutine[i];
  c->mapped = i % 2 == 1;
  c->stack = c->mapped ? mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)
                       : malloc(STACK);
  CHECK(c->stack != NULL && c->stack != MAP_FAILED, "no stack");
  getcontext(&c->context);
  c->context.uc_stack.ss_sp = c->stack;
  c->context.uc_stack.ss_size = STACK;
  c->context.uc_link = &main_context;
  makecontext(&c->context, body, 0);
}

static void resume(int i) {
  current = i;
  swapcontext(&main_context, &coroutine[i].context);
}

NOINLINE static void coroutines(void) {
  char *volatile of_main = new_object(999);
  for (int i = 0; i < COROUTINES; i++) start(i);
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < COROUTINES; i++) resume(i);
    collect();
    churn(300000);
    CHECK(pattern_holds(of_main, 250, 999), "the stack that a coroutine left was not scanned");
  }
  for (int i = 0; i < COROUTINES; i++) {
    CHECK(coroutine[i].done, "coroutine %d did not end", i);
    if (coroutine[i].mapped) munmap(coroutine[i].stack, STACK);
    if (!coroutine[i].mapped) free(coroutine[i].stack);
  }
  free(of_main);
  puts("coroutines");
}

static int handled;

/* Raised synchronously from a place where malloc is allowed, so the handler may do what it likes. */
static void on_alternate_stack(int signo) {
  char *volatile mine = new_object((unsigned)signo);
  collect();
  churn(300000);
  CHECK(pattern_holds(mine, 250, (unsigned)signo), "an object of an alternate-stack handler was lost");
  free(mine);
  handled++;
}

NOINLINE static void alternate_stack(char *stack) {
  stack_t alternate = {.ss_sp = stack, .ss_size = STACK};
  struct sigaction action = {.sa_handler = on_alternate_stack, .sa_flags = SA_ONSTACK};
  char *volatile of_main = new_object(998);
  CHECK(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0, "sigaltstack");
  for (int i = 0; i < 10; i++) {
    raise(SIGUSR1);
    CHECK(pattern_holds(of_main, 250, 998), "the stack below an alternate-stack handler was not scanned");
  }
  alternate.ss_flags = SS_DISABLE;
  sigaltstack(&alternate, NULL);
  free(of_main);
}

int main(void) {
  char *mapped = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  coroutines();
  alternate_stack(mapped);
  alternate_stack(malloc(STACK));
  CHECK(handled == 20, "%d signals", handled);
  puts("alternate signal stack");
  puts("ok");
  return 0;
}
