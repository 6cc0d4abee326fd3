/* Masks without the signal that stops threads. */
#ifndef TRI_GC_SIGNALS_H
#define TRI_GC_SIGNALS_H

#include <signal.h>

/* set itself, or, when our signal is in it, *copy without it. NULL stays NULL. */
const sigset_t *tri_signals_without_ours(const sigset_t *set, sigset_t *copy);

struct tri_thread;
/* As tri_stop_note_alternate_stack, without asking the kernel where the program has never made such a stack. */
void tri_signals_note_alternate_stack(struct tri_thread *t);

void tri_signals_after_fork(void); /* in the child */

#endif
