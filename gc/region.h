/* Safe regions: calls that sleep in the kernel, in which a thread counts as stopped already. */
#ifndef TRI_GC_REGION_H
#define TRI_GC_REGION_H

#include "gc/thread.h"

enum tri_region_state {
  TRI_REGION_OUT = 0, /* runs the program */
  TRI_REGION_IN,      /* in a blocking call; sp and alt_stack are valid, and nothing of the program's is touched */
  TRI_REGION_HELD,    /* IN, and the runner counts on it: it may not leave before it is released */
  TRI_REGION_AWAITED, /* HELD, and the thread waits for that */
};

enum { TRI_REGION_KEPT = 4 };

/* On the stack of the function that makes the blocking call. */
struct tri_region {
  struct tri_thread *t;              /* NULL: the call is made without a region */
  int cancel_type;                   /* of the program; deferred in the region */
  const void *kept[TRI_REGION_KEPT]; /* pointer arguments, which may be in no register that is scanned */
};

/* The caller's registers have been spilled to its frame (__builtin_unwind_init). A thread that may be stopped though it
 * is not registered is registered (gc/strangers.h). Nothing for others that are not, who are inside the runtime or in a
 * region already, nor as long as the thread has always been alone. errno is kept, as by all of these. */
void tri_region_enter(struct tri_region *r);
/* Waits out a stop that counts on the region. Also run by cancellation. */
void tri_region_leave(struct tri_region *r);

/* A program's signal handler that interrupted the calling thread's region runs outside it, between these two. A handler
 * that never returns has ended the region. */
struct tri_region_interrupted {
  bool was_inside, alt_stack;
  uintptr_t sp;
};
struct tri_region_interrupted tri_region_interrupt(struct tri_thread *t);
void tri_region_resume(struct tri_thread *t, const struct tri_region_interrupted *was);

/* For the runner of a stop, under the registry's lock. hold: true when t is asleep in a region and will stay there. */
bool tri_region_hold(struct tri_thread *t);
void tri_region_release(struct tri_thread *t);

/* The same for calls that mostly do not sleep, without asking the kernel who calls: nothing off the thread's own stack.
 */
void tri_region_enter_quickly(struct tri_region *r);

/* Makes the rest of the function a safe region; up to four pointer arguments of the call are kept alive. */
#define TRI_BLOCKING_BY(enter, ...)                                                                       \
  __builtin_unwind_init();                                                                                \
  struct tri_region tri_region_here __attribute__((cleanup(tri_region_leave))) = {.kept = {__VA_ARGS__}}; \
  __asm__ __volatile__("" : : "r"(&tri_region_here) : "memory");                                          \
  enter(&tri_region_here)
#define TRI_BLOCKING(...) TRI_BLOCKING_BY(tri_region_enter, __VA_ARGS__)
#define TRI_BLOCKING_PERHAPS(...) TRI_BLOCKING_BY(tri_region_enter_quickly, __VA_ARGS__)

#endif
