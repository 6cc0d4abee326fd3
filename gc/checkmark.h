/* gccheckmark=1: a second, independent marking of the stopped world. */
#ifndef TRI_GC_CHECKMARK_H
#define TRI_GC_CHECKMARK_H

/* World stopped, marking done, roots listed. Marks again into bits of its own; fatal, naming object, holder and slot,
 * when a reachable object is not marked. */
void tri_checkmark_run(void);

#endif
