/* A list of nodes of half a KiB, to fill memory with and to drop. */
#ifndef TESTS_SUPPORT_LIST_H
#define TESTS_SUPPORT_LIST_H

#include "support/probe.h"

enum { NODE = 512 };

struct node {
  struct node *next;
  char fill[NODE - sizeof(struct node *)];
};

UNUSED static struct node *list_of_mib(size_t mib) {
  struct node *list = NULL;
  for (size_t n = (mib << 20) / NODE; n > 0; n--) {
    struct node *p = malloc(sizeof *p);
    CHECK(p, "malloc");
    memset(p->fill, 1, sizeof p->fill);
    p->next = list;
    list = p;
  }
  return list;
}

UNUSED static void list_free(struct node *list) {
  while (list) {
    struct node *p = list;
    list = p->next;
    free(p);
  }
}

#endif
