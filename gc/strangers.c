/*
 * Strangers: threads made by a raw clone, or by the C library for itself behind pthread_create, which have neither
 * allocated nor freed yet. They move pointers like any other, so in malloc mode they can be stopped, too.
 *
 *   stop (gc/stop.c): all that are registered have parked -> tri_strangers_adopt: are there more threads than known?
 *     -> each that is unknown and takes our signal gets a block -> signalled, parks in the handler, and is scanned
 *
 * The runner's status tells the number of threads, with the system calls that a collection makes anyway: a program may
 * have gone into a sandbox. Only where it is not what it should be is /proc/self/task read, and where one that was deaf
 * (signals blocked: helpers of the C library and the kernel's, threads that are just being made) listens by now or is
 * gone. The program's threads do not see the descriptor: they are stopped.
 *
 * [STRANGER-1] Where they are stopped, whoever takes a lock of the runtime's other than the registry's registers first
 * (tri_enter_stoppable). Who goes to sleep in a call that we see registers, too, and is not woken. Who is inside in the
 * name of a thread whose storage it shares does not park, and is asked again.
 *
 * A stranger's block is in the registry (so all that walks it sees its stack), without anything in thread-local storage
 * [barrier NULL], and here in a table that its handler reads: a stranger may share the thread-local storage of the
 * thread that made it, whose block must not answer for it. When it registers after all, or is dead, the block is
 * reaped.
 *
 * Locks: none; the registry's is held by who changes the table. An entry is stable for the thread that it names. Memory
 * ordering: a number is stored last and released. Forbidden in tri_strangers_self: thread-local storage, errno too.
 */
#include "gc/strangers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gc/parse.h"
#include "gc/runtime.h"
#include "gc/stop.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/rawcall.h"

enum { MOST = 4096, BUFFER = 4096, ASKED = 2 };

static struct {
  tri_aint tid; /* 0: free */
  struct tri_thread *block;
} table[MOST];
static tri_aint used; /* no entry from here on is */
/* The runner's: unknown ones that did not listen at the last look, and which of them is to be asked next. */
static int deaf[MOST];
static unsigned ndeaf, next_deaf;
static bool look_again;           /* guarded by the registry's lock */
static bool wanted;               /* constant, as the next two */
static int process, filters;      /* the second: seccomp's, at the start */
static tri_aint confined;         /* 1: who made one of ours may be in a sandbox of its own, and so may that one */
static struct tri_thread *cursor; /* of a look */

struct tri_thread *tri_strangers_self(void) {
  unsigned n = tri_int_load_acq(&used);
  if (tri_likely(n == 0)) return NULL;
  unsigned tid = (unsigned)tri_raw_call(SYS_gettid, 0, 0, 0, 0);
  for (unsigned i = 0; i < n; i++)
    if (tri_int_load_acq(&table[i].tid) == tid) return table[i].block;
  return NULL;
}

/* The list is stable as far as stop.c says of namesakes. */
bool tri_strangers_is_inside(const struct tri_thread *runner) {
  uintptr_t storage = tri_raw_thread_pointer();
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (t->thread_pointer == storage && t != runner && tri_int_load_rlx(&t->in_runtime)) return true;
  return false;
}

void tri_strangers_drop(const struct tri_thread *t) {
  unsigned n = tri_int_load_rlx(&used);
  for (unsigned i = 0; i < n; i++)
    if (tri_int_load_rlx(&table[i].tid) != 0 && table[i].block == t) tri_int_store_rel(&table[i].tid, 0);
  while (n > 0 && tri_int_load_rlx(&table[n - 1].tid) == 0) n--;
  tri_int_store_rel(&used, n);
}

static void say_once(void) {
  static bool said;
  if (said) return;
  said = true;
  tri_warn(
      "over %d threads that were not made by pthread_create, or no memory for them: not all are stopped (said once)",
      MOST);
}

static bool adopt(int tid) {
  unsigned i = 0;
  while (i < MOST && tri_int_load_rlx(&table[i].tid) != 0) i++;
  struct tri_thread *t = i < MOST ? tri_thread_adopt(tid) : NULL;
  if (!t) {
    say_once();
    return false;
  }
  table[i].block = t;
  tri_int_store_rel(&table[i].tid, (unsigned)tid);
  if (i >= tri_int_load_rlx(&used)) tri_int_store_rel(&used, i + 1);
  return true;
}

/* "" where it cannot be read. */
static const char *read_file(const char *name, char text[BUFFER]) {
  int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC);
  long n = fd >= 0 ? syscall(SYS_read, fd, text, BUFFER - 1) : 0;
  if (fd >= 0) syscall(SYS_close, fd);
  text[n > 0 ? n : 0] = 0;
  return text;
}

/* "" of a thread that is dead. Valid until the next. */
static const char *read_status(int tid) {
  static char text[BUFFER];
  char name[48];
  tri_format(name, sizeof name, "/proc/self/task/%d/status", tid);
  return read_file(name, text);
}

/* Our signal is in that set of signals: "\nSigBlk:\t", "\nSigPnd:\t". */
static bool is_in(const char *status, const char *name) {
  const char *digits = strstr(status, name);
  uintptr_t set;
  if (!digits) return false;
  digits += strlen(name);
  return tri_parse_hex(&digits, &set) && set >> (tri_stop_signal() - 1) & 1;
}

static bool does_not_listen(int tid) {
  const char *status = read_status(tid), *state = strstr(status, "\nState:\t");
  return !state || state[8] == 'Z' || state[8] == 'X' || !strstr(status, "\nSigBlk:\t") || is_in(status, "\nSigBlk:\t");
}

enum tri_stranger_hears tri_strangers_hears(const struct tri_thread *t) {
  int saved_errno = errno;
  const char *status = read_status(t->tid);
  bool unknown = !status[0] && syscall(SYS_tgkill, getpid(), t->tid, 0) == 0; /* no descriptor, perhaps */
  errno = saved_errno;
  if (unknown) return TRI_STRANGER_DEAF;
  if (!is_in(status, "\nSigPnd:\t")) return TRI_STRANGER_HEARD;
  return is_in(status, "\nSigBlk:\t") ? TRI_STRANGER_DEAF : TRI_STRANGER_WILL_HEAR;
}

/* The directory is in the order in which threads were made, and so is the registry, mostly, from its end. */
static bool find_from(struct tri_thread *t, int tid) {
  while (t && t->tid != tid) t = t->prev;
  if (t) cursor = t->prev;
  return t != NULL;
}

static bool is_known(struct tri_thread *oldest, int tid) {
  return find_from(cursor, tid) || find_from(oldest, tid);
}

struct entry { /* linux_dirent64 */
  uint64_t inode, offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

static int number(const char *p) {
  int v = 0;
  for (; *p >= '0' && *p <= '9'; p++) v = v * 10 + (*p - '0');
  return v;
}

static unsigned look_at(struct tri_thread *oldest, int tid, int own) {
  if (tid == 0 || tid == own || is_known(oldest, tid) || tri_thread_waits_to_register(tid)) return 0;
  if (tri_worker_has_tid(tid)) return 0;
  if (!does_not_listen(tid) && adopt(tid)) return 1;
  if (ndeaf < MOST) deaf[ndeaf] = tid;
  ndeaf++;
  return 0;
}

static unsigned read_tasks(int fd) {
  static uint64_t buffer[BUFFER / sizeof(uint64_t)];
  struct tri_thread *oldest = tri_thread_first();
  int own = (int)syscall(SYS_gettid);
  unsigned found = 0;
  long n;
  while (oldest && oldest->next) oldest = oldest->next;
  cursor = oldest;
  ndeaf = 0;
  look_again = false;
  while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
    for (long at = 0; at < n;) {
      const struct entry *e = (const struct entry *)(const void *)((const char *)buffer + at);
      found += look_at(oldest, number(e->name), own);
      at += e->size;
    }
  return found;
}

static unsigned look_for_strangers(void) {
  int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  unsigned found = read_tasks(fd);
  syscall(SYS_close, fd);
  return found;
}

static unsigned known(void) {
  unsigned n = ndeaf + tri_worker_markers() + !tri_thread_is_registered(tri_self);
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    n += !t->stranger || !tri_thread_waits_to_register(t->tid); /* who waits is counted there */
  return n;
}

static int number_in(const char *status, const char *name) {
  const char *digits = strstr(status, name);
  return digits ? number(digits + strlen(name)) : 0;
}

static int filters_of(const char *status) {
  return number_in(status, "\nSeccomp:\t") + number_in(status, "\nSeccomp_filters:\t");
}

/* 0: cannot be told, /proc is another namespace's, which has other numbers, or that thread is in a sandbox of the
 * program's, which need not let us look. */
static unsigned number_of_threads_in(const char *file, int tid, char text[BUFFER]) {
  const char *status = read_file(file, text);
  if (strstr(status, "\nState:\tZ")) return 0; /* a sandbox for all threads has left it out */
  bool has_our_numbers = number_in(status, "\nTgid:\t") == getpid() && number_in(status, "\nPid:\t") == tid;
  return has_our_numbers && filters_of(status) == filters ? (unsigned)number_in(status, "\nThreads:\t") : 0;
}

/* The first thread's directory where it may speak for the calling one: why, alloc/base/pagemap.c says. */
static unsigned number_of_threads(void) {
  static char text[BUFFER];
  int own = (int)syscall(SYS_gettid), first = getpid();
  bool first_will_do = own == first || (tri_worker_has_tid(own) && !tri_int_load_acq(&confined));
  unsigned n = first_will_do ? number_of_threads_in("/proc/self/status", first, text) : 0;
  return n > 0 ? n : number_of_threads_in("/proc/thread-self/status", own, text);
}

void tri_strangers_before_worker(void) {
  int saved_errno = errno, own = (int)syscall(SYS_gettid);
  bool like_first = own == getpid() || tri_worker_has_tid(own);
  if (wanted && !like_first && (filters != 0 || prctl(PR_GET_SECCOMP) != 0)) tri_int_store_rel(&confined, 1);
  errno = saved_errno;
}

/* The registered ones live: they have just answered. If the others do, too, and are as many as there should be, they
 * are the same. Some of them may listen by now: a few are asked each time. */
static bool one_has_changed(void) {
  if (ndeaf > MOST || look_again) return true;
  for (unsigned i = 0; i < ndeaf; i++)
    if (syscall(SYS_tgkill, getpid(), deaf[i], 0) != 0) return true;
  for (unsigned i = 0; i < ASKED && i < ndeaf; i++)
    if (!does_not_listen(deaf[next_deaf++ % ndeaf])) return true;
  return false;
}

void tri_strangers_init(bool on) {
  process = getpid();
  static char text[BUFFER];
  if (on) filters = filters_of(read_file("/proc/thread-self/status", text));
  wanted = on;
}

void tri_strangers_after_fork(void) {
  process = getpid();
  tri_int_store_rlx(&confined, 0); /* the caller is the first thread */
}

bool tri_strangers_wanted(void) {
  return wanted && tri_runtime_ready() && getpid() == process;
}

struct tri_thread *tri_strangers_register_self(void) {
  struct tri_thread *t = tri_self;
  if (t == &tri_thread_none && tri_strangers_wanted()) t = tri_thread_register_self();
  return t ? t : &tri_thread_none;
}

void tri_strangers_has_registered(int tid) {
  for (unsigned i = 0; i < tri_min(ndeaf, MOST); i++) look_again |= deaf[i] == tid;
}

unsigned tri_strangers_adopt(void) {
  if (!wanted) return 0;
  int saved_errno = errno;
  unsigned waiting = tri_thread_number_waiting(); /* before they are counted */
  unsigned n = number_of_threads(), found = 0;
  if (n > 0 && (n != known() + waiting || one_has_changed())) found = look_for_strangers();
  errno = saved_errno;
  return found;
}
