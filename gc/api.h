/* What the files that implement tricolor/tricolor.h share. */
#ifndef TRI_GC_API_H
#define TRI_GC_API_H

#include "gc/stop.h"

/* The calling thread, registered and inside the runtime; NULL when it cannot be, or is inside already. */
struct tri_thread *tri_api_enter(void);

#endif
