/* Start-up: the heap at the first allocation, settings as soon as the environment can be read. */
#ifndef TRI_GC_RUNTIME_H
#define TRI_GC_RUNTIME_H

#include "gc/config.h"

/* True in libtricolor-malloc. Defined by gc/malloc_mode.c or gc/api_mode.c. */
extern const bool tri_malloc_mode TRI_INTERNAL;

/* In malloc mode: the loader resolves malloc to ours. */
bool tri_mode_owns_malloc(void);
/* The address of this copy's tri_gc, whatever the loader resolves the name to. */
void *tri_mode_own_tri_gc(void);

/* Sets the heap up once. False while another call on this very thread is doing it (the caller serves itself from the
 * emergency region), and for good when no heap could be reserved or the library stays inert. */
bool tri_runtime_init(void);
/* The heap is up and the library is not inert. */
bool tri_runtime_ready(void);
bool tri_runtime_inert(void);
const struct tri_config *tri_runtime_config(void);

#endif
