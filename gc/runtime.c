/*
 * Start-up and what a process is: malloc or API mode, inert or not. malloc is called before any constructor, by the
 * loader and by libc's own initialisation, so:
 *   first allocation:  reserve the heap, with default settings; no cycle can start;
 *   settings:          as soon as `environ` is there: at the first allocation after that, or in our constructor;
 *                      then the signal, the log, the first plan; cycles may start.
 * Inert: the executable's own malloc (or another library's before ours) is what the loader resolves, a sanitizer is
 * present, or this is a second copy of the core in the process. Then nothing is interposed in effect: every hook calls
 * the C library's function, nothing is collected, and what reaches our malloc all the same is served like in any
 * allocator.
 *
 * `heap_state` 0 -> 1 -> 2 by one thread; others wait, the same thread is told so. No locks are held on the way.
 */
#include "gc/runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc/mheap.h"
#include "alloc/os.h"
#include "alloc/ownmap.h"
#include "gc/beside.h"
#include "gc/collector.h"
#include "gc/cycle.h"
#include "gc/fork.h"
#include "gc/heap.h"
#include "gc/stop.h"
#include "gc/strangers.h"
#include "gc/worker.h"
#include "internal/check.h"
#include "internal/state.h"
#include "tricolor/tricolor.h"

enum { HEAP_NONE, HEAP_STARTING, HEAP_READY, HEAP_REFUSED };

static tri_aint heap_state;
static int starting_tid;
static tri_aint settings_state; /* 0 -> 1 */
static bool inert;
static struct tri_config config;

bool tri_runtime_inert(void) {
  return inert;
}
bool tri_runtime_ready(void) {
  return tri_int_load_acq(&heap_state) == HEAP_READY && !inert;
}
const struct tri_config *tri_runtime_config(void) {
  return &config;
}

struct tri_config *tri_runtime_config_to_change(void) {
  return &config;
}

static void *ballast; /* its address space; NULL: none */
static size_t ballast_size;

bool tri_runtime_change_ballast(size_t bytes) {
  size_t size = tri_align_up(bytes, TRI_PAGE_SIZE);
  void *p = size && size >= bytes ? tri_os_reserve(size, TRI_PAGE_SIZE) : NULL;
  if (bytes && !p) return false;
  if (p) tri_ownmap_add(p, size);
  if (ballast) {
    tri_ownmap_remove(ballast, ballast_size);
    tri_os_unreserve(ballast, ballast_size);
  }
  ballast = p;
  ballast_size = size;
  config.ballast_bytes = bytes;
  return true;
}

static void reserve_ballast(void) {
  if (tri_runtime_change_ballast(config.ballast_bytes)) return;
  tri_warn("TRICOLOR_BALLAST: no address space for a ballast of %zu bytes; there is none", config.ballast_bytes);
  config.ballast_bytes = 0;
}

static void first_line(void) {
  struct tri_barrier_choice choice = tri_beside_choose(&config, tri_malloc_mode);
  tri_log_line("version %s, barrier=%s (%s)", TRI_VERSION, tri_barrier_name(choice.kind), choice.reason);
}

enum { PREFERRED = 3, PREFERRED_SIZE = 1024 };
static char preferred[PREFERRED][PREFERRED_SIZE]; /* "NAME=value", as in an environment */

bool tri_runtime_prefer(const char *gogc, const char *godebug, const char *tricolor) {
  const char *name[PREFERRED] = {"GOGC", "GODEBUG", "TRICOLOR"}, *value[PREFERRED] = {gogc, godebug, tricolor};
  if (tri_int_load_acq(&settings_state)) return false;
  for (int i = 0; i < PREFERRED; i++)
    if (value[i]) tri_format(preferred[i], PREFERRED_SIZE, "%s=%s", name[i], value[i]);
  return true;
}

static void parse_preferred(void) {
  char *list[PREFERRED + 1] = {0};
  for (int i = 0, n = 0; i < PREFERRED; i++)
    if (preferred[i][0]) list[n++] = preferred[i];
  tri_config_parse(&config, list);
}

static void apply_settings(void) {
  extern char **environ;
  if (!environ || !tri_int_cas_acq_rel(&settings_state, 0, 1)) return;
  tri_config_init_defaults(&config);
  parse_preferred();
  tri_config_parse(&config, environ);
  if (config.log_path[0]) {
    int err = tri_log_open(config.log_path);
    if (err) tri_warn("TRICOLOR=log=%s cannot be opened (errno %d); the log goes to stderr", config.log_path, err);
  }
  tri_state.clobberfree = config.clobberfree > 0;
  tri_heap_free_ignored = config.collect && config.free_mode == TRI_FREE_IGNORE;
  tri_state.disowning = tri_heap_free_ignored && tri_malloc_mode;
  tri_collector_set_stress(config.collect ? config.stress_bytes : 0);
  reserve_ballast();
  tri_stop_init(config.signal);
  tri_fork_init();
  if (config.gctrace > 0) first_line();
  tri_cycle_init(&config, tri_malloc_mode);
  tri_strangers_init(config.strangers && config.collect && tri_malloc_mode);
}

static void start_heap(void) {
  if (!tri_mheap_init(0)) {
    tri_warn("no address space for the heap; allocation fails (RLIMIT_AS too low?)");
    tri_int_store_rel(&heap_state, HEAP_REFUSED);
    return;
  }
  /* The heap's first page is never used: tri_heap_range.base must not look like a pointer to an object. */
  tri_mheap_alloc_span(1, 1, 1);
  tri_config_init_defaults(&config);
  tri_int_store_rel(&heap_state, HEAP_READY);
}

bool tri_runtime_init(void) {
  unsigned state = tri_int_load_acq(&heap_state);
  if (state == HEAP_REFUSED) return false;
  if (state != HEAP_READY) {
    int tid = (int)syscall(SYS_gettid), saved_errno = errno;
    if (tri_int_cas_acq_rel(&heap_state, HEAP_NONE, HEAP_STARTING)) {
      starting_tid = tid;
      start_heap();
    } else if (starting_tid == tid) {
      return false;
    }
    while (tri_int_load_acq(&heap_state) == HEAP_STARTING) sched_yield();
    errno = saved_errno;
  }
  if (tri_unlikely(tri_int_load_rlx(&settings_state) == 0) && !inert) apply_settings();
  return tri_int_load_acq(&heap_state) == HEAP_READY;
}

/* Not asked of dlsym: when it finds nothing it keeps a text, which the next call frees, perhaps with a free() of the
 * program's that asks dlsym itself. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __hwasan_init(void) __attribute__((weak));

static const char *reason_to_be_inert(void) {
  if (__asan_init || __tsan_init || __msan_init || __hwasan_init) return "a sanitizer runtime is present";
  if (tri_malloc_mode && !tri_mode_owns_malloc()) return "the program brings its own malloc";
  return NULL;
}

/* The preload library's names come first when both libraries are loaded: then it has the one heap. */
static bool second_copy(void) {
  const void *(*identity)(void);
  *(void **)&identity = dlsym(RTLD_DEFAULT, "tri_core_identity");
  return identity && identity() != &tri_heap_range;
}

/* Allocations may have come here before this was known, and may still: they are served, never collected. */
static void become_inert(void) {
  tri_mode_prepare_inert();
  inert = true;
  config.collect = false;
  tri_heap_free_ignored = tri_state.disowning = false;
  tri_collector_set_stress(0);
  tri_store_rel(&tri_state.trigger, UINT64_MAX);
}

__attribute__((constructor(101))) static void start_process(void) {
  int saved_errno = errno;
  const char *why = reason_to_be_inert();
  if (why && tri_malloc_mode) {
    become_inert();
    tri_warn("%s; malloc is not replaced, nothing is collected", why);
  } else if (second_copy()) {
    if (tri_malloc_mode)
      tri_fatal("libtricolor comes before libtricolor-malloc: two heaps; link -ltricolor-malloc first, or alone");
    become_inert();
  } else if (tri_malloc_mode) {
    tri_runtime_init();
  }
  errno = saved_errno;
}
