/* Masks without the signal that stops threads. */
#ifndef TRI_GC_SIGNALS_H
#define TRI_GC_SIGNALS_H

#include <signal.h>
#include <stdint.h>

/* set itself, or, when our signal is in it, *copy without it. NULL stays NULL. */
const sigset_t *tri_signals_without_ours(const sigset_t *set, sigset_t *copy);

/* Until tri_signals_let_in, with what this returns, no handler of the program's interrupts the calling thread. Our own
 * signal stays open, and is open afterwards. Async-signal-safe. */
uint64_t tri_signals_keep_off(void);
void tri_signals_let_in(uint64_t mask);
/* By a thread of ours: whoever calls setuid and its kin waits for every thread to take this one. */
void tri_signals_let_in_setxid(void);

/* So long a handler waits at first while its thread waits for a lock with handlers kept off: other threads may wait for
 * the handler (a program that stops its threads by signals), and the lock's holder for these. */
#define TRI_HANDLERS_WAIT_NS ((uint64_t)1000 * 1000)

struct tri_thread;
/* As tri_stop_note_alternate_stack, without asking the kernel where the program has never made such a stack. */
void tri_signals_note_alternate_stack(struct tri_thread *t);

void tri_signals_after_fork(void); /* in the child */

#endif
