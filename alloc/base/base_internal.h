/* Shared by log.c and fatal.c only. */
#ifndef TRI_ALLOC_BASE_INTERNAL_H
#define TRI_ALLOC_BASE_INTERNAL_H

#include <stdarg.h>

#include "internal/base.h"

/* Stack use of a message. Small, since messages are also written on a program's alternate signal stack. */
#define TRI_LINE_SIZE 512

/* Formats "<prefix><text>\n" as exactly one line of at most TRI_LINE_SIZE bytes. Returns its length. */
size_t tri_line_make(char line[TRI_LINE_SIZE], const char *prefix, const char *fmt, va_list ap);
/* Writes to descriptor 2 if that is open for writing, else drops the bytes. errno is preserved. */
void tri_stderr_write(const char *line, size_t len);

#endif
