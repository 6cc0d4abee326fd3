/* mprotect and its kin, interposed. */
#ifndef TRI_GC_RIGHTS_H
#define TRI_GC_RIGHTS_H

#include "internal/base.h"

/* The program has, at some time, taken rights from pages of the heap through the C library. Any thread. */
bool tri_rights_were_taken(void);

#endif
