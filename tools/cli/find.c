/*
 * Finding files: the program in PATH, the preload library near the command.
 *
 * The library is, in this order: what TRICOLOR_LIBRARY names; in the build tree when the command lies in one
 * (tools/cli beside gc); in the library directory of the prefix that the command lies in, so an installed tree can be
 * moved; where the build was configured to install it. The build tree is looked at only when the command's own
 * directory ends in tools/cli: "../../gc" of an installed command could be anybody's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli/cli.h"

#define LIBRARY "libtricolor-malloc.so"

static bool join(char out[PATH_MAX], const char *dir, size_t dir_len, const char *rest) {
  return snprintf(out, PATH_MAX, "%.*s/%s", (int)dir_len, dir, rest) < PATH_MAX;
}

static bool is_readable_file(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

/* LD_PRELOAD has no quoting. */
static void use_library(const char *found, char path[PATH_MAX]) {
  if (!realpath(found, path)) tri_cli_fail(TRI_CLI_CANNOT, "%s: %s", found, strerror(errno));
  if (strpbrk(path, " :"))
    tri_cli_fail(TRI_CLI_CANNOT,
                 "%s: LD_PRELOAD cannot name a path with a space or a colon; move it or set TRICOLOR_LIBRARY", path);
}

static bool try_library(const char *base, size_t len, const char *rest, char path[PATH_MAX]) {
  char candidate[PATH_MAX];
  if (!join(candidate, base, len, rest) || !is_readable_file(candidate)) return false;
  use_library(candidate, path);
  return true;
}

/* Length of `dir` without the ending `tail`, or 0 if it ends otherwise. */
static size_t without_tail(const char *dir, size_t len, const char *tail) {
  size_t n = strlen(tail);
  return len > n && memcmp(dir + len - n, tail, n) == 0 ? len - n : 0;
}

static size_t own_directory(char path[PATH_MAX]) {
  ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) : 0;
}

static bool find_near_command(char path[PATH_MAX]) {
  char own[PATH_MAX];
  size_t len = own_directory(own);
  if (!len) return false;
  size_t build = without_tail(own, len, "/tools/cli");
  if (build && try_library(own, build, "gc/" LIBRARY, path)) return true;
  size_t prefix = without_tail(own, len, "/bin");
  if (!prefix) return false;
  return try_library(own, prefix, TRI_LIBDIR "/" LIBRARY, path) || try_library(own, prefix, "lib/" LIBRARY, path);
}

void tri_cli_find_library(char path[PATH_MAX]) {
  const char *named = getenv("TRICOLOR_LIBRARY");
  if (named && *named) {
    if (!is_readable_file(named))
      tri_cli_fail(TRI_CLI_CANNOT, "TRICOLOR_LIBRARY=%s is not a file that can be read", named);
    use_library(named, path);
    return;
  }
  if (find_near_command(path)) return;
  if (try_library(TRI_PREFIX, strlen(TRI_PREFIX), TRI_LIBDIR "/" LIBRARY, path)) return;
  tri_cli_fail(TRI_CLI_CANNOT, "%s is neither near this command nor in %s/%s; set TRICOLOR_LIBRARY", LIBRARY,
               TRI_PREFIX, TRI_LIBDIR);
}

/* 0, or the errno that tells why the file cannot be executed. */
static int executable_error(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return errno;
  if (S_ISDIR(st.st_mode)) return EISDIR;
  if (!S_ISREG(st.st_mode)) return EACCES;
  return access(path, X_OK) == 0 ? 0 : errno;
}

static _Noreturn void fail_program(const char *name, int error) {
  if (error == ENOENT || error == ENOTDIR) tri_cli_fail(TRI_CLI_NOT_FOUND, "%s: not found", name);
  tri_cli_fail(TRI_CLI_NOT_RUN, "%s: not executable: %s", name, strerror(error));
}

void tri_cli_find_program(const char *name, char path[PATH_MAX]) {
  int error = ENOENT;
  if (strchr(name, '/')) {
    error = executable_error(name);
    if (error) fail_program(name, error);
    if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX) fail_program(name, ENAMETOOLONG);
    return;
  }
  const char *dirs = getenv("PATH");
  if (!dirs) dirs = "/usr/local/bin:/bin:/usr/bin";
  for (const char *dir = dirs; *name;) {
    size_t len = strcspn(dir, ":");
    bool fits = join(path, len ? dir : ".", len ? len : 1, name);
    int e = fits ? executable_error(path) : ENAMETOOLONG;
    if (e == 0) return;
    if (e == EACCES && access(path, F_OK) == 0) error = e; /* not for a directory that cannot be searched */
    if (!dir[len]) break;
    dir += len + 1;
  }
  fail_program(name, error);
}
