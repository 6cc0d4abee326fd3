/*
 * Off-heap memory: tri_offheap_raw_*, on a private copy of jemalloc (made by privatize.sh, fed by jemalloc_port.c). For
 * the runtime's variable-sized metadata and for programs that want memory which the collector neither scans nor frees.
 *
 * Locks: none of ours; jemalloc's stand where TRI_RANK_OFFHEAP says: below them only ownmap's leaf. Builds with full
 * checks enter that rank around every call. The caller marks its thread as inside the runtime, so that no thread is
 * ever stopped holding a lock of jemalloc's.
 *
 * Threads: jemalloc links a thread's state (in its thread-local block) into a global list and wants a destructor to
 * take it out. A destructor would run in the program's part of thread exit, where a thread may be stopped, and
 * registering it may call calloc. So each thread's state is cleaned up right after its first call, still inside it;
 * jemalloc then serves the thread in the mode it has for calls that come after the destructor, which leaves nothing to
 * clean up and uses arena 0, the only one.
 *
 * Counting: `bytes` sums usable sizes; any thread, relaxed: a figure, nothing is ordered by it.
 *
 * Static TLS: jemalloc has 2632 bytes, initial-exec. Linked or preloaded that is no matter; a dlopen of a library that
 * holds it while the program runs fails ("cannot allocate memory in static TLS block"), unless the program was started
 * with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096. Measured with glibc 2.36 and a TLS block of 2633 bytes: 512,
 * the default, fails, 1456 fails, 1457 is enough.
 *
 * Forbidden here: malloc, and locks other than jemalloc's own.
 */
#include "alloc/offheap.h"

#include <errno.h>

#include "alloc/offheap/jemalloc_private.h"
#include "internal/lock.h"
#include "tricolor/tricolor.h"

static tri_aword bytes;
static TRI_TLS bool thread_retired;

/* Never taken: stands for jemalloc's locks in the rank checks. */
static const struct tri_lock jemalloc_place = TRI_LOCK_INIT(TRI_RANK_OFFHEAP);

static void enter(void) {
  tri_lock_rank_push(&jemalloc_place);
}

static void leave(void) {
  if (tri_unlikely(!thread_retired)) {
    thread_retired = true;
    tri_je_tsd_cleanup(tri_je_tsd_tls);
  }
  tri_lock_rank_pop(&jemalloc_place);
}

static size_t usable(const void *p) {
  return p == NULL ? 0 : tri_je_sallocx(p, 0);
}

static void count(size_t added, size_t taken) {
  tri_fetch_add_rlx(&bytes, (uint64_t)added - taken);
}

void *tri_offheap_raw_alloc(size_t size) {
  int saved = errno;
  enter();
  void *p = tri_je_malloc(size);
  count(usable(p), 0);
  leave();
  errno = p != NULL ? saved : ENOMEM;
  return p;
}

void *tri_offheap_raw_realloc(void *old, size_t size) {
  if (old == NULL) return tri_offheap_raw_alloc(size);
  if (size == 0) {
    tri_offheap_raw_free(old);
    return NULL;
  }
  int saved = errno;
  enter();
  size_t before = usable(old);
  void *p = tri_je_realloc(old, size);
  if (p != NULL) count(usable(p), before);
  leave();
  errno = p != NULL ? saved : ENOMEM;
  return p;
}

void tri_offheap_raw_free(void *p) {
  if (p == NULL) return;
  int saved = errno;
  enter();
  count(0, usable(p));
  tri_je_free(p);
  leave();
  errno = saved;
}

size_t tri_offheap_bytes(void) {
  return tri_load_rlx(&bytes);
}

void tri_offheap_fork_prepare(void) {
  /* jemalloc's fork handlers expect it to be started. */
  tri_offheap_raw_free(tri_offheap_raw_alloc(1));
  tri_je_jemalloc_prefork();
}

void tri_offheap_fork_parent(void) {
  tri_je_jemalloc_postfork_parent();
}

void tri_offheap_fork_child(void) {
  tri_je_jemalloc_postfork_child();
}
