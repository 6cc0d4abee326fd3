/* Parts of the tricolor command. An ordinary program: it may use malloc and stdio. */
#ifndef TRI_TOOLS_CLI_H
#define TRI_TOOLS_CLI_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "tricolor/stats_page.h"

enum tri_cli_status {
  TRI_CLI_NO_FIGURES = 1, /* stats: nothing can be read of the process */
  TRI_CLI_CANNOT = 2,     /* bad usage, no library, or preloading does not apply to the program */
  TRI_CLI_NOT_RUN = 126,  /* found but not executable, as shells have it */
  TRI_CLI_NOT_FOUND = 127,
};

/* One line "tricolor: ..." on stderr, then exit. */
_Noreturn void tri_cli_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The `run` command; argv[0] is "run". Returns only by exit or by becoming the program. */
_Noreturn void tri_cli_run(int argc, char **argv);

/* The `stats` command; argv[0] is "stats". */
_Noreturn void tri_cli_stats(int argc, char **argv);

/* A process, held open as its folder in /proc. Ends the command with one line when there is none. */
int tri_cli_open_process(int pid);
/* Its figures. False when it has ended; where it shows none, ends the command with one line. */
bool tri_cli_read_page(int process, int pid, struct tri_stats_page *ret);
/* To stdout: lines of MemStats or of metrics; all in one line of JSON. */
void tri_cli_print_text(const struct tri_stats_page *page, int pid, bool metrics);
void tri_cli_print_json(const struct tri_stats_page *page, int pid);

/* Absolute path of the preload library. Ends the process with one line when there is none. */
void tri_cli_find_library(char path[PATH_MAX]);
/* The file that `name` stands for, searched in PATH as execvp does. Ends the process when there is none. */
void tri_cli_find_program(const char *name, char path[PATH_MAX]);
/* Ends the process with one line when a library cannot be preloaded into this file or into its interpreters. */
void tri_cli_check_target(const char *path);

#endif
