/*
 * Roots: listed by the cycle's runner in the stopped world, then scanned by all markers in pieces.
 *
 * malloc mode takes the whole process from /proc/self/maps: every readable private mapping (anonymous ones, the brk
 * heap, .data and .bss, RELRO and pages made read-only later), shared anonymous and memfd mappings; not devices, not
 * shared files, not our own mappings (alloc/ownmap.h). That covers, without knowing the C library's insides, static
 * and dynamic TLS (the dtv lies in our heap), every struct pthread, glibc's cached stacks with their dtv, unjoined
 * results and coroutine stacks. Only pages present or swapped out are read, never a reservation.
 * API mode lists the loaded objects' writable segments (dl_iterate_phdr; the first stop is made inside a callback, so
 * no stopped thread holds the loader's lock), the threads' stacks and declared ones (gc/stacks.c), and thread-local
 * storage (gc/tls.c). Where each thread is on a stack whose bounds are known, /proc/self/maps is not read. Both add
 * registered ranges and single words: start arguments, uncollectable objects, epoll data, values of mq_notify.
 *
 * Anonymous executable memory holds code that a compiler in the program made: there pointers are parts of instructions
 * and are looked for at every byte (OpenJDK keeps some objects alive by nothing else).
 *
 * A stopped thread's stack is scanned from its sp: what lies between the known lower end of its own stack and sp is
 * dead and left out. A thread found off its own stack (sigaltstack, coroutine) has that mapping scanned as a stack,
 * and its whole own stack too. A stack inside our heap is a root object. With the hybrid barrier, stacks may be left to
 * their threads (gc/scanstack.c).
 *
 * Pages of the heap that the program has protected (guard pages of stacks that it took from malloc, say) are listed as
 * well: marking goes round those that cannot be read, and objects that have any are kept.
 *
 * Locks: roots_lock (rank CENTRAL) guards registered ranges and held objects; gathering reads them with the world
 * stopped and takes it too, so that unregistered threads are excluded. Forbidden: allocating from the collected heap.
 */
#include "gc/roots.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/resource.h>

#include "alloc/mheap.h"
#include "alloc/offheap.h"
#include "alloc/os.h"
#include "alloc/ownmap.h"
#include "gc/epoll.h"
#include "gc/maps.h"
#include "gc/notify.h"
#include "gc/pages.h"
#include "gc/region.h"
#include "gc/rights.h"
#include "gc/runtime.h"
#include "gc/scanstack.h"
#include "gc/slot.h"
#include "gc/stacks.h"
#include "gc/thread_record.h"
#include "gc/tls.h"
#include "gc/wordset.h"
#include "internal/check.h"
#include "internal/state.h"

enum {
  MAX_RANGES = 1 << 20,
  COMMIT_STEP = 1 << 16,
  PIECE = 256 << 10,
  DIRTY_PIECE = 32 << 10, /* not long for a thread that assists */
  DIRECT_SCAN = 256 << 10,
  TRACKED_PIECE = 16 << 20
};

struct array {
  void *base; /* own memory, never given back */
  size_t reserved_bytes, committed_bytes;
};
static struct array range_array, thread_array;
static struct tri_root_range *ranges; /* reserved for MAX_RANGES, committed as needed; runner only */
static size_t nranges;
static size_t ngathered; /* of the last gathering; only to ask for their memory early */
static bool overflow;
static uint64_t stack_bytes, globals_bytes;
static enum tri_stacks stacks_are;    /* of the present gathering */
static struct tri_tls_range main_tls; /* of the present gathering; empty: it is scanned with the stack */
/* The main thread's, as the list of mappings last showed it; runner only. */
static struct tri_mapping known_stack;
static tri_aword list_bytes; /* of the lists themselves */

/* As many mappings as a process can have by default. 1.5 MiB of address space, touched only where it is used. */
enum { MAX_PROTECTED = 1 << 16 };
static struct protected_range {
  uintptr_t lo, hi;
  bool readable;
} protected_ranges[MAX_PROTECTED]; /* of the last gathering; runner writes, markers read */
static size_t nprotected;

enum { MAX_THREADS = 1 << 22 };   /* as many as Linux makes; 32 MiB of address space */
static struct tri_thread **by_sp; /* of the last gathering, as the ranges; runner only */
static size_t nby_sp;

struct registered {
  uintptr_t lo;
  size_t size;
};
static struct tri_lock roots_lock = TRI_LOCK_INIT(TRI_RANK_CENTRAL);
static struct registered *registered; /* off-heap; guarded by roots_lock, as are the next three */
static size_t nregistered, registered_capacity;
static struct tri_wordset held;

/* Where address space is short (RLIMIT_AS), most of it is the program's. */
static bool reserve(struct array *a, size_t max_bytes) {
  enum { SHARE = 64 };
  struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
  getrlimit(RLIMIT_AS, &limit);
  size_t bytes = tri_min(max_bytes, tri_align_up(tri_min(limit.rlim_cur, (rlim_t)1 << 47) / SHARE, COMMIT_STEP));
  while (!(a->base = tri_os_reserve(bytes, TRI_PAGE_SIZE)) && bytes > COMMIT_STEP)
    bytes = tri_align_up(bytes / 2, COMMIT_STEP);
  a->reserved_bytes = bytes;
  return a->base && tri_ownmap_add(a->base, a->reserved_bytes);
}

/* Room for `bytes` in an array of at most max_bytes, which is reserved at first and committed as needed. */
static bool room_for(struct array *a, size_t bytes, size_t max_bytes) {
  if (!a->base && !reserve(a, max_bytes)) return false;
  if (bytes > a->reserved_bytes) return false;
  if (bytes <= a->committed_bytes) return true;
  if (!tri_os_commit((char *)a->base + a->committed_bytes, COMMIT_STEP)) return false;
  a->committed_bytes += COMMIT_STEP;
  tri_fetch_add_rlx(&list_bytes, COMMIT_STEP);
  return true;
}

static bool room_for_range(void) {
  bool ok = room_for(&range_array, (nranges + 1) * sizeof *ranges, MAX_RANGES * sizeof *ranges);
  ranges = range_array.base;
  return ok;
}

static void add_piece(uintptr_t lo, uintptr_t hi, bool stack, bool code) {
  if (!room_for_range()) {
    overflow = true;
    return;
  }
  ranges[nranges++] = (struct tri_root_range){.lo = lo, .hi = hi, .stack = stack, .code = code};
  *(stack ? &stack_bytes : &globals_bytes) += hi - lo;
}

void tri_roots_clear(void) {
  nranges = 0;
  overflow = false;
}

static bool add_pieces(uintptr_t lo, uintptr_t hi, size_t piece, const struct tri_root_range *kind) {
  for (; lo < hi; lo += tri_min(hi - lo, piece)) {
    if (!room_for_range()) return false;
    ranges[nranges] = *kind;
    ranges[nranges].lo = lo;
    ranges[nranges++].hi = lo + tri_min(hi - lo, piece);
  }
  return true;
}

bool tri_roots_add_dirty(uintptr_t lo, uintptr_t hi) {
  size_t piece = nranges < MAX_RANGES / 2 ? DIRTY_PIECE : PIECE;
  return add_pieces(lo, hi, piece, &(struct tri_root_range){.dirty = true});
}

bool tri_roots_add_untold(uintptr_t lo, uintptr_t hi) {
  return add_pieces(lo, hi, TRACKED_PIECE, &(struct tri_root_range){.untold = true});
}

bool tri_roots_add_tracked(uintptr_t lo, uintptr_t hi) {
  return add_pieces(lo, hi, TRACKED_PIECE, &(struct tri_root_range){.ask = true});
}

static void add_range(uintptr_t lo, uintptr_t hi, bool stack) {
  lo = tri_align_up(lo, sizeof(void *));
  hi = tri_align_down(hi, sizeof(void *));
  for (; lo < hi; lo += tri_min(hi - lo, PIECE)) add_piece(lo, lo + tri_min(hi - lo, PIECE), stack, false);
}

static void add_data_pages(uintptr_t lo, uintptr_t hi, void *arg) {
  add_range(lo, hi, false);
}
static void add_stack_pages(uintptr_t lo, uintptr_t hi, void *arg) {
  add_range(lo, hi, true);
}

static void add_code_pages(uintptr_t lo, uintptr_t hi, void *arg) {
  for (; lo < hi; lo += tri_min(hi - lo, PIECE))
    add_piece(lo, tri_min(lo + PIECE + sizeof(void *) - 1, hi), false, true);
}

/* A readable piece of a mapping, free of own ranges and dead stack. */
static void add_filtered(const struct tri_mapping *m, uintptr_t lo, uintptr_t hi, bool stack) {
  bool private_only = m->file && !m->shared;
  bool direct = !m->file && !m->shared && hi - lo <= DIRECT_SCAN && (stack || !tri_pages_may_be_guarded());
  bool code = m->executable && !m->file && !stack;
  if (code) {
    if (!tri_pages_each(lo, hi, false, add_code_pages, NULL)) overflow = true;
  } else if (direct) {
    add_range(lo, hi, stack);
  } else if (!tri_pages_each(lo, hi, private_only, stack ? add_stack_pages : add_data_pages, NULL)) {
    overflow = true;
  }
}

static void add_without_own(const struct tri_mapping *m, uintptr_t lo, uintptr_t hi, bool stack) {
  uintptr_t own_lo, own_hi;
  while (lo < hi && tri_ownmap_next(lo, &own_lo, &own_hi) && own_lo < hi) {
    if (own_lo > lo) add_filtered(m, lo, own_lo, stack);
    lo = own_hi;
  }
  if (lo < hi) add_filtered(m, lo, hi, stack);
}

static bool on_own_stack(const struct tri_thread *t, const struct tri_mapping *m) {
  if (t->alt_stack) return false;
  if (t->self_stack) return m->stack;
  return t->sp >= t->stack_lo && t->sp < t->stack_hi;
}

static bool room_for_thread(void) {
  bool ok = room_for(&thread_array, (nby_sp + 1) * sizeof *by_sp, MAX_THREADS * sizeof *by_sp);
  by_sp = thread_array.base;
  return ok;
}

/* Shell's sort: the C library's may allocate. */
static void sort_by_sp(void) {
  for (size_t gap = nby_sp / 2; gap > 0; gap /= 2)
    for (size_t i = gap; i < nby_sp; i++) {
      struct tri_thread *t = by_sp[i];
      size_t k = i;
      for (; k >= gap && by_sp[k - gap]->sp > t->sp; k -= gap) by_sp[k] = by_sp[k - gap];
      by_sp[k] = t;
    }
}

/* The stopped threads in ascending order of sp (in API mode but for those on declared stacks, which are listed apart),
 * so that a thousand threads with a stack mapping each are no million questions. */
static void list_threads(void) {
  nby_sp = 0;
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    if (!room_for_thread()) {
      overflow = true;
      return;
    }
    if (tri_malloc_mode || !tri_stacks_end_of(t->sp)) by_sp[nby_sp++] = t;
  }
  sort_by_sp();
}

/*
 * Cuts a mapping at the stacks of the threads whose sp lies in it: [dead end, sp) is left out, [sp, stack end) is
 * stack, the rest data. Threads are few per mapping; they are taken in ascending order of sp.
 */
static struct tri_thread *lowest_sp(uintptr_t lo, uintptr_t hi) {
  size_t a = 0, b = nby_sp; /* the first that is not below lo */
  while (a < b) {
    size_t middle = (a + b) / 2;
    if (by_sp[middle]->sp < lo) {
      a = middle + 1;
    } else {
      b = middle;
    }
  }
  return a < nby_sp && by_sp[a]->sp < hi ? by_sp[a] : NULL;
}

/* Where the frames of a thread of the runtime's end (gc/worker.c); 0 for others. */
static uintptr_t runtime_frames_hi(const struct tri_thread *t) {
  uintptr_t lo, hi;
  return tri_ownmap_next(t->sp, &lo, &hi) && lo <= t->sp ? hi : 0;
}

/* The runner's own stack, and those of sleepers in safe regions, are scanned by the markers. */
static bool leave_to_itself(struct tri_thread *t, uintptr_t lo, uintptr_t end) {
  bool later = stacks_are == TRI_STACKS_LATER;
  if (stacks_are == TRI_STACKS_LISTED || t == tri_self || !t->barrier) return false;
  if (!later && tri_int_load_acq(&t->region) != TRI_REGION_OUT) return false;
  struct tri_own_stack own = {.lo = lo, .hi = end, .frames_hi = runtime_frames_hi(t)};
  if (later && t->self_stack) {
    own.tls_lo = main_tls.lo;
    own.tls_hi = main_tls.hi;
    main_tls.hi = main_tls.lo;
  }
  tri_scanstack_leave_to(t, own, later);
  stack_bytes += end - t->sp;
  return true;
}

static void add_mapping(const struct tri_mapping *m) {
  uintptr_t lo = m->lo;
  struct tri_thread *t;
  while ((t = lowest_sp(lo, m->hi))) {
    bool own = on_own_stack(t, m);
    uintptr_t dead = own ? tri_max(t->self_stack ? m->lo : t->stack_lo, lo) : t->sp;
    uintptr_t end = own && !t->self_stack ? tri_min(t->stack_hi, m->hi) : m->hi;
    if (!own) {
      add_without_own(m, lo, m->hi, true);
      return;
    }
    if (dead > lo) add_without_own(m, lo, dead, false);
    if (!leave_to_itself(t, t->self_stack ? m->lo : t->stack_lo, end)) add_without_own(m, t->sp, end, true);
    lo = end;
  }
  if (lo < m->hi) add_without_own(m, lo, m->hi, m->stack);
}

/* A piece of the heap that the program has taken the rights from. They ascend, as the mappings do. */
static void note_protected(const struct tri_mapping *m) {
  uintptr_t base = tri_heap_range.base, end = base + tri_load_acq(&tri_heap_range.used_bytes);
  uintptr_t lo = tri_max(m->lo, base), hi = tri_min(m->hi, end);
  if (lo >= hi || (m->readable && m->writable)) return;
  if (nprotected == MAX_PROTECTED) {
    overflow = true;
    return;
  }
  protected_ranges[nprotected++] = (struct protected_range){lo, hi, m->readable};
}

size_t tri_roots_next_readable(uintptr_t *lo, uintptr_t hi) {
  size_t a = 0, b = nprotected; /* the first range that ends after lo */
  while (a < b) {
    size_t middle = (a + b) / 2;
    if (protected_ranges[middle].hi > *lo) {
      b = middle;
    } else {
      a = middle + 1;
    }
  }
  for (; a < nprotected && protected_ranges[a].lo < hi; a++) {
    if (protected_ranges[a].readable) continue;
    if (protected_ranges[a].lo > *lo) return protected_ranges[a].lo - *lo;
    *lo = tri_min(protected_ranges[a].hi, hi);
  }
  return hi - *lo;
}

bool tri_roots_any_protected(void) {
  return nprotected > 0;
}

static bool process_mapping(const struct tri_mapping *m, void *arg) {
  note_protected(m);
  if (!m->readable || m->special || m->device) return true;
  if (m->shared && !m->shared_anon) return true;
  if (m->file && !m->shared && m->executable && !m->writable) return true;
  add_mapping(m);
  return !overflow;
}

/* The main thread's thread-local storage goes with its stack where that is scanned later, since the program stores
 * there as it does into locals. */
static void add_main_tls(void) {
  if (main_tls.lo < main_tls.hi) add_range(main_tls.lo, main_tls.hi, false);
}

/* API mode: only mappings with a thread's sp in them, and the main thread's stack. */
static bool stack_mapping(const struct tri_mapping *m, void *arg) {
  note_protected(m);
  if (m->stack) known_stack = *m;
  bool wanted = lowest_sp(m->lo, m->hi) != NULL || m->stack;
  if (wanted && m->readable) add_mapping(m);
  return !overflow;
}

/* Of large ones the pages that were ever touched. */
static void add_segment(uintptr_t lo, uintptr_t hi) {
  if (hi - lo <= DIRECT_SCAN || !tri_pages_each(lo, hi, false, add_data_pages, NULL)) add_range(lo, hi, false);
}

/* The library's own data is no root; linked into a program or a library of its own it cannot be told from theirs. */
static bool is_our_library(const struct dl_phdr_info *info, uintptr_t lo, uintptr_t hi) {
  return info->dlpi_name && strstr(info->dlpi_name, "/libtricolor") && (uintptr_t)&tri_state >= lo &&
         (uintptr_t)&tri_state < hi;
}

static void add_present(uintptr_t lo, uintptr_t hi, void *arg) {
  if (!tri_pages_each(lo, hi, false, add_data_pages, NULL)) overflow = true;
}

static int object_segments(struct dl_phdr_info *info, size_t size, void *arg) {
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type != PT_LOAD || !(p->p_flags & PF_W)) continue;
    uintptr_t lo = info->dlpi_addr + p->p_vaddr, hi = lo + p->p_memsz;
    if (!is_our_library(info, lo, hi)) add_segment(lo, hi);
  }
  tri_tls_look(info, add_present, NULL);
  return 0;
}

static void add_registered(void) {
  for (size_t i = 0; i < nregistered; i++) add_range(registered[i].lo, registered[i].lo + registered[i].size, false);
}

/* Own stacks of threads that were found on another one. */
static void add_left_stacks(void) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    if (t->stack_hi == 0 || (t->sp >= t->stack_lo && t->sp < t->stack_hi)) continue;
    if (!tri_pages_each(t->stack_lo, t->stack_hi, false, add_stack_pages, NULL)) overflow = true;
  }
}

static void add_declared(uintptr_t lo, uintptr_t hi, void *arg) {
  if (!tri_pages_each(lo, hi, false, add_stack_pages, NULL)) add_range(lo, hi, true);
}

/* Threads that run on memory from our heap: that object is scanned as a stack. */
static void add_heap_stacks(void) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    struct tri_mspan *s = t->sp ? tri_mheap_span_of(t->sp) : NULL;
    if (!s || tri_int_load_acq(&s->state) == TRI_SPAN_DEAD) continue;
    uintptr_t lo = tri_mspan_slot(s, tri_mspan_index(s, t->sp)), end = lo + s->elemsize;
    while (lo < end) {
      size_t n = tri_roots_next_readable(&lo, end);
      add_range(lo, lo + n, true);
      lo += n;
    }
  }
}

static void begin_gathering(enum tri_stacks stacks) {
  memset(protected_ranges, 0, nprotected * sizeof protected_ranges[0]); /* this memory is scanned, too */
  nranges = nprotected = 0;
  stack_bytes = globals_bytes = 0;
  overflow = false;
  list_threads();
  stacks_are = stacks;
  main_tls = tri_tls_of_main();
}

/*
 * To read the list of mappings takes most of a short stop. In API mode it is needed only for stacks of which the bounds
 * are not known: those of threads made by the C library are, and the main thread's as the last list showed it.
 */
static bool is_on_known_stack(const struct tri_thread *t) {
  if (t->alt_stack || !t->sp) return false;
  if (t->self_stack) return t->sp >= known_stack.lo && t->sp < known_stack.hi;
  return t->sp >= t->stack_lo && t->sp < t->stack_hi;
}

static bool stacks_are_known(void) {
  if (tri_rights_were_taken() || known_stack.lo == known_stack.hi) return false;
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next)
    if (!is_on_known_stack(t)) return false;
  return true;
}

static void add_known_stacks(void) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    uintptr_t lo = t->self_stack ? known_stack.lo : t->stack_lo, hi = t->self_stack ? known_stack.hi : t->stack_hi;
    if (!leave_to_itself(t, lo, hi)) add_range(tri_max(t->sp, runtime_frames_hi(t)), hi, true);
  }
}

static bool add_stacks(void) {
  if (stacks_are_known()) {
    add_known_stacks();
    return true;
  }
  memset(&known_stack, 0, sizeof known_stack);
  return tri_maps_each(stack_mapping, NULL);
}

bool tri_roots_gather_stacks(void) {
  begin_gathering(TRI_STACKS_LISTED);
  bool ok = add_stacks();
  add_main_tls();
  add_left_stacks();
  tri_stacks_each(add_declared, NULL);
  add_heap_stacks();
  return ok && !overflow;
}

bool tri_roots_gather(bool malloc_mode, enum tri_stacks stacks) {
  if (!malloc_mode) tri_tls_begin();
  begin_gathering(stacks);
  if (!malloc_mode) dl_iterate_phdr(object_segments, NULL);
  main_tls = tri_tls_of_main();
  bool ok = malloc_mode ? tri_maps_each(process_mapping, NULL) : add_stacks();
  add_main_tls();
  add_left_stacks();
  tri_stacks_each(add_declared, NULL);
  tri_lock_acquire(&roots_lock);
  add_registered();
  tri_lock_release(&roots_lock);
  add_heap_stacks();
  ngathered = nranges;
  return ok && !overflow;
}

/* What was there then may be gone: prefetching does not fault. */
void tri_roots_prefetch(void) {
  enum { LINE = 64, MOST_BYTES = 512 << 10 };
  size_t left = MOST_BYTES / LINE;
  for (size_t i = 0; i < ngathered && left > 0; i++)
    for (uintptr_t p = ranges[i].lo; p < ranges[i].hi && left > 0; p += LINE, left--) __builtin_prefetch((void *)p);
}

bool tri_roots_any(void) {
  return nranges > 0;
}

bool tri_roots_get(size_t i, struct tri_root_range *ret) {
  if (i >= nranges) return false;
  *ret = ranges[i];
  return true;
}

uint64_t tri_roots_list_bytes(void) {
  return tri_load_rlx(&list_bytes);
}
uint64_t tri_roots_stack_bytes(void) {
  return stack_bytes;
}
uint64_t tri_roots_globals_bytes(void) {
  return globals_bytes;
}

/* Objects with protected pages stay: who got their memory next could not use it. */
static void each_protected_object(void (*fn)(uintptr_t, void *), void *arg) {
  for (size_t i = 0; i < nprotected; i++)
    for (uintptr_t a = protected_ranges[i].lo; a < protected_ranges[i].hi;) {
      struct tri_slot s;
      if (tri_slot_find(a, &s)) {
        fn(a, arg);
        a = tri_slot_start(&s) + s.span->elemsize;
      } else {
        a = tri_align_down(a, TRI_PAGE_SIZE) + TRI_PAGE_SIZE;
      }
    }
}

static void each_stack(void (*fn)(uintptr_t, void *), void *arg) {
  for (struct tri_thread *t = tri_thread_first(); t; t = t->next) {
    if (t->sp) fn(t->sp, arg);
    if (t->alt_base) fn(t->alt_base, arg);
  }
}

void tri_roots_each_word(void (*fn)(uintptr_t word, void *), void *arg) {
  tri_thread_record_each_word(fn, arg);
  tri_stacks_each_word(fn, arg);
  tri_epoll_each_data(fn, arg);
  tri_notify_each_word(fn, arg);
  each_stack(fn, arg);
  each_protected_object(fn, arg);
  tri_lock_acquire(&roots_lock);
  tri_wordset_each(&held, fn, arg);
  tri_lock_release(&roots_lock);
}

static int register_locked(uintptr_t lo, size_t size) {
  if (nregistered == registered_capacity) {
    size_t capacity = registered_capacity ? registered_capacity * 2 : 16;
    struct registered *r = tri_offheap_raw_realloc(registered, capacity * sizeof *r);
    if (!r) return ENOMEM;
    registered = r;
    registered_capacity = capacity;
  }
  registered[nregistered++] = (struct registered){lo, size};
  return 0;
}

int tri_roots_register(uintptr_t lo, size_t size) {
  if (size == 0 || lo + size < lo) return EINVAL;
  tri_lock_acquire(&roots_lock);
  int err = register_locked(lo, size);
  tri_lock_release(&roots_lock);
  return err;
}

int tri_roots_unregister(uintptr_t lo, size_t size) {
  int err = ENOENT;
  tri_lock_acquire(&roots_lock);
  for (size_t i = 0; i < nregistered && err; i++) {
    if (registered[i].lo != lo || registered[i].size != size) continue;
    registered[i] = registered[--nregistered];
    err = 0;
  }
  tri_lock_release(&roots_lock);
  return err;
}

bool tri_roots_is_registered(uintptr_t address) {
  bool found = false;
  tri_lock_acquire(&roots_lock);
  for (size_t i = 0; i < nregistered && !found; i++) found = address - registered[i].lo < registered[i].size;
  tri_lock_release(&roots_lock);
  return found;
}

bool tri_roots_hold(uintptr_t object) {
  tri_lock_acquire(&roots_lock);
  bool ok = tri_wordset_put(&held, object, object);
  tri_lock_release(&roots_lock);
  return ok;
}

void tri_roots_drop(uintptr_t object) {
  if (held.live == 0) return;
  tri_lock_acquire(&roots_lock);
  tri_wordset_remove(&held, object);
  tri_lock_release(&roots_lock);
}

void tri_roots_lock(void) {
  tri_lock_acquire_unranked(&roots_lock);
}
void tri_roots_unlock(void) {
  tri_lock_release_unranked(&roots_lock);
}
