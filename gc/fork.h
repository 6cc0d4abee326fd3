/* fork in a threaded program. */
#ifndef TRI_GC_FORK_H
#define TRI_GC_FORK_H

/* Registers the handlers; as early as possible, so that ours run last before the fork and first after it. */
void tri_fork_init(void);

#endif
