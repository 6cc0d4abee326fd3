/*
 * The end: a broken promise, of the program's or of ours, becomes one line on stderr and abort().
 *
 * Callable from any context with any lock held; takes none itself. abort() raises SIGABRT also when it is blocked, so
 * a core dump or the program's own handler works as with any other allocator. The line goes to stderr even when the
 * log has a file: it is what the user looks at.
 */
#include <stdlib.h>

#include "alloc/base/base_internal.h"
#include "internal/check.h"

void tri_fatal(const char *fmt, ...) {
  char line[TRI_LINE_SIZE];
  va_list ap;
  va_start(ap, fmt);
  size_t n = tri_line_make(line, "tricolor: fatal: ", fmt, ap);
  va_end(ap);
  tri_stderr_write(line, n);
  abort();
}

void tri_check_failed(const char *expr, const char *file, int line) {
  tri_fatal("check failed: %s (%s:%d)", expr, file, line);
}
