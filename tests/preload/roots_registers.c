/*
 * Objects whose only pointer is in a register of a running thread: callee-saved, the low and high half of a vector
 * register, the upper half of a 256-bit one where there is one; and end pointers, one past the object, in a register
 * and on a stack. The spinning thread gets and returns hidden addresses, so that the pointer exists nowhere else; the
 * control thread spins with the hidden word itself, and its object must go.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "support/probe.h"

struct spin {
  uintptr_t hidden; /* in and out */
  int go;
  atomic_int running;
};

/* Each unhides the word in a register, counts itself in, spins until go, hides the word again and clears the register.
 */
#if defined(__x86_64__)
#define SPIN(name, load, unload)                                                                                     \
  NOINLINE static void name(struct spin *s) {                                                                        \
    uintptr_t word = s->hidden;                                                                                      \
    s->hidden = 0;                                                                                                   \
    __asm__ volatile("xor %[mask], %%rbx\n\t" load                                                                   \
                     "movl $1, %[running]\n1:\tpause\n\tcmpl $0, %[go]\n\tje 1b\n\t" unload "xor %[mask], %%rbx\n\t" \
                     : "+b"(word), [running] "+m"(s->running)                                                        \
                     : [mask] "r"(PROBE_MASK), [go] "m"(s->go)                                                       \
                     : "xmm7", "cc", "memory");                                                                      \
    s->hidden = word;                                                                                                \
  }
SPIN(spin_callee_saved, "", "")
SPIN(spin_vector_low, "movq %%rbx, %%xmm7\n\txor %%ebx, %%ebx\n\t", "movq %%xmm7, %%rbx\n\tpxor %%xmm7, %%xmm7\n\t")
SPIN(spin_vector_high, "movq %%rbx, %%xmm7\n\tpslldq $8, %%xmm7\n\txor %%ebx, %%ebx\n\t",
     "psrldq $8, %%xmm7\n\tmovq %%xmm7, %%rbx\n\tpxor %%xmm7, %%xmm7\n\t")
SPIN(spin_vector_wide,
     "vmovq %%rbx, %%xmm7\n\tvinsertf128 $1, %%xmm7, %%ymm7, %%ymm7\n\tvpxor %%xmm7, %%xmm7, %%xmm7\n\t"
     "vmovq %%rbx, %%xmm7\n\tvperm2f128 $0x08, %%ymm7, %%ymm7, %%ymm7\n\txor %%ebx, %%ebx\n\t",
     "vextractf128 $1, %%ymm7, %%xmm7\n\tvmovq %%xmm7, %%rbx\n\tvzeroall\n\t")
static bool has_wide(void) {
  return __builtin_cpu_supports("avx");
}
#else
#define SPIN(name, load, unload)                                                                             \
  NOINLINE static void name(struct spin *s) {                                                                \
    register uintptr_t word __asm__("x19") = s->hidden;                                                      \
    s->hidden = 0;                                                                                           \
    __asm__ volatile("eor x19, x19, %[mask]\n\t" load                                                        \
                     "mov w9, #1\n\tstr w9, %[running]\n1:\tyield\n\tldr w9, %[go]\n\tcbz w9, 1b\n\t" unload \
                     "eor x19, x19, %[mask]\n\t"                                                             \
                     : "+r"(word), [running] "+m"(s->running)                                                \
                     : [mask] "r"(PROBE_MASK), [go] "m"(s->go)                                               \
                     : "x9", "v8", "cc", "memory");                                                          \
    s->hidden = word;                                                                                        \
  }
SPIN(spin_callee_saved, "", "")
SPIN(spin_vector_low, "fmov d8, x19\n\tmov x19, #0\n\t", "fmov x19, d8\n\tmovi v8.2d, #0\n\t")
SPIN(spin_vector_high, "movi v8.2d, #0\n\tmov v8.d[1], x19\n\tmov x19, #0\n\t",
     "mov x19, v8.d[1]\n\tmovi v8.2d, #0\n\t")
static void spin_vector_wide(struct spin *s) {
  spin_vector_high(s);
}
static bool has_wide(void) {
  return false;
}
#endif

NOINLINE static void spin_stack(struct spin *s) {
  void *volatile on_stack = UNHIDE(s->hidden);
  s->hidden = 0;
  atomic_store(&s->running, 1);
  while (*(volatile int *)&s->go == 0) continue;
  s->hidden = HIDE(on_stack);
  on_stack = NULL;
}

NOINLINE static void spin_hidden(struct spin *s) {
  atomic_store(&s->running, 1);
  while (*(volatile int *)&s->go == 0) continue;
}

static struct spin shared;
static void *volatile visible; /* keeps the object until the thread has it */
static void (*spin_function)(struct spin *);

static void *spinner(void *unused) {
  wipe();
  spin_function(&shared);
  return unused;
}

struct outcome {
  bool alive, whole, word_kept;
};

/*
 * Keeps an object by one word, at `offset` from its first byte, in the way of `function`, while collecting. The object
 * is judged while the thread still spins: a collection may follow at any time after.
 */
static struct outcome spin_with(void (*function)(struct spin *), size_t size, size_t offset) {
  pthread_t t;
  uintptr_t hidden = hidden_object(size, 77);
  struct outcome o;
  visible = UNHIDE(hidden);
  memset(&shared, 0, sizeof(shared));
  shared.hidden = HIDE((char *)UNHIDE(hidden) + offset);
  spin_function = function;
  CHECK(pthread_create(&t, NULL, spinner, NULL) == 0, "pthread_create");
  while (atomic_load(&shared.running) == 0) continue;
  visible = NULL;
  for (int i = 0; i < 3; i++) {
    collect();
    churn(200000);
  }
  collect();
  o.alive = !probe_live() || hidden_is_object(hidden);
  o.whole = hidden_holds(hidden, size, 77);
  __atomic_store_n(&shared.go, 1, __ATOMIC_SEQ_CST);
  pthread_join(t, NULL);
  o.word_kept = shared.hidden == HIDE((char *)UNHIDE(hidden) + offset);
  return o;
}

static void keeps(const char *name, void (*function)(struct spin *), size_t size, size_t offset) {
  struct outcome o = spin_with(function, size, offset);
  CHECK(o.word_kept, "%s: the word changed", name);
  CHECK(o.alive, "%s: the object of %zu bytes was reclaimed", name, size);
  CHECK(o.whole, "%s: the object of %zu bytes was overwritten", name, size);
  puts(name);
}

static void control(void) {
  int left = 0;
  for (int i = 0; i < 8; i++) left += spin_with(spin_hidden, 64, 0).alive;
  CHECK(!probe_live() || left <= 1, "%d of 8 objects without a pointer are alive", left);
  puts("control");
}

int main(void) {
  for (size_t size = 64; size <= 64 * 1024; size *= 32) {
    keeps("callee-saved register", spin_callee_saved, size, 0);
    keeps("vector register, low half", spin_vector_low, size, 0);
    keeps("vector register, high half", spin_vector_high, size, 0);
    if (has_wide()) keeps("wide vector register, upper half", spin_vector_wide, size, 0);
    keeps("stack", spin_stack, size, 0);
    keeps("interior pointer in a register", spin_callee_saved, size, size - 1);
    keeps("end pointer in a register", spin_callee_saved, size, size);
    keeps("end pointer in a vector register", spin_vector_low, size, size);
    keeps("end pointer on a stack", spin_stack, size, size);
  }
  control();
  puts("ok");
  return 0;
}
