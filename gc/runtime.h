/* Start-up: the heap at the first allocation, settings as soon as the environment can be read. */
#ifndef TRI_GC_RUNTIME_H
#define TRI_GC_RUNTIME_H

#include "gc/config.h"

/* True in libtricolor-malloc. Defined by gc/malloc_mode.c or gc/api_mode.c. */
extern const bool tri_malloc_mode TRI_INTERNAL;

/* In malloc mode: the loader resolves malloc to ours. Asked by allocating: the address of a function may be that of
 * the executable's procedure linkage table. */
bool tri_mode_owns_malloc(void);
/* Exported: the address of a variable of the copy of the core that the loader resolves tri_* to. */
TRI_EXPORT const void *tri_core_identity(void);

/* Before the process becomes inert: finds the allocator that is to serve it. */
void tri_mode_prepare_inert(void);
/* In an inert process: a block of another allocator that reached our free, realloc or malloc_usable_size. */
void tri_mode_foreign_free(void *p);
void *tri_mode_foreign_realloc(void *p, size_t size);
size_t tri_mode_foreign_usable(void *p);

/* Sets the heap up once. False while another call on this very thread is doing it (the caller serves itself from the
 * emergency region), and for good when no heap could be reserved. An inert library still serves what reaches it. */
bool tri_runtime_init(void);
/* Values of GOGC, GODEBUG and TRICOLOR, each may be NULL, that the environment's come after. False: settings are made
 * already. */
bool tri_runtime_prefer(const char *gogc, const char *godebug, const char *tricolor);
/* The heap is up and the library is not inert. */
bool tri_runtime_ready(void);
bool tri_runtime_inert(void);
const struct tri_config *tri_runtime_config(void);
/* For the holder of the cycle lock. */
struct tri_config *tri_runtime_config_to_change(void);
/* Another ballast: changes its address space and the setting. False: no address space, nothing changed. By the holder
 * of the cycle lock. */
bool tri_runtime_change_ballast(size_t bytes);

#endif
