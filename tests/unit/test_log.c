/* Where lines go and that nothing else is ever written to. Each test is a process of its own. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/check.h"

static char dir[64];

static void setup(void) {
  strcpy(dir, "/tmp/tri-log-XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void) {
  DIR *d = opendir(dir);
  for (struct dirent *e; (e = readdir(d));) unlinkat(dirfd(d), e->d_name, 0);
  closedir(d);
  rmdir(dir);
}

TestSuite(log, .init = setup, .fini = teardown);

static const char *path_of(const char *name) {
  static char path[128];
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  return path;
}

static const char *content(const char *name) {
  static char text[4096];
  int fd = open(path_of(name), O_RDONLY);
  cr_assert_geq(fd, 0, "%s is missing", name);
  ssize_t n = read(fd, text, sizeof(text) - 1);
  close(fd);
  text[n < 0 ? 0 : n] = 0;
  return text;
}

static void stderr_to(const char *name, int flags) {
  int fd = open(path_of(name), flags | O_CREAT, 0644);
  cr_assert_geq(fd, 0);
  cr_assert_eq(dup2(fd, 2), 2);
  close(fd);
}

static int find_fd_of(const char *name) {
  struct stat want, st;
  cr_assert_eq(stat(path_of(name), &want), 0);
  for (int fd = 3; fd < 70000; fd++)
    if (fstat(fd, &st) == 0 && st.st_ino == want.st_ino && st.st_dev == want.st_dev) return fd;
  return -1;
}

Test(log, lines_go_to_stderr_with_prefix_and_keep_errno) {
  stderr_to("err", O_WRONLY);
  errno = EXDEV;
  tri_log_line("cycle %d", 7);
  tri_warn("careful");
  tri_log_raw("gc 1\n", 5);
  cr_assert_eq(errno, EXDEV);
  cr_assert_str_eq(content("err"), "tricolor: cycle 7\ntricolor: careful\ngc 1\n");
}

Test(log, one_line_whatever_the_arguments_hold) {
  stderr_to("err", O_WRONLY);
  tri_warn("bad %s", "a\nb\033[1mc");
  cr_assert_str_eq(content("err"), "tricolor: bad a?b?[1mc\n");
}

Test(log, long_line_is_cut_but_ends) {
  stderr_to("err", O_WRONLY);
  char text[2000];
  memset(text, 'x', sizeof(text));
  tri_warn("%.*s", (int)sizeof(text), text);
  const char *got = content("err");
  cr_assert_eq(strlen(got), 511);
  cr_assert_eq(got[510], '\n');
}

Test(log, stderr_open_for_reading_is_left_alone) {
  stderr_to("err", O_RDONLY);
  errno = 0;
  tri_warn("lost");
  cr_assert_eq(errno, 0);
  cr_assert_str_eq(content("err"), "");
  close(2);
  tri_warn("lost too");
  cr_assert_eq(errno, 0);
}

Test(log, broken_pipe_does_not_kill) {
  int p[2];
  cr_assert_eq(pipe(p), 0);
  dup2(p[1], 2);
  close(p[0]);
  signal(SIGPIPE, SIG_DFL);
  tri_warn("nobody reads this");
  sigset_t pending, blocked;
  sigpending(&pending);
  cr_assert_not(sigismember(&pending, SIGPIPE));
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  cr_assert_not(sigismember(&blocked, SIGPIPE));
}

Test(log, file_takes_log_lines_and_warnings_stay_on_stderr) {
  stderr_to("err", O_WRONLY);
  cr_assert_eq(tri_log_open(path_of("log")), 0);
  tri_log_line("one");
  tri_log_raw("two\n", 4);
  tri_warn("three");
  cr_assert_str_eq(content("log"), "tricolor: one\ntwo\n");
  cr_assert_str_eq(content("err"), "tricolor: three\n");
}

Test(log, file_is_appended_to) {
  int fd = open(path_of("log"), O_WRONLY | O_CREAT, 0644);
  cr_assert_eq(write(fd, "old\n", 4), 4);
  close(fd);
  cr_assert_eq(tri_log_open(path_of("log")), 0);
  tri_log_raw("new\n", 4);
  cr_assert_str_eq(content("log"), "old\nnew\n");
}

Test(log, descriptor_is_high_and_cloexec) {
  struct rlimit lim = {500, 500};
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
  cr_assert_eq(tri_log_open(path_of("log")), 0);
  int fd = find_fd_of("log");
  cr_assert_geq(fd, 460);
  cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

Test(log, bad_path_gives_errno_and_stays_on_stderr) {
  stderr_to("err", O_WRONLY);
  errno = 0;
  cr_assert_eq(tri_log_open("/nonexistent-directory/x"), ENOENT);
  cr_assert_eq(errno, 0);
  tri_log_line("here");
  cr_assert_str_eq(content("err"), "tricolor: here\n");
}

Test(log, closed_descriptor_is_opened_again_elsewhere) {
  cr_assert_eq(tri_log_open(path_of("log")), 0);
  tri_log_raw("a\n", 2);
  int fd = find_fd_of("log");
  int other = open(path_of("database"), O_RDWR | O_CREAT, 0644);
  cr_assert_eq(dup2(other, fd), fd);
  close(other);
  tri_log_raw("b\n", 2);
  tri_log_raw("c\n", 2);
  cr_assert_str_eq(content("log"), "a\nb\nc\n");
  cr_assert_str_eq(content("database"), "");
  cr_assert_geq(fcntl(fd, F_GETFD), 0, "the program's descriptor was closed");
  pid_t child = fork();
  if (child == 0) {
    close_range(0, ~0U, 0);
    tri_log_raw("d\n", 2);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  cr_assert_str_eq(content("log"), "a\nb\nc\nd\n");
}

Test(log, relative_path_survives_chdir) {
  cr_assert_eq(chdir(dir), 0);
  cr_assert_eq(tri_log_open("log"), 0);
  close(find_fd_of("log"));
  cr_assert_eq(chdir("/"), 0);
  tri_log_raw("a\n", 2);
  cr_assert_str_eq(content("log"), "a\n");
}

Test(log, child_gets_its_own_file) {
  char name[64];
  cr_assert_eq(tri_log_open(path_of("log.%p")), 0);
  tri_log_raw("parent\n", 7);
  pid_t child = fork();
  if (child == 0) {
    tri_log_after_fork();
    tri_log_raw("child\n", 6);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  tri_log_raw("parent\n", 7);
  snprintf(name, sizeof(name), "log.%d", (int)child);
  cr_assert_str_eq(content(name), "child\n");
  snprintf(name, sizeof(name), "log.%d", (int)getpid());
  cr_assert_str_eq(content(name), "parent\nparent\n");
}

Test(log, fatal_is_one_line_and_abort) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL);
    stderr_to("err", O_WRONLY);
    tri_fatal("no %s", "way");
  }
  int status;
  waitpid(child, &status, 0);
  cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  cr_assert_str_eq(content("err"), "tricolor: fatal: no way\n");
}
