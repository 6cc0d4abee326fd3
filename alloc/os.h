/* The only door to the kernel's memory calls. Every function preserves errno. */
#ifndef TRI_ALLOC_OS_H
#define TRI_ALLOC_OS_H

#include "internal/base.h"

size_t tri_os_page_size(void); /* the kernel's, at run time: 4, 16 or 64 KiB */

/* Address space without access (PROT_NONE, MAP_NORESERVE), aligned to `align` (a power of two), at a random address
 * where the kernel allows it. NULL if refused. */
void *tri_os_reserve(size_t size, size_t align);
/* Makes reserved pages readable and writable. They read as zero. False: no memory (nothing changed). */
bool tri_os_commit(void *addr, size_t size);
/* Gives the pages' memory back; the addresses stay and read as zero (MADV_DONTNEED). False if the kernel refused
 * (mlock'ed pages): the content is then undefined. */
bool tri_os_release(void *addr, size_t size);
/* The same with MADV_FREE: the kernel takes the memory when it needs it, and until then the pages may read as before.
 * Where it does not know MADV_FREE: tri_os_release. */
bool tri_os_release_lazily(void *addr, size_t size);
size_t tri_os_huge_page_size(void);
enum tri_os_huge { TRI_OS_HUGE_DONE, TRI_OS_HUGE_NOT_HERE, TRI_OS_HUGE_NO_MEMORY, TRI_OS_HUGE_NEVER };
/* Makes whole huge pages, aligned to their size, out of small ones (MADV_COLLAPSE, Linux 6.1), which takes the kernel
 * half a millisecond each and more; whoever touches one meanwhile waits. NOT_HERE: pages are pinned, or the range is
 * not all one mapping. */
enum tri_os_huge tri_os_make_huge(void *addr, size_t size);
/* The system's administrator allows huge pages where a program asks for them. */
bool tri_os_allows_huge(void);
/* No huge pages in a reservation. */
void tri_os_forbid_huge(void *addr, size_t size);
/* Gives address space back for good: for the tail of the reserve only. */
void tri_os_unreserve(void *addr, size_t size);
/* Bytes of address space that RLIMIT_AS still allows; SIZE_MAX without a limit. */
size_t tri_os_address_space_left(void);

#endif
