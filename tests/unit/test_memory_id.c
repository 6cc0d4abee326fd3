/* The number of a process's memory, and descriptors that belong to one memory. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal/hidden_fd.h"
#include "internal/memory_id.h"

/* What fn says in a child that no handler of pthread_atfork knows of. */
static int in_raw_child(int (*fn)(void)) {
  int status = 0;
  pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
  if (pid == 0) _exit(fn());
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static uint64_t parents, childs;
static struct tri_hidden_fd h;

static int is_other(void) {
  uint64_t id = tri_memory_id();
  return id != 0 && id != parents && id != childs && id == tri_memory_id();
}

static int has_child_of_its_own(void) {
  childs = tri_memory_id();
  return in_raw_child(is_other);
}

Test(memory_id, is_steady) {
  errno = 77;
  cr_assert_neq(tri_memory_id(), 0);
  cr_assert_eq(tri_memory_id(), tri_memory_id());
  cr_assert_eq(errno, 77);
}

Test(memory_id, another_in_a_child_and_in_its_child) {
  parents = childs = tri_memory_id();
  cr_assert(in_raw_child(is_other));
  cr_assert(in_raw_child(has_child_of_its_own));
  cr_assert_eq(tri_memory_id(), parents);
}

Test(memory_id, a_child_that_asks_first) {
  cr_assert(in_raw_child(is_other));
}

static int is_ours(void) {
  return tri_hidden_fd_is_ours(&h);
}

static int is_closed_by_drop(void) {
  int fd = h.fd;
  tri_hidden_fd_drop(&h);
  return h.fd == -1 && fcntl(fd, F_GETFD) == -1;
}

Test(memory_id, a_descriptor_is_not_the_childs) {
  h = tri_hidden_fd_adopt(open("/dev/null", O_RDONLY | O_CLOEXEC));
  cr_assert(is_ours());
  cr_assert_not(in_raw_child(is_ours));
  cr_assert(in_raw_child(is_closed_by_drop));
  cr_assert(is_ours());
}
