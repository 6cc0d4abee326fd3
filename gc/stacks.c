/*
 * Coroutine stacks. A program declares the memory, and says where it goes just before it switches; registers that the
 * switch saves in memory of the program's (a ucontext_t, say) are kept here too, since that may be no root.
 *
 * Where a thread runs is told by its stack pointer and not by what it said: between the word and the deed it is still
 * on the old stack. So a stack that some thread's sp lies in is used from there, a stack that was left from where it
 * was left, and one that was never left is scanned whole: makecontext has put arguments on it.
 *
 * Invariants:
 *   [STACKS-1] a record changes inside the runtime or with the world stopped: a stop sees the switch told or not told.
 *   [STACKS-2] with the hybrid barrier every declared stack is scanned in the first stop, whatever the discipline for
 *              the threads' own: what resumes later is black.
 *
 * Locks: stacks_lock (rank CENTRAL) guards the list. Forbidden: allocating from the collected heap.
 */
#include "gc/stacks.h"

#include <errno.h>
#include <string.h>

#include "alloc/fixalloc.h"
#include "gc/enter.h"
#include "gc/scanstack.h"
#include "internal/check.h"
#include "tricolor/tricolor.h"

struct tri_stack {
  struct tri_stack *next, *prev;
  uintptr_t lo, hi;
  uintptr_t sp; /* where it was left; 0: never */
  uintptr_t registers[TRI_SAVED_REGISTERS];
};

static struct tri_lock stacks_lock = TRI_LOCK_INIT(TRI_RANK_CENTRAL);
static struct tri_stack *stacks; /* guarded by stacks_lock */
static struct tri_fixalloc stack_pool = TRI_FIXALLOC_INIT(sizeof(struct tri_stack));

static struct tri_stack *add(uintptr_t lo, size_t size) {
  tri_lock_acquire(&stacks_lock);
  struct tri_stack *s = tri_fixalloc_alloc(&stack_pool);
  if (s) {
    *s = (struct tri_stack){.next = stacks, .lo = lo, .hi = lo + size};
    if (stacks) stacks->prev = s;
    stacks = s;
  }
  tri_lock_release(&stacks_lock);
  return s;
}

tri_stack *tri_stack_register(void *low, size_t size) {
  uintptr_t lo = (uintptr_t)low;
  if (size == 0 || lo + size < lo) {
    errno = EINVAL;
    return NULL;
  }
  struct tri_thread *t = tri_enter_registered();
  struct tri_stack *s = t ? add(lo, size) : NULL;
  if (t) tri_runtime_leave(t);
  if (!s) errno = ENOMEM;
  return s;
}

static void take_out(struct tri_stack *s) {
  tri_lock_acquire(&stacks_lock);
  if (s->hi == 0) tri_fatal("tri_stack_unregister(%p): unregistered already", (void *)s);
  s->hi = 0;
  if (s->prev) {
    s->prev->next = s->next;
  } else {
    stacks = s->next;
  }
  if (s->next) s->next->prev = s->prev;
  tri_fixalloc_free(&stack_pool, s);
  tri_lock_release(&stacks_lock);
}

void tri_stack_unregister(tri_stack *s) {
  struct tri_thread *t = s ? tri_enter_registered() : NULL;
  if (!t) return;
  take_out(s);
  tri_runtime_leave(t);
}

/* What the caller has on its stack lies above this function's frame. Where a scan of the stack is due, it comes first:
 * a thread may not take a pointer from a stack that is grey to one that is black. */
TRI_NOINLINE void tri_stack_leave(tri_stack *to, void *const *registers) {
  uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
  tri_scanstack_now(tri_self);
  struct tri_thread *t = tri_enter_registered();
  if (!t) return;
  struct tri_stack *from = t->on_stack;
  memcpy(from ? from->registers : t->left_registers, registers, sizeof t->left_registers);
  if (from) from->sp = sp;
  if (to) to->sp = 0; /* while it is run on, its depth is not known */
  t->on_stack = to;
  tri_runtime_leave(t);
}

static struct tri_stack *stack_with(uintptr_t sp) {
  struct tri_stack *s = stacks;
  while (s && (sp < s->lo || sp >= s->hi)) s = s->next;
  return s;
}

uintptr_t tri_stacks_end_of(uintptr_t sp) {
  const struct tri_stack *s = stack_with(sp);
  return s ? s->hi : 0;
}

/* A stack is left at its lowest when it was last left, but for a thread that runs on it now. */
static uintptr_t used_from(const struct tri_stack *s) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (t->sp >= s->lo && t->sp < s->hi) return t->sp;
  return s->sp >= s->lo && s->sp < s->hi ? s->sp : s->lo;
}

void tri_stacks_each(void (*fn)(uintptr_t, uintptr_t, void *), void *arg) {
  for (struct tri_stack *s = stacks; s; s = s->next) fn(used_from(s), s->hi, arg);
}

void tri_stacks_each_dead(void (*fn)(uintptr_t, uintptr_t, void *), void *arg) {
  for (struct tri_stack *s = stacks; s; s = s->next) fn(s->lo, used_from(s), arg);
}

void tri_stacks_each_word(void (*fn)(uintptr_t, void *), void *arg) {
  for (struct tri_stack *s = stacks; s; s = s->next) {
    fn(s->lo, arg); /* the memory may be an object */
    for (unsigned i = 0; i < TRI_SAVED_REGISTERS; i++) fn(s->registers[i], arg);
  }
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    for (unsigned i = 0; i < TRI_SAVED_REGISTERS; i++) fn(t->left_registers[i], arg);
}

bool tri_stacks_declared(uintptr_t address) {
  tri_lock_acquire(&stacks_lock);
  bool found = stack_with(address) != NULL;
  tri_lock_release(&stacks_lock);
  return found;
}

void tri_stacks_lock(void) {
  tri_lock_acquire_unranked(&stacks_lock);
}
void tri_stacks_unlock(void) {
  tri_lock_release_unranked(&stacks_lock);
}
