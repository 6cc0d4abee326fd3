/*
 * `tricolor stats`: options, and the loop of --watch. Reading is page.c's, printing figures.c's.
 *
 * The program is neither stopped nor asked: it publishes its figures by itself (gc/stats_page.c), so what is printed
 * has an age. A watched process that ends is the end of the watch, and no error.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli/cli.h"

#define LONGEST_PAUSE 1e6

struct options {
  bool json;
  bool metrics;
  double watch; /* 0: once */
};

enum { OPT_JSON = 1, OPT_METRICS, OPT_WATCH };

static double parse_seconds(const char *text) {
  char *end = NULL;
  double v = text[0] >= '0' && text[0] <= '9' ? strtod(text, &end) : 0;
  if (!(v > 0 && v <= LONGEST_PAUSE) || *end || strpbrk(text, "xXpP"))
    tri_cli_fail(TRI_CLI_CANNOT, "--watch is a number of seconds up to 1000000, not \"%s\"", text);
  return v;
}

static int parse_pid(const char *text) {
  char *end = NULL;
  errno = 0;
  long v = text[0] >= '0' && text[0] <= '9' ? strtol(text, &end, 10) : 0;
  if (v <= 0 || v > INT_MAX || errno || *end)
    tri_cli_fail(TRI_CLI_CANNOT, "stats needs the number of a process, not \"%s\"", text);
  return (int)v;
}

static void take(struct options *o, int option) {
  switch (option) {
    case OPT_JSON:
      o->json = true;
      break;
    case OPT_METRICS:
      o->metrics = true;
      break;
    default:
      o->watch = parse_seconds(optarg);
  }
}

static int parse_options(struct options *o, int argc, char **argv) {
  static const struct option known[] = {
      {"json", no_argument, NULL, OPT_JSON},
      {"metrics", no_argument, NULL, OPT_METRICS},
      {"watch", required_argument, NULL, OPT_WATCH},
      {NULL, 0, NULL, 0},
  };
  int option;
  opterr = 0;
  while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
    if (option == ':') tri_cli_fail(TRI_CLI_CANNOT, "option %s needs a value; see tricolor --help", argv[optind - 1]);
    if (option == '?') tri_cli_fail(TRI_CLI_CANNOT, "unknown option %s; see tricolor --help", argv[optind - 1]);
    take(o, option);
  }
  if (argc - optind != 1) tri_cli_fail(TRI_CLI_CANNOT, "stats needs the number of one process; see tricolor --help");
  return parse_pid(argv[optind]);
}

static void print(const struct options *o, const struct tri_stats_page *page, int pid, bool again) {
  if (o->json) {
    tri_cli_print_json(page, pid);
  } else {
    if (again) putchar('\n');
    tri_cli_print_text(page, pid, o->metrics);
  }
  if (fflush(stdout) != 0 || ferror(stdout)) tri_cli_fail(TRI_CLI_NO_FIGURES, "cannot write: %s", strerror(errno));
}

static void wait_seconds(double seconds) {
  struct timespec t = {(time_t)seconds, 0};
  t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
  nanosleep(&t, NULL);
}

void tri_cli_stats(int argc, char **argv) {
  struct options options = {0};
  int pid = parse_options(&options, argc, argv), process = tri_cli_open_process(pid);
  struct tri_stats_page page;
  if (!tri_cli_read_page(process, pid, &page))
    tri_cli_fail(TRI_CLI_NO_FIGURES, "process %d: it has ended, or is a thread of the kernel", pid);
  print(&options, &page, pid, false);
  while (options.watch > 0) {
    wait_seconds(options.watch);
    if (!tri_cli_read_page(process, pid, &page)) break;
    print(&options, &page, pid, true);
  }
  exit(0);
}
