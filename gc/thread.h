/* The registry of threads: who may touch the heap, who must be stopped, whose stack is scanned. */
#ifndef TRI_GC_THREAD_H
#define TRI_GC_THREAD_H

#include "alloc/mcache.h"
#include "barrier/wbbuf.h"
#include "gc/shade.h"
#include "internal/lock.h"

/* A stack that its thread scans itself, gc/scanstack.c. */
enum tri_scan { TRI_SCAN_NONE, TRI_SCAN_DUE, TRI_SCAN_LATER };
/* Where a system call of this thread may write; hi 0: nowhere. */
struct tri_kernel_range {
  uintptr_t lo, hi;
};

struct tri_own_stack {
  uintptr_t lo, hi;         /* it reaches from the stack pointer, which is not below lo, to hi */
  uintptr_t frames_hi;      /* of a thread of the runtime's: its frames, which end here, are no roots; others: 0 */
  uintptr_t tls_lo, tls_hi; /* and what belongs to it elsewhere */
};

enum { TRI_SAVED_REGISTERS = 12 };
struct tri_stack;
/* As many handlers of a program may interrupt each other in the middle of stores. */
enum { TRI_INTERRUPTED = 16 };

struct tri_thread {
  /* The owner and signal handlers on it. in_runtime: 1 while inside the runtime, where it must not be stopped.
   * stop_pending: a stop came while in_runtime; obeyed on the way out. */
  tri_aint in_runtime;
  tri_aint stop_pending;
  /* Stop protocol, gc/stop.c: the runner writes stop_request, the thread acked_stop and sp. */
  tri_aint stop_request;
  tri_aint acked_stop;
  tri_aint region;    /* enum tri_region_state, gc/region.h */
  uintptr_t sp;       /* while stopped: lowest address in use */
  bool alt_stack;     /* while stopped: on its alternate signal stack */
  uintptr_t alt_base; /* while stopped: where that stack begins, 0 for none; only the kernel may know it */
  /* Constant after registration; 0 when unknown. The thread's own stack, thread block included. */
  uintptr_t stack_lo, stack_hi;
  uintptr_t thread_pointer, struct_pthread; /* of the C library; see gc/tls.c */
  int tid;
  bool stranger;         /* gc/strangers.c; constant */
  bool unheard;          /* a stranger that has not answered a signal; it and excused_stop are the runner's */
  unsigned excused_stop; /* that it is not waited for */
  tri_aint leaving;      /* 1: may be past its last destructor; stopped like any other, and reaped when it is dead */
  bool self_stack;       /* the main thread: its stack is the mapping named [stack] */
  struct tri_thread *next, *prev; /* registry list; guarded by the registry's lock */
  struct tri_barrier *barrier;    /* its tri_barrier_self */
  /* What it had published when signal handlers of the program interrupted it: a ring of the latest, never cleared. */
  struct tri_barrier_published interrupted[TRI_INTERRUPTED];
  unsigned ninterrupted;
  struct tri_kernel_range kernel_writes[8]; /* a ring; see gc/kernel_writes.h */
  unsigned nkernel_writes;
  tri_aint scan;                  /* enum tri_scan; the runner with the thread stopped, then the thread */
  struct tri_own_stack own_stack; /* while a scan is due */
  struct tri_stack *on_stack;     /* where it last said that it went; the owner inside the runtime */
  uintptr_t left_registers[TRI_SAVED_REGISTERS]; /* when it left its own stack for that */
  uint64_t grown;                                /* bytes counted at the last flush that asked for help; owner only */
  struct tri_shader shader; /* the owner inside the runtime, or the runner with the world stopped; so is wbbuf */
  struct tri_wbbuf wbbuf;
  struct tri_mcache mcache;
};

/* The calling thread. Never NULL: an unregistered thread has tri_thread_none, a main thread that has
 * ended tri_thread_gone; both have in_runtime == 1, so that every fast path turns to its slow half. */
extern TRI_TLS struct tri_thread *tri_self TRI_INTERNAL;
/* A stack pointer of t's is on the stack that the C library has made for it, and not far from the top of the first
 * thread's: no coroutine's, no signal stack elsewhere. */
bool tri_thread_is_on_own_stack(const struct tri_thread *t, uintptr_t sp);
/* No other thread was ever registered, the runtime's own included, or is about to be: nobody stops the calling one. */
bool tri_thread_is_alone(void);
/* Before a thread is made, which will be registered by itself. */
void tri_thread_is_coming(void);
extern struct tri_thread tri_thread_none TRI_INTERNAL, tri_thread_gone TRI_INTERNAL;

/* The registry's lock: held for the whole of a stop (between two tries of one it is not), so that nobody joins or
 * leaves a stopped world. */
extern struct tri_lock tri_registry_lock TRI_INTERNAL;
/* For a thread outside the runtime: nobody waits for one of its handlers as long as it waits, and none interrupts it
 * once it has the lock. What the first returns is for the second. */
uint64_t tri_thread_take_registry(void);
void tri_thread_give_registry(uint64_t mask);
/* The lock alone, after a stop or a fork, when many may be waiting to register: these try at once. */
void tri_thread_release_registry_to_all(void);
/* First of the list; walked under the lock. */
struct tri_thread *tri_thread_first(void);

/* Registers the calling thread if it is not; returns its block, or NULL without memory. Not in a signal handler that
 * interrupted the runtime. */
struct tri_thread *tri_thread_register_self(void);
/* The same for a thread that frees without having allocated, perhaps past its last key destructor. */
void tri_thread_adopt_self(void);
/* So many threads wait for the registry's lock to register, perhaps with a lock of the program's in their hands; this
 * one does. Nothing of the program's runs on them. */
unsigned tri_thread_number_waiting(void);
bool tri_thread_waits_to_register(int tid);
/* Under the lock: a block for another thread, which does not know of it. NULL without memory. */
struct tri_thread *tri_thread_adopt(int tid);
/* Tells the registry the bounds of the calling thread's stack. */
void tri_thread_find_stack(struct tri_thread *t);
/* The C library will call tri_thread_leave at the end of the calling thread. */
bool tri_thread_will_leave(void);
/* The calling thread gives up all that it has, and is as if it had never been registered. False: it is not registered,
 * or inside the runtime. */
bool tri_thread_unregister_self(void);
/* The calling thread is past its last key destructor: gives its spans up and stays registered until it is dead. */
void tri_thread_leave(void);
/* True when the kernel has no such thread any more, or only the zombie of the process's first. */
bool tri_thread_is_dead(const struct tri_thread *t);
/* Under the lock: a thread that is known to be dead. Its spans become unowned at the next cycle. */
void tri_thread_reap(struct tri_thread *t);
/* In a fork child: every thread but the caller is gone. True when one of them was inside the runtime. */
bool tri_thread_after_fork(void);

TRI_INLINE bool tri_thread_is_registered(const struct tri_thread *t) {
  return t != &tri_thread_none && t != &tri_thread_gone;
}

#endif
