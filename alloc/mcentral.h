/*
 * mcentral: all spans of one span class. Fed by mheap; feeds the mcaches. Spanclasses 0 and 1 hold the large spans.
 */
#ifndef TRI_ALLOC_MCENTRAL_H
#define TRI_ALLOC_MCENTRAL_H

#include "alloc/mheap.h"

enum tri_central_list {
  TRI_CLIST_NONE = 0, /* being moved or swept by the thread that unlinked it */
  TRI_CLIST_UNSWEPT,  /* sweepgen == h - 2 */
  TRI_CLIST_PARTIAL,  /* swept, unowned, has room */
  TRI_CLIST_BUSY,     /* swept; owned by an mcache, or unowned and full */
  TRI_CLIST_COUNT,
};

/* Spans of the class with at least one free slot each, owned by `token`, swept: between one and `max`, linked by tnext.
 * NULL: no memory. */
struct tri_mspan *tri_mcentral_acquire(unsigned spanclass, uint64_t token, unsigned max);
/* The owner gives a span up (thread exit): unowned afterwards. */
void tri_mcentral_release(struct tri_mspan *s);
/* The owner gives an empty span up: its pages go back to mheap, unless a late remote free still refers to it. */
void tri_mcentral_retire(struct tri_mspan *s);

/* A new large object of npages pages, in use, counted in no mcache. NULL: no memory. */
struct tri_mspan *tri_mcentral_alloc_large(size_t npages, size_t align_pages, bool noscan);
/* The same, scanned as mspan.type says. */
struct tri_mspan *tri_mcentral_alloc_large_typed(size_t npages, unsigned type);
/* Frees a large span; the caller won the slot's rfree bit. */
void tri_mcentral_free_large(struct tri_mspan *s);
/* Bytes of the slots that sweeping has found live since the last flip. */
uint64_t tri_mcentral_swept_live_bytes(void);
/* What the collector reclaimed there. */
uint64_t tri_mcentral_swept_dead_bytes(void);
/* Bytes of spans that were born marked, whether handed out or not; no marker has counted them. Until the next flip. */
uint64_t tri_mcentral_born_marked_bytes(void);
/* Bytes of large objects that were freed while marking and whose pages wait for the end of the cycle. */
uint64_t tri_mcentral_deferred_bytes(void);

/* Somebody set an rfree bit in s: tells the owner, or the central if there is none. Lock-free, async-signal-safe. */
void tri_mcentral_notify_rfree(struct tri_mspan *s);
/* Spans whose remote frees this central was told of: makes those with room available. */
void tri_mcentral_drain_pending(unsigned spanclass);

/* Spans in no cache in which the program has freed every slot: their pages go back to mheap. Looks at 64 of those that
 * have room, or does nothing while a cycle marks; *first, NULL at first, is kept from call to call. False: all have
 * been seen. (Not before the end of time, perhaps, when others change the list: the caller counts.) Inside the runtime.
 */
bool tri_mcentral_bury_some(unsigned spanclass, struct tri_mspan **first);

/* Sweeps at most `max` spans of the class, and no more than 16. Returns how many; 0 when none was left to sweep. */
unsigned tri_mcentral_sweep_some(unsigned spanclass, unsigned max);
/* Returns when s has been swept in this generation, by this thread or another. False when s died by that. */
bool tri_mcentral_ensure_swept(struct tri_mspan *s);

/* World stopped, nothing unswept: every span becomes unswept. The caller then raises sweepgen by 2. */
void tri_mcentral_flip_stw(void);

/* Calls fn for every span in the central's lists, with its lock held. */
void tri_mcentral_each(unsigned spanclass, void (*fn)(struct tri_mspan *, void *), void *arg);
/* True when every list is empty of unswept spans, and nobody is at sweeping one. */
bool tri_mcentral_all_swept(void);

/* In a fork's child, alone, when a thread that is gone was inside the runtime: stacks of remote frees that it had taken
 * are lost, so they are all made anew from the spans' bits. The caller's own inbox is empty. */
void tri_mcentral_retell(void);
/* For it: empties a stack of remote frees, a central's or an inbox. */
void tri_mcentral_drop_told(tri_aword *stack);

void tri_mcentral_lock_all(void); /* fork */
void tri_mcentral_unlock_all(void);

#endif
