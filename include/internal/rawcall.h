/* System calls without the C library: nothing of the calling thread's local storage is touched, errno included. */
#ifndef TRI_INTERNAL_RAWCALL_H
#define TRI_INTERNAL_RAWCALL_H

#include <linux/futex.h>
#if defined(__x86_64__)
#include <asm/prctl.h>
#endif
#include <sys/syscall.h>

#include "internal/atomic.h"
#include "internal/base.h"

/* The kernel's result: errors are small negative numbers. */
TRI_INLINE long tri_raw_call(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
#else
#error "unknown architecture"
#endif
}

/* Where the thread-local storage is, without a look at it. */
TRI_INLINE uintptr_t tri_raw_thread_pointer(void) {
  uintptr_t p = 0;
#if defined(__x86_64__)
  tri_raw_call(SYS_arch_prctl, ARCH_GET_FS, (long)&p, 0, 0);
#else
  __asm__("mrs %0, tpidr_el0" : "=r"(p));
#endif
  return p;
}

/* As tri_futex_wait and tri_futex_wake. */
TRI_INLINE void tri_raw_futex_wait(tri_aint *word, unsigned expected) {
  tri_raw_call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, expected, 0);
}

TRI_INLINE void tri_raw_futex_wake(tri_aint *word, int count) {
  tri_raw_call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, count, 0);
}

#endif
