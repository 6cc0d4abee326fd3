/*
 * The line that GODEBUG=gctrace=1 prints for each cycle, byte for byte as Go's, so that Go's log tools read it.
 *
 * Called at the end of a cycle with numbers that the cycle collected; the caller writes the text with tri_log_raw
 * before the next cycle may start. Everything is truncated, nothing rounded, as in Go: milliseconds from 10 up are
 * whole, below that they have two significant digits and at most three decimals, and below a microsecond they are 0;
 * bytes are shifted to MiB. Facts of our own never go into this line, but on lines with another prefix.
 * Pure: no state, no clock, no allocation.
 */
#include "gc/gctrace.h"

#include "internal/check.h"

struct text {
  char *buf;
  size_t size;
  size_t len;
};

static void add(struct text *t, const char *s) {
  t->len += tri_format(t->buf + t->len, t->size - t->len, "%s", s);
}

static void add_number(struct text *t, uint64_t v) {
  t->len += tri_format(t->buf + t->len, t->size - t->len, "%llu", (unsigned long long)v);
}

/* v / 10^decimals with all its decimals. */
static void add_fixed(struct text *t, uint64_t v, unsigned decimals) {
  uint64_t scale = 1;
  for (unsigned i = 0; i < decimals; i++) scale *= 10;
  add_number(t, v / scale);
  if (!decimals) return;
  add(t, ".");
  for (uint64_t rest = v % scale; scale > 1; rest %= scale) {
    scale /= 10;
    add_number(t, rest / scale);
  }
}

static void add_ms(struct text *t, uint64_t ns) {
  if (ns >= 10000000) {
    add_number(t, ns / 1000000);
    return;
  }
  uint64_t x = ns / 1000;
  unsigned decimals = 3;
  while (x >= 100) {
    x /= 10;
    decimals--;
  }
  add_fixed(t, x, x ? decimals : 0);
}

static void add_times(struct text *t, const uint64_t *ns, const char *const *before, size_t count) {
  for (size_t i = 0; i < count; i++) {
    add(t, before[i]);
    add_ms(t, ns[i]);
  }
}

static void add_mb(struct text *t, uint64_t bytes, const char *after) {
  add_number(t, bytes >> 20);
  add(t, after);
}

size_t tri_gctrace_format(char *buf, size_t size, const struct tri_gctrace *g) {
  static const char *const clock_before[] = {"%: ", "+", "+"};
  static const char *const cpu_before[] = {" ms clock, ", "+", "/", "/", "+"};
  struct text t = {buf, size, 0};
  if (size == 0) return 0;
  buf[0] = 0;
  add(&t, "gc ");
  add_number(&t, g->num_gc);
  add(&t, " @");
  add_fixed(&t, g->since_start_ns / 1000000, 3);
  add(&t, "s ");
  t.len += tri_format(t.buf + t.len, t.size - t.len, "%d", g->percent);
  add_times(&t, g->clock_ns, clock_before, TRI_ARRAY_LEN(clock_before));
  add_times(&t, g->cpu_ns, cpu_before, TRI_ARRAY_LEN(cpu_before));
  add(&t, " ms cpu, ");
  add_mb(&t, g->heap_start, "->");
  add_mb(&t, g->heap_end, "->");
  add_mb(&t, g->heap_marked, " MB, ");
  add_mb(&t, g->goal, " MB goal, ");
  add_mb(&t, g->stack_bytes, " MB stacks, ");
  add_mb(&t, g->globals_bytes, " MB globals, ");
  add_number(&t, g->procs);
  add(&t, g->forced ? " P (forced)\n" : " P\n");
  return t.len;
}
