/*
 * What `tricolor stats` prints of a page: lines "Name value unit" for people and scripts, or one JSON object in a line.
 *
 * Names, values and their meaning are those of struct tri_mem_stats and of tri_read_metrics, so what a program reads of
 * itself and what is read from outside can be compared. Text adds sizes and times that are easier to read, in
 * parentheses at the end of the line, and says "off" for a goal that there is not; JSON has the plain numbers.
 * Strings come from another process and are cleaned.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/cli/cli.h"

enum unit { BYTES, GOAL, NANOSECONDS, UNIX_TIME, CYCLES, FRACTION, SWITCH };
static const char *const unit_names[] = {"bytes", "bytes", "ns", "ns", "cycles", "fraction", "boolean"};

#define FIELD(name, unit) \
  { #name, offsetof(struct tri_mem_stats, name), unit }

static const struct field {
  const char *name;
  size_t offset;
  enum unit unit;
} fields[] = {
    FIELD(Alloc, BYTES),        FIELD(TotalAlloc, BYTES),
    FIELD(Sys, BYTES),          FIELD(HeapAlloc, BYTES),
    FIELD(HeapSys, BYTES),      FIELD(HeapInuse, BYTES),
    FIELD(HeapIdle, BYTES),     FIELD(HeapReleased, BYTES),
    FIELD(StackSys, BYTES),     FIELD(GCSys, BYTES),
    FIELD(OtherSys, BYTES),     FIELD(NextGC, GOAL),
    FIELD(LastGC, UNIX_TIME),   FIELD(NumGC, CYCLES),
    FIELD(NumForcedGC, CYCLES), FIELD(GCCPUFraction, FRACTION),
    FIELD(EnableGC, SWITCH),    FIELD(PauseTotalNs, NANOSECONDS),
};

enum { PAUSES = sizeof((struct tri_mem_stats *)0)->PauseNs / sizeof(unsigned long) };

static const void *field_of(const struct tri_mem_stats *m, const struct field *f) {
  return (const char *)m + f->offset;
}

static unsigned long value_of(const struct tri_mem_stats *m, const struct field *f) {
  unsigned long word;
  unsigned number;
  int on;
  switch (f->unit) {
    case CYCLES:
      memcpy(&number, field_of(m, f), sizeof number);
      return number;
    case SWITCH:
      memcpy(&on, field_of(m, f), sizeof on);
      return on != 0;
    default:
      memcpy(&word, field_of(m, f), sizeof word);
      return word;
  }
}

static double age_seconds(const struct tri_stats_page *page) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  double now = (double)t.tv_sec + (double)t.tv_nsec * 1e-9, age = now - (double)page->written_ns * 1e-9;
  return age > 0 ? age : 0;
}

/* Text. */

static void print_easier_bytes(unsigned long bytes) {
  static const char *const names[] = {"KiB", "MiB", "GiB", "TiB"};
  double v = (double)bytes / 1024;
  size_t i = 0;
  if (bytes < 1024) return;
  for (; v >= 1024 && i + 1 < sizeof names / sizeof names[0]; i++) v /= 1024;
  printf(" (%.1f %s)", v, names[i]);
}

static void print_easier_ns(unsigned long ns) {
  if (ns >= 1000000000) {
    printf(" (%.3f s)", (double)ns * 1e-9);
  } else if (ns >= 1000) {
    printf(" (%.3f ms)", (double)ns * 1e-6);
  }
}

static void print_easier_time(unsigned long unix_ns) {
  time_t seconds = (time_t)(unix_ns / 1000000000);
  struct tm tm;
  char text[64];
  if (unix_ns && localtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
    printf(" (%s)", text);
}

static void print_line(const char *name, unsigned long v, enum unit unit) {
  printf("%-14s %lu %s", name, v, unit_names[unit]);
  if (unit == BYTES || unit == GOAL) print_easier_bytes(v);
  if (unit == NANOSECONDS) print_easier_ns(v);
  if (unit == UNIX_TIME) print_easier_time(v);
  putchar('\n');
}

static void print_field(const struct tri_mem_stats *m, const struct field *f) {
  unsigned long v = value_of(m, f);
  if (f->unit == FRACTION) {
    printf("%-14s %.6f %s\n", f->name, m->GCCPUFraction, unit_names[FRACTION]);
  } else if (f->unit == GOAL && v == ULONG_MAX) {
    printf("%-14s off\n", f->name);
  } else {
    print_line(f->name, v, f->unit);
  }
}

static void print_mem_stats(const struct tri_mem_stats *m) {
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) print_field(m, &fields[i]);
  unsigned last = (m->NumGC + PAUSES - 1) % PAUSES;
  print_line("PauseNs", m->PauseNs[last], NANOSECONDS); /* the latest */
  print_line("PauseEnd", m->PauseEnd[last], UNIX_TIME);
}

/* What may stand in a line, and between the quotes of JSON. */
static void print_name(const char *name, size_t size) {
  for (size_t i = 0; i < size && name[i]; i++) {
    bool plain = name[i] > ' ' && name[i] < 0x7f && name[i] != '"' && name[i] != '\\';
    putchar(plain ? name[i] : '?');
  }
}

static size_t metrics_in(const struct tri_stats_page *page) {
  size_t n = 0;
  while (n < TRI_STATS_PAGE_METRICS && page->metrics[n].name[0]) n++;
  return n;
}

static void print_number(double v) {
  if (isfinite(v)) {
    printf("%.9g", v);
  } else {
    fputs("null", stdout);
  }
}

static void print_metric_value(const struct tri_stats_page_metric *m) {
  if (m->kind == TRI_METRIC_DOUBLE) {
    print_number(m->value.number);
  } else {
    printf("%lu", m->value.count);
  }
}

static void print_metrics(const struct tri_stats_page *page) {
  for (size_t i = 0; i < metrics_in(page); i++) {
    print_name(page->metrics[i].name, sizeof page->metrics[i].name);
    putchar(' ');
    print_metric_value(&page->metrics[i]);
    putchar('\n');
  }
}

void tri_cli_print_text(const struct tri_stats_page *page, int pid, bool metrics) {
  printf("%-14s %d\n", "Process", pid);
  printf("%-14s %.3f s\n", "Age", age_seconds(page));
  if (metrics) {
    print_metrics(page);
  } else {
    print_mem_stats(&page->mem);
  }
}

/* JSON. */

static void print_json_array(const char *name, const unsigned long *values) {
  printf(",\"%s\":[", name);
  for (size_t i = 0; i < PAUSES; i++) printf("%s%lu", i ? "," : "", values[i]);
  putchar(']');
}

static void print_json_field(const struct tri_mem_stats *m, const struct field *f) {
  printf("\"%s\":", f->name);
  if (f->unit == FRACTION) {
    print_number(m->GCCPUFraction);
  } else if (f->unit == SWITCH) {
    fputs(value_of(m, f) ? "true" : "false", stdout);
  } else {
    printf("%lu", value_of(m, f));
  }
}

static void print_json_mem_stats(const struct tri_mem_stats *m) {
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (i) putchar(',');
    print_json_field(m, &fields[i]);
  }
  print_json_array("PauseNs", m->PauseNs);
  print_json_array("PauseEnd", m->PauseEnd);
}

void tri_cli_print_json(const struct tri_stats_page *page, int pid) {
  printf("{\"Process\":%d,\"AgeSeconds\":%.3f,\"MemStats\":{", pid, age_seconds(page));
  print_json_mem_stats(&page->mem);
  fputs("},\"Metrics\":{", stdout);
  for (size_t i = 0; i < metrics_in(page); i++) {
    fputs(i ? ",\"" : "\"", stdout);
    print_name(page->metrics[i].name, sizeof page->metrics[i].name);
    fputs("\":", stdout);
    print_metric_value(&page->metrics[i]);
  }
  fputs("}}\n", stdout);
}
