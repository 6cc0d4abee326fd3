/*
 * Thread-local storage, found through each thread's dtv (the C library's vector of blocks, one for each module). Used
 * by gc/roots.c in API mode; in malloc mode all of this lies in memory that is scanned anyway.
 *
 * The static block of a thread that the C library made is part of its stack's mapping, and goes with the stack. The
 * main thread's lies apart: its bounds are those of the modules' blocks in it, and of struct pthread, which holds
 * results and the first thread-specific values. Blocks of modules that came later lie in malloc's memory and are named
 * one by one.
 *
 * The layout is the C library's and has not changed since 2.3: dtv[-1] holds the capacity, dtv[module] a pointer, or
 * all ones when this thread has not used the module yet. A block may be stale for a moment after dlclose: whoever reads
 * it asks first which pages are there. No locks; the loader's is held by the caller. Forbidden: calling the program's
 * or the loader's functions.
 */
#include "gc/tls.h"

/* Of struct pthread: what is used of it has its place in the first half. */
enum { PTHREAD_BYTES = 2048 };
/* Blocks of the static kind are not farther from the thread pointer. */
#define STATIC_REACH ((uintptr_t)1 << 20)
#if defined(__aarch64__)
enum { DTV_WORD = 0 };
#else
enum { DTV_WORD = 1 };
#endif

static struct tri_tls_range of_main;

struct tri_tls_range tri_tls_of_main(void) {
  return of_main;
}

static uintptr_t block_of(const struct tri_thread *t, size_t module) {
  const uintptr_t *dtv = ((const uintptr_t *const *)t->thread_pointer)[DTV_WORD];
  if (!dtv || module > dtv[-2]) return 0;
  uintptr_t block = dtv[2 * module];
  return block == UINTPTR_MAX ? 0 : block;
}

static void widen(uintptr_t lo, uintptr_t hi) {
  of_main.lo = of_main.hi == 0 ? lo : tri_min(of_main.lo, lo);
  of_main.hi = tri_max(of_main.hi, hi);
}

void tri_tls_begin(void) {
  of_main = (struct tri_tls_range){0, 0};
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (t->self_stack) widen(t->struct_pthread, t->struct_pthread + PTHREAD_BYTES);
}

static void look(const struct tri_thread *t, size_t module, size_t size, void (*fn)(uintptr_t, uintptr_t, void *),
                 void *arg) {
  uintptr_t block = t->barrier ? block_of(t, module) : 0; /* of a thread that is about to end nothing is left */
  if (block == 0) return;
  if (block - (t->thread_pointer - STATIC_REACH) >= 2 * STATIC_REACH) {
    fn(block, block + size, arg);
  } else if (t->self_stack) {
    widen(block, block + size);
  }
}

void tri_tls_look(const struct dl_phdr_info *m, void (*fn)(uintptr_t, uintptr_t, void *), void *arg) {
  for (unsigned i = 0; i < m->dlpi_phnum; i++) {
    if (m->dlpi_phdr[i].p_type != PT_TLS || m->dlpi_tls_modid == 0) continue;
    for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
      look(t, m->dlpi_tls_modid, m->dlpi_phdr[i].p_memsz, fn, arg);
  }
}
