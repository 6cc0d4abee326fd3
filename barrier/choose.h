/* Which write barrier a process uses, and why. Pure. */
#ifndef TRI_BARRIER_CHOOSE_H
#define TRI_BARRIER_CHOOSE_H

#include "internal/base.h"

/* What TRICOLOR=barrier= asks for. */
enum tri_barrier_request { TRI_BARRIER_AUTO, TRI_BARRIER_PAGE, TRI_BARRIER_HYBRID, TRI_BARRIER_STW };

enum tri_barrier_kind {
  TRI_BARRIER_KIND_STW,    /* none: marking stops the world */
  TRI_BARRIER_KIND_PAGE,   /* the kernel reports what was written */
  TRI_BARRIER_KIND_HYBRID, /* tri_write */
};

struct tri_barrier_input {
  bool malloc_replaced;
  int gcstoptheworld; /* GODEBUG */
  enum tri_barrier_request request;
  bool page_available;   /* this version has it and the kernel can */
  bool hybrid_available; /* this version has it */
};

struct tri_barrier_choice {
  enum tri_barrier_kind kind;
  const char *reason; /* one phrase, constant */
};

struct tri_barrier_choice tri_barrier_choose(const struct tri_barrier_input *in);
/* The name as TRICOLOR=barrier= spells it. */
const char *tri_barrier_name(enum tri_barrier_kind kind);

#endif
