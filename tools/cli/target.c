/*
 * Can a library be preloaded into this file? Reads ELF headers and follows "#!" lines as the kernel does.
 *
 * LD_PRELOAD is read by the dynamic loader of the C library, so it does nothing, or fails in a way that is hard to
 * understand, in these cases, each of which is answered with one line here:
 *   - no loader is named (PT_INTERP): a static program;
 *   - another word size or machine: the loader of that one cannot load ours; another C library (musl): neither;
 *   - secure execution: the loader drops LD_PRELOAD paths when the program gains privileges. The kernel's rule, which
 *     is used here: a set-user-id file of another user than the real user id, a set-group-id file (with group execute)
 *     of another group than the real group id, or file capabilities when the real user id is not 0. None of them
 *     counts on a nosuid mount or under no_new_privs.
 * In a script it is the interpreter that counts, and with "#!/usr/bin/env NAME" the program that env will find as well.
 * Set-user-id bits of scripts mean nothing on Linux.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/cli/cli.h"

#define SCRIPT_DEPTH 5   /* the kernel's limit is the same */
#define HEAD_SIZE 256    /* and so is this */
#define MAX_HEADERS 1024 /* program headers; real programs have about a dozen */

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#else
#define OWN_MACHINE EM_AARCH64
#endif

static void check_privileges(const char *path, int fd) {
  struct stat st;
  struct statvfs fs;
  if (fstat(fd, &st) != 0) return;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return;
  if (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_NOSUID)) return;
  if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
    tri_cli_fail(TRI_CLI_CANNOT, "%s: set-user-id program: the loader ignores preloaded libraries in it", path);
  if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != getgid())
    tri_cli_fail(TRI_CLI_CANNOT, "%s: set-group-id program: the loader ignores preloaded libraries in it", path);
  if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
    tri_cli_fail(TRI_CLI_CANNOT, "%s: has file capabilities: the loader ignores preloaded libraries in it", path);
}

static void check_loader(const char *path, int fd, const Elf64_Phdr *p) {
  char loader[PATH_MAX];
  size_t n = p->p_filesz < sizeof(loader) ? p->p_filesz : sizeof(loader) - 1;
  ssize_t got = pread(fd, loader, n, (off_t)p->p_offset);
  loader[got > 0 ? got : 0] = 0;
  const char *base = strrchr(loader, '/');
  if (strncmp(base ? base + 1 : loader, "ld-musl", 7) == 0)
    tri_cli_fail(TRI_CLI_CANNOT, "%s: uses the C library musl; the library needs glibc", path);
}

static void check_elf(const char *path, int fd, const char *head, size_t n) {
  Elf64_Ehdr e;
  if (head[EI_CLASS] == ELFCLASS32) tri_cli_fail(TRI_CLI_CANNOT, "%s: 32-bit program; the library is 64-bit", path);
  if (n < sizeof(e)) tri_cli_fail(TRI_CLI_NOT_RUN, "%s: not executable: truncated ELF file", path);
  memcpy(&e, head, sizeof(e));
  if (e.e_ident[EI_DATA] != ELFDATA2LSB || e.e_machine != OWN_MACHINE)
    tri_cli_fail(TRI_CLI_CANNOT, "%s: program for another architecture (ELF machine %u)", path, (unsigned)e.e_machine);
  for (unsigned i = 0; i < e.e_phnum && i < MAX_HEADERS; i++) {
    Elf64_Phdr p;
    if (pread(fd, &p, sizeof(p), (off_t)(e.e_phoff + (Elf64_Off)i * e.e_phentsize)) != (ssize_t)sizeof(p)) break;
    if (p.p_type != PT_INTERP) continue;
    check_loader(path, fd, &p);
    check_privileges(path, fd);
    return;
  }
  tri_cli_fail(TRI_CLI_CANNOT, "%s: static program: it has no loader that could preload a library", path);
}

static char *next_word(char **rest) {
  char *word = *rest + strspn(*rest, " \t");
  size_t n = strcspn(word, " \t");
  if (!n) return NULL;
  *rest = word + n + (word[n] != 0);
  word[n] = 0;
  return word;
}

static bool is_env(const char *path) {
  const char *base = strrchr(path, '/');
  return strcmp(base ? base + 1 : path, "env") == 0;
}

/* What "env ARGUMENTS" will run: the first word that is neither an option nor an assignment. */
static const char *env_program(char *rest) {
  for (char *word; (word = next_word(&rest));) {
    if (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0)
      next_word(&rest);
    else if (word[0] != '-' && !strchr(word, '='))
      return word;
    else if (strncmp(word, "-S", 2) == 0 && word[2])
      return strchr(word, '=') ? NULL : word + 2;
  }
  return NULL;
}

static void check_depth(const char *path, unsigned depth);

static void check_script(const char *path, char *line, unsigned depth) {
  line[strcspn(line, "\n")] = 0;
  char *interpreter = next_word(&line);
  if (!interpreter) tri_cli_fail(TRI_CLI_NOT_RUN, "%s: not executable: empty #! line", path);
  if (access(interpreter, F_OK) != 0)
    tri_cli_fail(TRI_CLI_NOT_FOUND, "%s: its interpreter %s is not found", path, interpreter);
  if (access(interpreter, X_OK) != 0)
    tri_cli_fail(TRI_CLI_NOT_RUN, "%s: its interpreter %s is not executable", path, interpreter);
  check_depth(interpreter, depth + 1);
  const char *program = is_env(interpreter) ? env_program(line) : NULL;
  if (program) {
    char found[PATH_MAX];
    tri_cli_find_program(program, found);
    check_depth(found, depth + 1);
  }
}

static void check_depth(const char *path, unsigned depth) {
  char head[HEAD_SIZE + 1] = {0};
  if (depth > SCRIPT_DEPTH) tri_cli_fail(TRI_CLI_NOT_RUN, "%s: not executable: #! lines nested too deep", path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  /* Executable but not readable: nothing to look at, the kernel decides. */
  if (fd < 0) return;
  ssize_t n = read(fd, head, HEAD_SIZE);
  if (n >= EI_NIDENT && memcmp(head, ELFMAG, SELFMAG) == 0)
    check_elf(path, fd, head, (size_t)n);
  else if (n >= 2 && head[0] == '#' && head[1] == '!')
    check_script(path, head + 2, depth);
  else
    tri_cli_fail(TRI_CLI_NOT_RUN, "%s: not executable: neither an ELF program nor a script with #!", path);
  close(fd);
}

void tri_cli_check_target(const char *path) {
  check_depth(path, 0);
}
