/* Reading /proc/self/maps without allocating. */
#ifndef TRI_GC_MAPS_H
#define TRI_GC_MAPS_H

#include "internal/base.h"

struct tri_mapping {
  uintptr_t lo, hi;
  bool readable, writable, shared, executable;
  bool file;        /* backed by an inode */
  bool stack;       /* "[stack]": the main thread's */
  bool brk;         /* "[heap]" */
  bool special;     /* [vdso], [vvar], [vsyscall], ... */
  bool device;      /* below /dev/, /dev/zero excepted */
  bool shared_anon; /* shared, without a file that others could open: MAP_ANONYMOUS, memfd, System V */
};

/* Calls fn for each mapping in ascending order until it returns false. False when /proc cannot be read. For the cycle's
 * runner: not reentrant. */
bool tri_maps_each(bool (*fn)(const struct tri_mapping *, void *), void *arg);
/* The same for any thread, with a buffer of the caller's; size: more than the longest line, which has a path. */
bool tri_maps_each_in(char *buf, size_t size, bool (*fn)(const struct tri_mapping *, void *), void *arg);

#endif
