/*
 * Tricolor: Go's memory manager for C. The public interface.
 *
 * The same functions are in libtricolor (for programs written against it) and in libtricolor-malloc (which also
 * replaces malloc); when both are present there is one heap. Marking runs beside the program: pointers are stored into
 * collected objects with tri_write (tricolor/barrier.h). All sizes are bytes. Unless said otherwise a function may be
 * called from any thread at any time after the C library has started, but not from a signal handler.
 */
#ifndef TRICOLOR_TRICOLOR_H
#define TRICOLOR_TRICOLOR_H

#include <stddef.h>

#include "tricolor/barrier.h"
#include "tricolor/thread.h"
#include "tricolor/type.h"
#include "tricolor/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a program wants for itself. What the environment of its user says comes after it, and counts. */
struct tri_options {
  size_t size;          /* sizeof(struct tri_options); versions the struct */
  const char *gogc;     /* as GOGC, or NULL */
  const char *godebug;  /* as GODEBUG, or NULL */
  const char *tricolor; /* as TRICOLOR, "key=value,key=value", or NULL */
};
/*
 * Sets the collector up with a program's own settings. Optional: everything sets up what it needs. To be called before
 * anything else of the library and before the first thread is made; wrong values are treated as in the environment.
 * Returns 0, or -1 with errno EINVAL (size 0 or larger than known), EBUSY (it has been set up already) or ENOMEM.
 */
TRI_API int tri_init(const struct tri_options *options);

/* Version of the library in use, as "0.1.0". Never NULL. Callable from anywhere. */
TRI_API const char *tri_version(void);

/*
 * A zeroed object of `size` bytes on the collected heap, aligned to 16 (8 for sizes up to 8 and from 17 to 24). It is
 * scanned conservatively for pointers and lives while a root or a live object points anywhere into it (one past the
 * end counts from stacks and registers only). A size of 0 gives a distinct smallest object.
 * Returns NULL with errno ENOMEM when there is no memory. After Go's mallocgc.
 */
TRI_API void *tri_alloc(size_t size);
/* The same for data without pointers: never scanned, and not zeroed unless fresh. After Go's noscan span classes. */
TRI_API void *tri_alloc_noscan(size_t size);
/* A zeroed, scanned object that the collector never frees and whose content is a root. Free it with tri_free, and
 * change its size with tri_realloc: where malloc is replaced, realloc may make an ordinary object of it. */
TRI_API void *tri_alloc_uncollectable(size_t size);
/*
 * Frees an object at once, by its first byte; NULL is allowed. The collector would do it anyway. A pointer that is not
 * the start of a live object ends the program with one line, but with TRICOLOR=free=ignore, which leaves it to the
 * collector and looks at nothing.
 */
TRI_API void tri_free(void *object);
/*
 * The object with room for `size` bytes: where it is if it fits there, or a new one of the same kind with the contents,
 * and the old one freed. What is added is zero where it lies behind the old tri_usable_size (tri_alloc_noscan: not
 * unless fresh). NULL is like tri_alloc. Nothing but the caller may use the object meanwhile, and pointers to the old
 * one must not be used. An uncollectable object becomes an ordinary one when it moves. Returns NULL with errno ENOMEM,
 * and the object as it was, when there is no memory.
 */
TRI_API void *tri_realloc(void *object, size_t size);
/* Bytes usable behind the first byte of an object; 0 for NULL. */
TRI_API size_t tri_usable_size(const void *object);
/* First byte of the live object that `pointer` points into, or NULL if it points into none. */
TRI_API void *tri_base(const void *pointer);

/*
 * Declares [start, start+size) a root: every aligned word in it is taken for a pointer. Needed for memory of other
 * allocators and foreign mappings in API programs. Returns 0, or -1 with errno EINVAL (size 0, or it wraps) or ENOMEM.
 * The memory must stay readable until it is removed.
 */
TRI_API int tri_roots_add(const void *start, size_t size);
/* Takes back a declaration made with the same arguments. Returns 0, or -1 with errno ENOENT. */
TRI_API int tri_roots_remove(const void *start, size_t size);

/*
 * A complete collection, sweep included, on behalf of the calling thread; it returns when memory that was unreachable
 * at the call is free. After Go's runtime.GC. Does nothing with collect=off. Must not be called while holding a lock
 * that a dl_iterate_phdr callback of another thread waits for.
 */
TRI_API void tri_gc(void);

/*
 * Off-heap memory, from a private jemalloc arena: never scanned, never collected, in nobody's malloc; counted by
 * tri_offheap_bytes. Contracts of malloc, realloc and free.
 */
TRI_API void *tri_offheap_alloc(size_t size);
TRI_API void *tri_offheap_realloc(void *p, size_t size);
TRI_API void tri_offheap_free(void *p);
/* Bytes handed out by tri_offheap_alloc and tri_offheap_realloc and not yet freed, rounded up to usable sizes. */
TRI_API size_t tri_offheap_bytes(void);

/* A few figures of the heap; `size` is set by the caller to sizeof(struct tri_stats) and versions the struct. */
struct tri_stats {
  size_t size;
  unsigned long num_gc;        /* completed cycles */
  unsigned long num_forced_gc; /* of these, by tri_gc */
  size_t heap_alloc;           /* bytes in live objects and not yet swept ones, ballast included */
  size_t heap_goal;            /* bytes at which the next cycle is due; SIZE_MAX when off */
  size_t heap_sys;             /* bytes of heap address space made accessible */
  size_t heap_inuse;           /* bytes in spans */
  size_t heap_released;        /* bytes of it given back to the system */
  size_t meta_sys;             /* bytes for the runtime's own tables */
  size_t offheap;              /* tri_offheap_bytes() */
  unsigned long long pause_total_ns;
  unsigned long long pause_max_ns;
};
/* Fills `stats` up to stats->size. Returns 0, or -1 with errno EINVAL when size is 0 or larger than known. */
TRI_API int tri_read_stats(struct tri_stats *stats);

/*
 * Settings, changed while the program runs. Each acts at once: a collection that is due by the new value begins soon. A
 * call waits for a collection that is under way. Nothing changes with collect=off.
 */

/* Growth in percent before the next collection, as GOGC; negative: off (a memory limit still collects). Returns the
 * value before, -1 for off. After Go's debug.SetGCPercent. */
TRI_API int tri_set_gc_percent(int percent);
/* Bytes below which memory is kept, as GOMEMLIMIT; LLONG_MAX: none; negative changes nothing. Ends following the cgroup
 * (GOMEMLIMIT=auto). Returns the value before. After Go's debug.SetMemoryLimit. */
TRI_API long long tri_set_memory_limit(long long bytes);
/* Bytes that count as live heap and take none, as TRICOLOR_BALLAST; 0: none. Returns the value before, or (size_t)-1
 * with errno ENOMEM when there is no address space for it. */
TRI_API size_t tri_set_ballast(size_t bytes);
/* Collects, and gives all free memory back to the system. Returns the bytes given back, beside what went back in the
 * background. malloc_trim does the same. After Go's debug.FreeOSMemory. Under the conditions of tri_gc. */
TRI_API size_t tri_free_os_memory(void);

/* Statistics with the names of Go's runtime.MemStats. `size` is set by the caller to sizeof(struct tri_mem_stats) and
 * versions the struct. Bytes, unless the name says otherwise. */
struct tri_mem_stats {
  size_t size;
  unsigned long Alloc, HeapAlloc; /* objects that are live or not yet swept, ballast included */
  unsigned long TotalAlloc;       /* handed out since the start */
  unsigned long Sys;              /* HeapSys + StackSys + GCSys + OtherSys; Sys - HeapReleased is what a limit counts */
  unsigned long HeapSys;          /* HeapInuse + HeapIdle */
  unsigned long HeapInuse;        /* spans in use */
  unsigned long HeapIdle;         /* free pages */
  unsigned long HeapReleased;     /* of these, given back to the system */
  unsigned long StackSys;         /* stacks of the runtime's own threads */
  unsigned long GCSys;            /* tables, span structs, grey work */
  unsigned long OtherSys;         /* off-heap memory in use */
  unsigned long NextGC;           /* heap size that the next collection aims at; ULONG_MAX: none */
  unsigned long LastGC;           /* when the last one ended: nanoseconds since 1970; 0: none yet */
  unsigned long PauseTotalNs;
  unsigned long PauseNs[256];  /* how long each stopped the world; the latest at (NumGC + 255) % 256 */
  unsigned long PauseEnd[256]; /* when, as LastGC */
  unsigned int NumGC, NumForcedGC;
  double GCCPUFraction; /* of all CPU time since the start */
  int EnableGC;
};
/* Fills `stats` up to stats->size. Returns 0, or -1 with errno EINVAL when size is 0 or larger than known. */
TRI_API int tri_read_mem_stats(struct tri_mem_stats *stats);

/* The pauses of the last 256 collections, after Go's debug.ReadGCStats, and how long threads that allocate were made to
 * mark. `size` as above. Nanoseconds. */
struct tri_gc_stats {
  size_t size;
  unsigned long LastGC; /* when the last one ended: since 1970; 0: none yet */
  unsigned long NumGC;
  unsigned long PauseTotal;        /* of all collections */
  unsigned long Pause[256];        /* the latest first; min(NumGC, 256) of them */
  unsigned long PauseEnd[256];     /* when, as LastGC */
  unsigned long PauseQuantiles[5]; /* of those: the shortest, quarters, the longest */
  unsigned long Assists[24]; /* ours: how many mark assists took 2^i to 2^(i+1) us; the first: less; the last: more */
};
/* Fills `stats` up to stats->size. Returns 0, or -1 with errno EINVAL when size is 0 or larger than known. */
TRI_API int tri_read_gc_stats(struct tri_gc_stats *stats);

/* One of Go's runtime/metrics, by its name, which ends in its unit: "/memory/classes/total:bytes". */
enum tri_metric_kind { TRI_METRIC_UNKNOWN, TRI_METRIC_COUNT, TRI_METRIC_DOUBLE };
struct tri_metric {
  const char *name;
  enum tri_metric_kind kind; /* UNKNOWN: there is no metric of this name */
  union {
    unsigned long count;
    double number; /* seconds */
  } value;
};
/* Reads `count` metrics, whose names the caller has set, in one moment: those of /memory/classes add up to their total
 * exactly. Returns how many are known. */
TRI_API size_t tri_read_metrics(struct tri_metric *samples, size_t count);
/* The names of all metrics: index from 0 on; NULL after the last. Callable from anywhere. */
TRI_API const char *tri_metric_name(size_t index);

#ifdef __cplusplus
}
#endif

#endif
