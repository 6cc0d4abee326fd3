/*
 * The tricolor command: help, version, `run`, which starts a program with its malloc replaced, and `stats`, which tells
 * the figures of a running one (stats.c).
 *
 * The flow of `run`: main.c -> run.c (options) -> find.c (the program, the library) -> target.c (can it be preloaded?)
 * -> run.c (environment, execve). The command becomes the program, so exit status, signals, terminal and process id
 * are the program's own. Everything that stands in the way is one line on stderr and a status of its own: 2 for wrong
 * usage and where preloading cannot apply, 126 and 127 as in shells.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/cli.h"

static const char help[] =
    "Usage: tricolor run [OPTION]... [--] PROGRAM [ARG]...\n"
    "       tricolor stats [OPTION]... PID\n"
    "       tricolor version\n"
    "       tricolor --help\n"
    "\n"
    "Runs an unmodified program on a garbage-collected heap with Go's memory manager.\n"
    "\n"
    "Options of run (they win over the environment variables of the same meaning):\n"
    "  --gogc N|off        heap growth in percent before the next collection (GOGC; 100)\n"
    "  --memlimit SIZE|auto|off\n"
    "                      keep memory below SIZE; auto: below 90% of the cgroup's limit (GOMEMLIMIT)\n"
    "  --ballast SIZE      count SIZE more live heap: fewer collections (TRICOLOR=ballast=)\n"
    "  --free now|ignore   what free() does; ignore leaves all to the collector (now)\n"
    "  --collect on|off    off: never collect, just allocate (on)\n"
    "  --trace             a line for each collection, as Go's GODEBUG=gctrace=1\n"
    "  --log FILE          write these lines to FILE; %p in it is the process id (stderr)\n"
    "\n"
    "stats prints the figures of a program that runs on such a heap, as of its last collection or a second ago,\n"
    "without stopping it. Its options:\n"
    "  --metrics           Go's runtime/metrics instead of its MemStats\n"
    "  --json              all of them, as one JSON object in a line\n"
    "  --watch SECONDS     again and again, until the process ends\n"
    "\n"
    "SIZE is digits with an optional B, KiB, MiB, GiB or TiB.\n"
    "Exit status: the program's; 127 if it is not found, 126 if it cannot be executed, 2 for wrong usage\n"
    "and for programs into which no library can be preloaded; of stats 1 if there are no figures to be had.\n"
    "See tricolor(1).\n";

void tri_cli_fail(int status, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fputs("tricolor: ", stderr);
  vfprintf(stderr, fmt, ap);
  fputc('\n', stderr);
  va_end(ap);
  exit(status);
}

static int say(const char *text) {
  return fputs(text, stdout) == EOF || fflush(stdout) != 0;
}

static bool is(const char *arg, const char *word, const char *option) {
  return strcmp(arg, word) == 0 || strcmp(arg, option) == 0;
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  if (strcmp(command, "run") == 0) {
    if (argc > 2 && is(argv[2], "--help", "-h")) return say(help);
    tri_cli_run(argc - 1, argv + 1);
  }
  if (strcmp(command, "stats") == 0) {
    if (argc > 2 && is(argv[2], "--help", "-h")) return say(help);
    tri_cli_stats(argc - 1, argv + 1);
  }
  if (is(command, "version", "--version")) return say("tricolor " TRI_VERSION "\n");
  if (is(command, "help", "--help") || strcmp(command, "-h") == 0) return say(help);
  if (!*command) tri_cli_fail(TRI_CLI_CANNOT, "what to do? Try: tricolor run PROGRAM, or tricolor --help");
  tri_cli_fail(TRI_CLI_CANNOT, "unknown command \"%s\": accepted are run, stats, version, --help", command);
}
