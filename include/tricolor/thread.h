/*
 * Tricolor: threads, sleeping calls and stacks that the collector has to be told about. Most programs need none of
 * this: threads made by pthread_create or thrd_create are known from their first instruction, others from their first
 * call of tri_alloc or tri_write; the C library's sleeping calls are known; and there are no stacks but the threads'
 * own.
 */
#ifndef TRICOLOR_THREAD_H
#define TRICOLOR_THREAD_H

#include <stddef.h>
#include <stdint.h>

#include "tricolor/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Makes the calling thread known: it is stopped by collections and its stack is a root. For threads that come into
 * being behind the C library's back. Returns 0, also when it was known, or -1 with errno ENOMEM.
 */
TRI_API int tri_thread_register(void);
/*
 * The opposite: the calling thread holds no pointers into the heap any more, and its memory is given back to the
 * others. It may register again. A thread that ends does this by itself. Returns 0, or -1 with errno EINVAL when it was
 * not known.
 */
TRI_API int tri_thread_unregister(void);

/* The callee-saved registers of a caller, and what the library keeps with them; nothing for the program to look at. */
struct tri_blocking {
  void *registers[12];
  void *own[8];
};
TRI_API void tri_blocking_enter(struct tri_blocking *b);
TRI_API void tri_blocking_leave(struct tri_blocking *b);

static inline __attribute__((always_inline)) void tri_save_registers(void **out) {
#if defined(__x86_64__)
  __asm__ __volatile__(
      "movq %%rbx, 0(%0)\n\tmovq %%rbp, 8(%0)\n\tmovq %%r12, 16(%0)\n\t"
      "movq %%r13, 24(%0)\n\tmovq %%r14, 32(%0)\n\tmovq %%r15, 40(%0)"
      :
      : "r"(out)
      : "memory");
#elif defined(__aarch64__)
  __asm__ __volatile__(
      "stp x19, x20, [%0]\n\tstp x21, x22, [%0, #16]\n\tstp x23, x24, [%0, #32]\n\t"
      "stp x25, x26, [%0, #48]\n\tstp x27, x28, [%0, #64]\n\tstr x29, [%0, #80]"
      :
      : "r"(out)
      : "memory");
#endif
}

/*
 * Between these two the calling thread sleeps in a call that the library does not know (a system call of its own, a
 * driver), and a collection does not have to wake it. It must not touch collected objects or call the library
 * meanwhile. `b` is a local variable of the function that calls both. They may not be nested. After a collection has
 * begun, end waits for its stop to pass.
 */
static inline __attribute__((always_inline)) void tri_blocking_begin(struct tri_blocking *b) {
  tri_save_registers(b->registers);
  tri_blocking_enter(b);
}
static inline void tri_blocking_end(struct tri_blocking *b) {
  tri_blocking_leave(b);
}

/* A stack that the program has made for coroutines. */
typedef struct tri_stack tri_stack;
/*
 * Declares [low, low+size) a stack: what a coroutine that is suspended there holds is kept alive. The memory may come
 * from anywhere (mmap, malloc, tri_alloc_noscan kept by a root) and must stay readable until it is unregistered.
 * Returns NULL with errno EINVAL (size 0, or it wraps) or ENOMEM.
 */
TRI_API tri_stack *tri_stack_register(void *low, size_t size);
/* Takes the declaration back; twice in a row ends the program with one line. No thread may be running on the stack.
 * NULL is allowed. */
TRI_API void tri_stack_unregister(tri_stack *stack);
TRI_API void tri_stack_leave(tri_stack *to, void *const *registers);
/*
 * To be called just before the calling thread switches to another stack (swapcontext and its like), with the stack that
 * it goes to; NULL: the thread's own. A stack that was never switched from is scanned whole.
 */
static inline __attribute__((always_inline)) void tri_stack_switch(tri_stack *to) {
  void *registers[12] = {0};
  tri_save_registers(registers);
  tri_stack_leave(to, registers);
}

#ifdef __cplusplus
}
#endif

#endif
