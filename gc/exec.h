/* exec, as far as the rest of the runtime has to know of it. */
#ifndef TRI_GC_EXEC_H
#define TRI_GC_EXEC_H

#include "internal/base.h"

/* Some thread is on its way into another program: until it is there or has failed, the kernel makes no threads. */
bool tri_exec_is_under_way(void);

#endif
