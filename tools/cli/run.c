/*
 * `tricolor run`: options in, environment out, execve.
 *
 * Values are checked with the parsers of the library itself (gc/parse.c), so a mistake is told here, before the
 * program starts. Settings that are in the environment stay, and options are appended to them: the last setting of a
 * list wins. LD_PRELOAD keeps what it has, behind our library, since the first malloc found is the one that counts.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gc/parse.h"
#include "tools/cli/cli.h"

#define LOG_PATH_LIMIT 512

struct options {
  const char *gogc;
  const char *memlimit;
  const char *ballast;
  const char *free_mode;
  const char *collect;
  const char *log;
  bool trace;
};

enum { OPT_GOGC = 1, OPT_MEMLIMIT, OPT_BALLAST, OPT_FREE, OPT_COLLECT, OPT_TRACE, OPT_LOG };

static void set_variable(const char *name, const char *value) {
  if (setenv(name, value, 1) != 0) tri_cli_fail(TRI_CLI_NOT_RUN, "no memory for the environment");
}

/* Appends "item" to a list variable; empty ones are replaced. */
static void append_setting(const char *name, const char *key, const char *value) {
  const char *old = getenv(name);
  bool join = old && *old;
  char *text;
  if (asprintf(&text, "%s%s%s=%s", join ? old : "", join ? "," : "", key, value) < 0)
    tri_cli_fail(TRI_CLI_NOT_RUN, "no memory for the environment");
  set_variable(name, text);
  free(text);
}

static void preload(const char *library) {
  const char *old = getenv("LD_PRELOAD");
  char *rest = strdup(old ? old : "");
  char *list = malloc(strlen(library) + strlen(old ? old : "") + 2);
  if (!rest || !list) tri_cli_fail(TRI_CLI_NOT_RUN, "no memory for the environment");
  strcpy(list, library);
  for (char *save, *lib = strtok_r(rest, " :", &save); lib; lib = strtok_r(NULL, " :", &save)) {
    if (strcmp(lib, library) == 0) continue;
    strcat(list, ":");
    strcat(list, lib);
  }
  set_variable("LD_PRELOAD", list);
  free(list);
  free(rest);
}

static void need_one_of(const char *option, const char *value, const char *a, const char *b) {
  if (strcmp(value, a) != 0 && strcmp(value, b) != 0)
    tri_cli_fail(TRI_CLI_CANNOT, "--%s is %s or %s, not \"%s\"", option, a, b, value);
}

static void check_log(const char *file) {
  if (!*file || strlen(file) >= LOG_PATH_LIMIT || strchr(file, ','))
    tri_cli_fail(TRI_CLI_CANNOT, "--log is a file name of 1 to %d bytes without commas", LOG_PATH_LIMIT - 1);
}

static void check_options(const struct options *o) {
  uint64_t size;
  int percent;
  if (o->gogc && !tri_parse_gogc(tri_slice_of(o->gogc), &percent))
    tri_cli_fail(TRI_CLI_CANNOT, "--gogc is a whole number of percent or off, not \"%s\"", o->gogc);
  bool is_auto;
  if (o->memlimit && !tri_parse_limit(tri_slice_of(o->memlimit), &size, &is_auto))
    tri_cli_fail(TRI_CLI_CANNOT,
                 "--memlimit is digits with an optional B, KiB, MiB, GiB or TiB, auto or off, not \"%s\"", o->memlimit);
  if (o->ballast && !tri_parse_size(tri_slice_of(o->ballast), &size))
    tri_cli_fail(TRI_CLI_CANNOT, "--ballast is digits with an optional B, KiB, MiB, GiB or TiB, not \"%s\"",
                 o->ballast);
  if (o->free_mode) need_one_of("free", o->free_mode, "now", "ignore");
  if (o->collect) need_one_of("collect", o->collect, "on", "off");
  if (o->log) check_log(o->log);
}

static void take(struct options *o, int option) {
  switch (option) {
    case OPT_GOGC:
      o->gogc = optarg;
      break;
    case OPT_MEMLIMIT:
      o->memlimit = optarg;
      break;
    case OPT_BALLAST:
      o->ballast = optarg;
      break;
    case OPT_FREE:
      o->free_mode = optarg;
      break;
    case OPT_COLLECT:
      o->collect = optarg;
      break;
    case OPT_TRACE:
      o->trace = true;
      break;
    default:
      o->log = optarg;
  }
}

/* Leaves optind at the program's name. "+": what follows that name is the program's own. ":": we print the errors. */
static void parse_options(struct options *o, int argc, char **argv) {
  static const struct option known[] = {
      {"gogc", required_argument, NULL, OPT_GOGC},       {"memlimit", required_argument, NULL, OPT_MEMLIMIT},
      {"ballast", required_argument, NULL, OPT_BALLAST}, {"free", required_argument, NULL, OPT_FREE},
      {"collect", required_argument, NULL, OPT_COLLECT}, {"trace", no_argument, NULL, OPT_TRACE},
      {"log", required_argument, NULL, OPT_LOG},         {NULL, 0, NULL, 0},
  };
  int option;
  opterr = 0;
  while ((option = getopt_long(argc, argv, "+:", known, NULL)) != -1) {
    if (option == ':') tri_cli_fail(TRI_CLI_CANNOT, "option %s needs a value; see tricolor --help", argv[optind - 1]);
    if (option == '?') tri_cli_fail(TRI_CLI_CANNOT, "unknown option %s; see tricolor --help", argv[optind - 1]);
    take(o, option);
  }
  if (optind == argc) tri_cli_fail(TRI_CLI_CANNOT, "run needs a program; see tricolor --help");
}

static void set_environment(const struct options *o, const char *library) {
  if (o->gogc) set_variable("GOGC", o->gogc);
  if (o->memlimit) set_variable("GOMEMLIMIT", o->memlimit);
  if (o->ballast) append_setting("TRICOLOR", "ballast", o->ballast);
  if (o->free_mode) append_setting("TRICOLOR", "free", o->free_mode);
  if (o->collect) append_setting("TRICOLOR", "collect", o->collect);
  if (o->log) append_setting("TRICOLOR", "log", o->log);
  if (o->trace) append_setting("GODEBUG", "gctrace", "1");
  preload(library);
}

void tri_cli_run(int argc, char **argv) {
  struct options options = {0};
  char program[PATH_MAX], library[PATH_MAX];
  parse_options(&options, argc, argv);
  check_options(&options);
  tri_cli_find_program(argv[optind], program);
  tri_cli_check_target(program);
  tri_cli_find_library(library);
  set_environment(&options, library);
  execv(program, argv + optind);
  int error = errno;
  tri_cli_fail(error == ENOENT ? TRI_CLI_NOT_FOUND : TRI_CLI_NOT_RUN, "%s: cannot execute: %s", program,
               strerror(error));
}
