/* Conservative scanning: which words of a block may point into the heap. */
#ifndef TRI_GC_SCAN_H
#define TRI_GC_SCAN_H

#include "gc/work.h"

/* Words that tri_scan_words may write past the last one that it counts. */
#define TRI_SCAN_SLACK 8

/* The words are the program's, of any type. */
typedef uintptr_t __attribute__((may_alias, aligned(1))) tri_scan_word; /* generated code is read at every byte */

/* Copies to out, in order, the words w of p[0..n) with w - base < used, and returns how many there are. Each word is
 * read once: its owner may be writing it. Constant after tri_scan_init. */
typedef size_t tri_scan_fn(const void *p, size_t n, uintptr_t base, uintptr_t used, uintptr_t *out);
extern tri_scan_fn *tri_scan_words TRI_INTERNAL;

/* The same for n small objects, in order: grey entries of classes that tri_scan_small_words has, 8 words at most. */
typedef size_t tri_scan_small_fn(const uintptr_t *grey, unsigned n, uintptr_t base, uintptr_t used, uintptr_t *out);
extern tri_scan_small_fn *tri_scan_small TRI_INTERNAL;
/* By tri_grey_class; 0: not for tri_scan_small. Constant after tri_scan_init. */
enum { TRI_SCAN_SMALL = 8 };
extern uint8_t tri_scan_small_words[TRI_GREY_CLASSES] TRI_INTERNAL;

/* The versions that this CPU can run, from 0, the plain one, to the widest; NULL past it. */
struct tri_scan_version {
  tri_scan_fn *words;
  tri_scan_small_fn *small;
};
const struct tri_scan_version *tri_scan_version(unsigned i);
/* Chooses the widest version that the CPU has. Any number of times. */
void tri_scan_init(void);

#endif
