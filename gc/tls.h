/* Where threads have their thread-local storage; API mode, where mappings are not scanned as a whole. */
#ifndef TRI_GC_TLS_H
#define TRI_GC_TLS_H

#include <link.h>

#include "gc/thread.h"

/* By the cycle's runner with the world stopped. */

/* Of the main thread: its static block and struct pthread, which lie side by side. Empty before tri_tls_look. */
struct tri_tls_range {
  uintptr_t lo, hi;
};
struct tri_tls_range tri_tls_of_main(void);

/* Before the modules are looked at, one after the other, in a callback of dl_iterate_phdr. Calls fn for what lies
 * elsewhere: blocks of dlopen'ed modules, of any thread. */
void tri_tls_begin(void);
void tri_tls_look(const struct dl_phdr_info *module, void (*fn)(uintptr_t lo, uintptr_t hi, void *), void *arg);

#endif
