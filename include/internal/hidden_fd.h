/*
 * Descriptors of the runtime's own in a process whose program does not know of them, and may close every descriptor
 * that it finds or get the same number for a file of its own. Implemented in alloc/base/hidden_fd.c. Any context;
 * errno is kept.
 */
#ifndef TRI_INTERNAL_HIDDEN_FD_H
#define TRI_INTERNAL_HIDDEN_FD_H

#include "internal/base.h"

struct tri_hidden_fd {
  int fd; /* -1: none */
  uint64_t dev, ino;
  uint64_t memory_id; /* of the process that adopted it */
};

#define TRI_HIDDEN_FD_NONE ((struct tri_hidden_fd){.fd = -1})

/* Moves a descriptor, made CLOEXEC, near the top of RLIMIT_NOFILE; returns its number, -1 when there is no room above
 * the standard three. The old number is closed. */
int tri_fd_move_up(int fd);

/* Moves fd up and remembers what it refers to. fd may be -1. */
struct tri_hidden_fd tri_hidden_fd_adopt(int fd);
/* It still refers to the same file, and was adopted in this memory: in a forked child it is not, where the kernel can
 * tell (internal/memory_id.h). Another thread may close it the next moment: what is done with it is checked, too. */
bool tri_hidden_fd_is_ours(const struct tri_hidden_fd *h);
/* Closes it if it refers to the same file, be it in a forked child, and forgets it. */
void tri_hidden_fd_drop(struct tri_hidden_fd *h);

#endif
