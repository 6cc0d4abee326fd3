/*
 * Checked objects: making, linking, verifying and letting go (checked.h).
 *
 * Sizes are spread over all classes: mostly small, some of pages, a few up to 300 KiB. Large bodies are verified at
 * sampled places, so that a visit stays cheap.
 */
#include "stress/checked.h"

#include "stress/memory.h"

#define WHOLE 512 /* bytes of a body that every visit reads; of what lies behind, every 509th */

static size_t random_size(struct maker *m) {
  unsigned kind = maker_below(m, 1000);
  if (kind < 850) return maker_below(m, 256);
  if (kind < 970) return maker_below(m, 4096);
  if (kind < 997) return maker_below(m, 32768);
  return maker_below(m, 300 * 1024);
}

static unsigned char body_byte(uint64_t id, size_t i) {
  return (unsigned char)(id * 13 + i * 7 + 5);
}

static size_t body_step(size_t i) {
  return i < WHOLE ? 1 : 509;
}

static void body_fill(struct checked *c, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) c->body[i] = body_byte(c->id, i);
}

struct checked *checked_new(struct maker *m) {
  size_t size = sizeof(struct checked) + random_size(m);
  unsigned kind = maker_below(m, 8), align_shift = maker_below(m, 9);
  struct checked *c = memory_get(kind, align_shift, size);
  CHECK(c != NULL, "no memory for %zu bytes", size);
  c->id = m->next_id++;
  c->not_id = ~c->id;
  c->size = size;
  for (int i = 0; i < EDGES; i++) memory_store(&c->to[i], NULL), c->to_id[i] = 0;
  body_fill(c, 0, size - sizeof(*c));
  m->made++;
  return c;
}

void checked_link(struct checked *from, int edge, struct checked *to) {
  memory_store(&from->to[edge], to);
  from->to_id[edge] = to != NULL ? to->id : 0;
}

void checked_verify(struct maker *m, const struct checked *c) {
  CHECK(c->id != 0 && c->not_id == ~c->id, "object %p: its identity is %#llx and %#llx", (const void *)c,
        (unsigned long long)c->id, (unsigned long long)c->not_id);
  size_t length = c->size - sizeof(*c);
  for (size_t i = 0; i < length; i += body_step(i)) {
    CHECK(c->body[i] == body_byte(c->id, i), "object %p of %zu bytes, id %#llx: byte %zu is %#x", (const void *)c,
          (size_t)c->size, (unsigned long long)c->id, i, c->body[i]);
  }
  for (int i = 0; i < EDGES; i++) {
    CHECK((c->to[i] == NULL) == (c->to_id[i] == 0), "object %p: edge %d is torn", (const void *)c, i);
    CHECK(c->to[i] == NULL || c->to[i]->id == c->to_id[i],
          "object %p, edge %d: leads to id %#llx at %p, expected %#llx", (const void *)c, i,
          (unsigned long long)c->to[i]->id, (void *)c->to[i], (unsigned long long)c->to_id[i]);
  }
  m->visited++;
}

struct checked *checked_resize(struct maker *m, struct checked *c) {
  size_t old = c->size - sizeof(*c), length = random_size(m);
  c = memory_resize(c, sizeof(*c) + length);
  CHECK(c != NULL, "realloc to %zu bytes", length);
  if (length > old) body_fill(c, old, length);
  c->size = sizeof(*c) + length;
  checked_verify(m, c);
  return c;
}

void checked_let_go(struct maker *m, struct checked *c) {
  if (maker_below(m, 100) >= m->free_percent) {
    m->dropped++;
    return;
  }
  c->id = 0;
  m->freed++;
  memory_free(c);
}
