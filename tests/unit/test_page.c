/* The page barrier against the kernel it runs on: what was written, and only that, is reported. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "barrier/page.h"

enum { PAGE = 4096, PAGES = 64 };

static char *area;
static bool written[PAGES];

static void note(uintptr_t lo, uintptr_t hi, void *arg) {
  for (; lo < hi; lo += PAGE) written[(lo - (uintptr_t)area) / PAGE] = true;
}

static uintptr_t from(int page) {
  return (uintptr_t)area + (uintptr_t)page * PAGE;
}

static unsigned fetch(bool again) {
  unsigned n = 0;
  memset(written, 0, sizeof written);
  cr_assert(again ? tri_page_each_written(from(0), from(PAGES), note, NULL)
                  : tri_page_each_written_at_last(from(0), from(PAGES), note, NULL));
  for (int i = 0; i < PAGES; i++) n += written[i];
  return n;
}

static void setup(void) {
  if (sysconf(_SC_PAGESIZE) != PAGE || tri_page_probe()) cr_skip_test("this kernel has no page barrier");
  area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  cr_assert_neq(area, MAP_FAILED);
  memset(area, 1, PAGES * PAGE);
}

TestSuite(page, .init = setup);

/* Or swapped out. */
static bool present(int page) {
  uint64_t word = 0;
  int fd = open("/proc/self/pagemap", O_RDONLY);
  cr_assert_eq(pread(fd, &word, sizeof word, (off_t)(from(page) / PAGE * sizeof word)), (ssize_t)sizeof word);
  close(fd);
  return word >> 62 != 0;
}

static void track(void) {
  cr_assert(tri_page_track((uintptr_t)area, (uintptr_t)area + PAGES * PAGE));
}

Test(page, untouched_pages) {
  size_t half = PAGES / 2 * PAGE;
  cr_assert_eq(madvise(area + half, half, MADV_DONTNEED), 0);
  track();
  cr_assert_eq(fetch(true), 0);
  cr_assert(!present(PAGES - 1), "the kernel was made to note something in its page tables");
  area[3 * PAGE] = area[(PAGES - 1) * PAGE] = 2;
  fetch(false);
  cr_assert(written[3] && written[PAGES - 1] && !written[4], "at last others may be named that were never touched");
  cr_assert_eq(fetch(true), 2);
  cr_assert(written[3] && written[PAGES - 1]);
  tri_page_untrack();
}

Test(page, reports_what_was_written) {
  track();
  cr_assert_eq(fetch(false), 0);
  area[3 * PAGE] = 2;
  area[(PAGES - 1) * PAGE] = 2;
  cr_assert_eq(fetch(false), 2);
  cr_assert(written[3] && written[PAGES - 1]);
  tri_page_untrack();
}

Test(page, tracks_again_what_was_fetched) {
  track();
  area[3 * PAGE] = 2;
  cr_assert_eq(fetch(true), 1);
  cr_assert_eq(fetch(true), 0);
  area[3 * PAGE] = 3;
  area[5 * PAGE] = 3;
  cr_assert_eq(fetch(true), 2);
  tri_page_untrack();
}

Test(page, sees_system_calls_and_returned_pages) {
  int fd[2];
  cr_assert_eq(pipe(fd), 0);
  track();
  cr_assert_eq(write(fd[1], "x", 1), 1);
  cr_assert_eq(read(fd[0], area + 7 * PAGE, 1), 1);
  cr_assert_eq(madvise(area + 9 * PAGE, PAGE, MADV_DONTNEED), 0);
  area[9 * PAGE] = 1;
  fetch(false);
  cr_assert(written[7] && written[9]);
  tri_page_untrack();
}

Test(page, many_runs) {
  track();
  for (int i = 0; i < PAGES; i += 2) area[i * PAGE] = 2;
  cr_assert_eq(fetch(true), PAGES / 2);
  cr_assert_eq(fetch(false), 0);
  tri_page_untrack();
}

Test(page, parts) {
  track();
  area[3 * PAGE] = area[4 * PAGE] = 2;
  memset(written, 0, sizeof written);
  cr_assert(tri_page_each_written_at_last(from(4), from(8), note, NULL));
  cr_assert(!written[3] && written[4] && !written[5]);
  tri_page_untrack();
}

Test(page, a_part_begins_anew_and_no_other) {
  track();
  area[3 * PAGE] = area[4 * PAGE] = area[9 * PAGE] = 2;
  memset(written, 0, sizeof written);
  cr_assert(tri_page_each_written(from(4), from(8), note, NULL));
  cr_assert(!written[3] && written[4] && !written[9]);
  cr_assert_eq(fetch(false), 2);
  cr_assert(written[3] && !written[4] && written[9]);
  tri_page_untrack();
}

Test(page, ranges_grow_and_tracking_begins_anew) {
  cr_assert(tri_page_track((uintptr_t)area, (uintptr_t)area + 8 * PAGE));
  tri_page_untrack();
  area[2 * PAGE] = 2;
  track();
  cr_assert_eq(fetch(false), 0);
  area[20 * PAGE] = 2;
  cr_assert_eq(fetch(false), 1);
  tri_page_untrack();
}

/* All but those of the test framework. */
static void close_all(void) {
  struct rlimit lim;
  getrlimit(RLIMIT_NOFILE, &lim);
  for (int fd = 64; fd < (int)lim.rlim_cur && fd < 70000; fd++) close(fd);
}

Test(page, descriptors_closed_by_the_program) {
  track();
  close_all();
  cr_assert_not(tri_page_each_written(from(0), from(PAGES), note, NULL));
  cr_assert_not(tri_page_each_written_at_last(from(0), from(1), note, NULL));
  tri_page_untrack();
  track();
  area[0] = 4;
  cr_assert_eq(fetch(false), 1);
  tri_page_untrack();
}

Test(page, a_child_tracks_for_itself) {
  track();
  pid_t pid = fork();
  if (pid == 0) {
    tri_page_after_fork();
    bool ok = tri_page_track((uintptr_t)area, (uintptr_t)area + PAGES * PAGE);
    area[0] = 4;
    _exit(ok && fetch(false) == 1 ? 0 : 1);
  }
  int status;
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_assert_eq(status, 0);
  cr_assert_eq(fetch(false), 0, "the child's writes are not ours");
  tri_page_untrack();
}
