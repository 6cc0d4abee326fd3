/*
 * The table of types, and how the type of an object is found. gc/typed.c allocates, gc/mark.c scans.
 *
 *   tri_alloc_typed: descriptor -> number (tri_types_find, a hash table; the first time tri_types_add, which copies
 * what scanning needs) -> span -> the number, noted for the object marking:         span -> number -> grey entry ->
 * scanning: tri_type_infos[number], which lies in the cache
 *
 * The layouts, after Go's three (bitmap beside small objects, header word in larger ones, pointer in the span of large
 * ones); where Go stores bits for each word we store 16 bits for each object, off the heap:
 *   no type       the span classes there always were. Types without pointers use those of tri_alloc_noscan.
 *   small typed   span classes of their own, one for each size, so that neither allocating nor marking other objects
 *                 asks. Before the bit groups of such a span lie the numbers of its slots (tri_mspan_type_at): 2 bytes
 *                 for a slot of 16 to 32,768 bytes, where Go spends 2 bits to 8 bytes, and no word in the object, which
 *                 would cost it its alignment and lie open to the program.
 *   large typed   a field of the span.
 * A marker reads the number when it marks the object, where it waits for nothing: it has asked for the number's cache
 * line with that of the mark bit (gc/candidates.c). The grey entry carries it (gc/work.h), so scanning looks
 * nothing up: the mask of an object of up to 512 bytes is one word of tri_type_infos. A number also gives the name to
 * messages and the type to tri_realloc, which bits for each word could not.
 *
 * Invariants:
 *   [TYPE-1] the number of an object is noted before the object's words are written, and while its thread is inside the
 *            runtime: no collection begins in between. A stop, or a store that publishes the object, hands it on.
 *   [TYPE-2] with the page barrier a marker may see the former number of a slot that is handed out meanwhile: it scans
 *            the old words, or some of the new; the slot was zeroed after its number was noted, so its page is dirty
 * and it is scanned again with the number that it has then. With the hybrid barrier such a slot is marked already
 * ([CACHE-4]) and never scanned. [TYPE-3] a number means the same type for ever: a stale one is harmless.
 *
 * Locks: `lock` (rank CENTRAL) guards adding; below it the persistent region's. Finding takes none: a key is stored
 * (release) after its number, and a number leaves this file after its info is complete.
 * Forbidden here: the collected heap. The descriptor is read when it is added only, so a library that is unloaded may
 * take it along.
 */
#include "gc/types.h"

#include <string.h>

#include "alloc/fixalloc.h"
#include "internal/check.h"

enum { KEYS = 4096, MOST_KEYS = KEYS / 4 * 3, MOST_NAME = 63 };

struct tri_type_info tri_type_infos[TRI_TYPE_END];
static_assert(sizeof(struct tri_type_info) == TRI_CACHE_LINE, "scanning a small object touches one line of it");

static struct tri_lock lock = TRI_LOCK_INIT(TRI_RANK_CENTRAL); /* guards all below */
static tri_aword keys[KEYS];                                   /* descriptors, by hash; read without the lock */
static uint16_t numbers[KEYS];                                 /* constant once the key is there */
static unsigned nkeys, next_number = TRI_TYPE_FIRST;
static bool told;

/* Where the descriptor is, or the free place where it would be. */
static size_t place_of(const struct tri_type *type) {
  uint64_t key = (uintptr_t)type;
  size_t i = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 52);
  for (uint64_t k; (k = tri_load_acq(&keys[i])) != 0 && k != key;) i = (i + 1) % KEYS;
  return i;
}

unsigned tri_types_find(const struct tri_type *type) {
  size_t i = place_of(type);
  return tri_load_acq(&keys[i]) ? numbers[i] : TRI_TYPE_UNKNOWN;
}

/* Is a descriptor good? */

static bool has_bits_past(const uint64_t *bits, size_t words) {
  return words % 64 != 0 && bits[words / 64] >> (words % 64) != 0;
}

static bool any_bit(const struct tri_type *type) {
  for (size_t i = 0; i < type->bitmap_words; i++)
    if (type->pointers[i]) return true;
  return false;
}

bool tri_types_are_good(const struct tri_type *type) {
  if (!type || type->size == 0) return false;
  if (type->bitmap_words == 0) return true;
  if (type->bitmap_words != TRI_TYPE_WORDS(type->size) || !type->pointers) return false;
  if (!any_bit(type)) return !has_bits_past(type->pointers, type->size / 8);
  return type->size % 8 == 0 && !has_bits_past(type->pointers, type->size / 8);
}

/* Making an info. */

static bool get_bit(const uint64_t *bits, size_t i) {
  return bits[i / 64] >> (i % 64) & 1;
}

static bool tile(struct tri_type_info *info, const uint64_t *bits) {
  size_t words = tri_max((info->period - 1) / 64 + 2, TRI_ARRAY_LEN(info->few));
  uint64_t *tiled = words == TRI_ARRAY_LEN(info->few) ? info->few : tri_persistent_alloc(words * sizeof *tiled);
  if (!tiled) return false;
  memset(tiled, 0, words * sizeof *tiled);
  info->all = true;
  for (size_t i = 0, from = 0; i < words * 64; i++, from = from + 1 == info->period ? 0 : from + 1) {
    bool pointer = get_bit(bits, from);
    tiled[i / 64] |= (uint64_t)pointer << (i % 64);
    info->all = info->all && pointer;
  }
  info->tiled = tiled;
  info->first = tiled[0];
  return true;
}

static const char *copy_name(const char *name) {
  size_t length = name ? strnlen(name, MOST_NAME) : 0;
  char *copy = length ? tri_persistent_alloc(length + 1) : NULL;
  if (!copy) return "(no name)";
  memcpy(copy, name, length);
  copy[length] = 0;
  return copy;
}

static bool same(const struct tri_type_info *info, const struct tri_type *type) {
  if (info->size != type->size || strncmp(info->name, type->name ? type->name : "(no name)", MOST_NAME) != 0)
    return false;
  for (size_t i = 0; i < info->period; i++)
    if (get_bit(info->tiled, i) != get_bit(type->pointers, i)) return false;
  return true;
}

/* A copy of the descriptor in another file of the program is the same type. */
static unsigned find_same(const struct tri_type *type) {
  for (unsigned n = TRI_TYPE_FIRST; n < next_number; n++)
    if (same(&tri_type_infos[n], type)) return n;
  return TRI_TYPE_UNKNOWN;
}

static unsigned no_room(void) {
  if (!told) tri_warn("no room for more types; objects of further ones are scanned conservatively (said once)");
  told = true;
  return TRI_TYPE_ANY;
}

static unsigned new_number(const struct tri_type *type) {
  if (!type->bitmap_words || !any_bit(type)) return TRI_TYPE_NOSCAN;
  unsigned number = find_same(type);
  if (number) return number;
  if (next_number == TRI_TYPE_END || type->size / 8 > UINT32_MAX) return no_room();
  struct tri_type_info *info = &tri_type_infos[next_number];
  info->size = type->size;
  info->period = (uint32_t)(type->size / 8);
  info->step = 64 % info->period;
  info->name = copy_name(type->name);
  return tile(info, type->pointers) ? next_number++ : no_room();
}

unsigned tri_types_add(const struct tri_type *type) {
  if (!tri_types_are_good(type)) return TRI_TYPE_BAD;
  tri_lock_acquire(&lock);
  size_t i = place_of(type);
  unsigned number = tri_load_rlx(&keys[i]) ? numbers[i] : new_number(type);
  if (!tri_load_rlx(&keys[i]) && nkeys < MOST_KEYS) {
    nkeys++;
    numbers[i] = (uint16_t)number;
    tri_store_rel(&keys[i], (uintptr_t)type);
  }
  tri_lock_release(&lock);
  return number;
}

void tri_types_lock(void) {
  tri_lock_acquire_unranked(&lock);
}

void tri_types_unlock(void) {
  tri_lock_release_unranked(&lock);
}
