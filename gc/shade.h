/* Shading: pointers that the write barrier hands over become marked, and grey work. */
#ifndef TRI_GC_SHADE_H
#define TRI_GC_SHADE_H

#include "gc/work.h"

/* Of one who shades: a thread of the program, or the cycle's runner. All zero at first. */
struct tri_shader {
  struct tri_work work;
  uint64_t marked_bytes;
};

/* While marking. By the shader's thread inside the runtime, or with the world stopped: what the words point to becomes
 * grey. Words that point to nothing are allowed. The grey objects stay with the shader until they are put up. */
void tri_shade(struct tri_shader *s, const tri_aword *words, size_t n);
void tri_shade_word(struct tri_shader *s, uintptr_t word);
/* Leaves the grey objects to the markers. */
void tri_shade_put_up(struct tri_shader *s);
/* Objects of so many bytes were marked by others than shaders and markers. */
void tri_shade_add_bytes(uint64_t bytes);
/* Bytes in objects that were shaded, and put up or taken, since the last call of this. World stopped. */
uint64_t tri_shade_take_bytes(void);
/* The same for a signal handler that interrupted the runtime, where the thread's shader is in disorder. */
void tri_shade_nested(uintptr_t word);
/* World stopped: what tri_shade_nested has gathered becomes s's. */
void tri_shade_take_nested(struct tri_shader *s);
/* World stopped: since the last call of this an object was marked and did not become grey work, for want of memory or
 * of room for nested ones; every marked object must be scanned again. */
void tri_shade_tell_dropped(void);
bool tri_shade_take_dropped(void);

#endif
