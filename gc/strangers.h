/* Threads that nobody has told us of: made by a raw clone, or by the C library for itself. */
#ifndef TRI_GC_STRANGERS_H
#define TRI_GC_STRANGERS_H

#include "gc/thread.h"

/* False: nobody is looked for. Called once. */
void tri_strangers_init(bool wanted);
/* A thread of this process that is not registered may be stopped all the same: it must not hold a lock of the
 * runtime's. Not so in a child that shares memory with its parent, or was made behind our back. */
bool tri_strangers_wanted(void);
/* The calling thread's block; where it has none and may be stopped it is registered. tri_thread_none: it is not, or
 * there is no memory. As tri_thread_register_self; errno may change. */
struct tri_thread *tri_strangers_register_self(void);
/* By a thread that makes one of the runtime's. errno is kept. */
void tri_strangers_before_worker(void);
/* In a fork child. */
void tri_strangers_after_fork(void);
/* Under the registry's lock: that thread has registered. */
void tri_strangers_has_registered(int tid);
/* The runner, with the registry's lock, when all that are registered have stopped: gives a block to each thread of the
 * process that has none and takes our signal. Returns how many are new. errno is kept. */
unsigned tri_strangers_adopt(void);
/* The same caller, of a stranger that has not answered a signal yet: whether it has taken it meanwhile (or is dead), is
 * about to, or has blocked it. */
enum tri_stranger_hears { TRI_STRANGER_HEARD, TRI_STRANGER_WILL_HEAR, TRI_STRANGER_DEAF };
enum tri_stranger_hears tri_strangers_hears(const struct tri_thread *t);
/* In the handler of the stop signal: the calling thread's block if it is a stranger, or NULL. Touches no thread-local
 * storage: a stranger may share another thread's. */
struct tri_thread *tri_strangers_self(void);
/* There, for a stranger: it is inside the runtime, in the name of the thread whose thread-local storage it shares. (Not
 * the runner, who is inside itself.) */
bool tri_strangers_is_inside(const struct tri_thread *runner);
/* Under the registry's lock: the block goes. */
void tri_strangers_drop(const struct tri_thread *t);

#endif
