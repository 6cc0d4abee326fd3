/*
 * Messages and assertions. Messages are one line, made on the stack and written with write(2): what happened, where,
 * what to do. Callable from any context, signal handlers included. Implemented in alloc/base/log.c and fatal.c.
 *
 * tri_format understands %s %c %d %u %x %p %zu %zx %ld %lu %lx %llu %lld %% and a zero-padded width (%05u, %016lx);
 * no floating point (gctrace has its own formatter).
 */
#ifndef TRI_INTERNAL_CHECK_H
#define TRI_INTERNAL_CHECK_H

#include <stdarg.h>

#include "internal/base.h"

#define TRI_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Formats into buf (always terminated). Returns the length written, without the terminator; longer text is cut. */
size_t tri_format(char *buf, size_t size, const char *fmt, ...) TRI_PRINTF(3, 4);
size_t tri_vformat(char *buf, size_t size, const char *fmt, va_list ap);

/* One line "tricolor: ...\n" to the log file if one is set, else to stderr. */
void tri_log_line(const char *fmt, ...) TRI_PRINTF(1, 2);
/* The same without the prefix, for lines whose form is Go's (gctrace). */
void tri_log_raw(const char *line, size_t len);
/* One line "tricolor: ...\n", always to stderr. */
void tri_warn(const char *fmt, ...) TRI_PRINTF(1, 2);
/* Directs tri_log_* to a file, opened for appending, one write per line; "%p" in the path is the process id.
 * Returns 0, or errno (the log then stays on stderr). The descriptor is CLOEXEC, near the top of RLIMIT_NOFILE,
 * verified before each use (same device and inode) and reopened when the program closed it. */
int tri_log_open(const char *path);
/* In a fork child: a path with %p gets the child's own file. */
void tri_log_after_fork(void);

/* A broken promise of the program's or of ours: one line "tricolor: fatal: ...", then abort(). */
_Noreturn void tri_fatal(const char *fmt, ...) TRI_PRINTF(1, 2) TRI_COLD;

_Noreturn void tri_check_failed(const char *expr, const char *file, int line) TRI_COLD;

/* tri_check: cheap, in release builds too. tri_assert: with -Dchecks=full only. */
#define tri_check(e) (tri_likely(e) ? (void)0 : tri_check_failed(#e, __FILE__, __LINE__))
#ifdef TRI_CHECKS_FULL
#define tri_assert(e) tri_check(e)
#else
#define tri_assert(e) ((void)sizeof(!(e)))
#endif

#endif
