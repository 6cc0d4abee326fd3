/*
 * Tricolor: types. An object that is made by tri_alloc_typed is scanned precisely: only the words that its type names
 * are looked at, so numbers in it that look like addresses keep nothing alive. After Go's pointer bitmaps.
 *
 *   struct node { struct node *left, *right; uint64_t key; const char *name[2]; };
 *   TRI_TYPE(node_type, struct node, left, right, name);
 *   struct node *n = tri_alloc_typed(&node_type, 1);
 *
 * A word that the type does not name must not hold the only pointer to an object; a program that is built with
 * TRICOLOR_CHECKED ends when tri_write stores there. malloc's realloc, where it moves an object, loses the type.
 */
#ifndef TRICOLOR_TYPE_H
#define TRICOLOR_TYPE_H

#include <stddef.h>
#include <stdint.h>

#include "tricolor/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where an element of so many bytes has pointers; in an array the same again for each element. One that has been given
 * to tri_alloc_typed stays as it is as long as the process lives. Types with equal contents are one type. There is room
 * for 1000 different ones with pointers; objects of further types are scanned conservatively.
 */
struct tri_type {
  const char *name;         /* for messages; may be NULL */
  size_t size;              /* of an element, in bytes; with pointers a multiple of 8 */
  size_t bitmap_words;      /* TRI_TYPE_WORDS(size), or 0: no pointers */
  const uint64_t *pointers; /* bit w % 64 of pointers[w / 64]: the w-th word of an element may be a pointer */
};

/*
 * A zeroed array of `count` elements on the collected heap, aligned like an object of tri_alloc; without pointers it is
 * one of tri_alloc_noscan. A count of 0 gives a distinct smallest object. tri_realloc keeps the type, which goes on in
 * what is added (ask for multiples of the size). In a signal handler that interrupted the library the object is scanned
 * conservatively.
 * Returns NULL with errno EINVAL when `type` is NULL, its size is 0, bitmap_words does not fit it, the bitmap is
 * missing, has bits past the size, or the size is no multiple of 8 in spite of pointers; with ENOMEM when there is no
 * memory, or no size_t holds the size of the array.
 */
TRI_API void *tri_alloc_typed(const struct tri_type *type, size_t count);

/* Elements of a bitmap for `size` bytes. */
#define TRI_TYPE_WORDS(size) (((size) / 8 + 63) / 64)

/*
 * Defines a static const struct tri_type `variable` for `type`, a struct of at most TRI_TYPE_MAX_SIZE bytes, which has
 * its pointers in the fields that follow: 1 to 32 of them, also as a.b or name[3]. A field of several words, an array
 * or a struct, counts whole. A field that is not made of aligned words does not compile. For a larger struct or more
 * fields write the bitmap, or name an outer field.
 */
#define TRI_TYPE_MAX_SIZE 4096
#define TRI_TYPE(variable, type, ...)                                                                                 \
  TRI_TYPE_ASSERT_(sizeof(type) <= TRI_TYPE_MAX_SIZE && sizeof(type) % 8 == 0, "no room for " #type);                 \
  TRI_TYPE_ASSERT_((TRI_TYPE_EACH_(TRI_TYPE_BAD_, type, 0, __VA_ARGS__)) == 0, "a field is no aligned pointer");      \
  __attribute__((unused)) static const uint64_t variable##_pointers_[TRI_TYPE_MAX_SIZE / 512] = {                     \
      TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 0, __VA_ARGS__), TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 1, __VA_ARGS__),     \
      TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 2, __VA_ARGS__), TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 3, __VA_ARGS__),     \
      TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 4, __VA_ARGS__), TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 5, __VA_ARGS__),     \
      TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 6, __VA_ARGS__), TRI_TYPE_EACH_(TRI_TYPE_BITS_, type, 7, __VA_ARGS__)};    \
  __attribute__((unused)) static const struct tri_type variable = {#type, sizeof(type), TRI_TYPE_WORDS(sizeof(type)), \
                                                                   variable##_pointers_}
/* The same for a type without pointers, of any size. */
#define TRI_TYPE_DATA(variable, type) \
  __attribute__((unused)) static const struct tri_type variable = {#type, sizeof(type), 0, NULL}

/* What the two are made of. */
#ifdef __cplusplus
#define TRI_TYPE_ASSERT_(condition, text) static_assert(condition, text)
#else
#define TRI_TYPE_ASSERT_(condition, text) _Static_assert(condition, text)
#endif
#define TRI_TYPE_SIZE_(type, field) sizeof(((type *)0)->field)
#define TRI_TYPE_BAD_(type, w, field) (offsetof(type, field) % 8 | TRI_TYPE_SIZE_(type, field) % 8)
/* In bitmap word w: the bits below word n of the element; those of a field. */
#define TRI_TYPE_BELOW_(n, w) \
  ((n) <= (w)*64 ? UINT64_C(0) : (n) >= (w)*64 + 64 ? ~UINT64_C(0) : (UINT64_C(1) << ((n) % 64)) - 1)
#define TRI_TYPE_BITS_(type, w, field)                                                          \
  (TRI_TYPE_BELOW_((offsetof(type, field) + TRI_TYPE_SIZE_(type, field)) / sizeof(void *), w) & \
   ~TRI_TYPE_BELOW_(offsetof(type, field) / sizeof(void *), w))

/* m(type, w, field) of each field, by |. */
#define TRI_TYPE_EACH_(m, t, w, ...)                                                                               \
  TRI_TYPE_PICK_(__VA_ARGS__, TRI_TYPE_32_, TRI_TYPE_31_, TRI_TYPE_30_, TRI_TYPE_29_, TRI_TYPE_28_, TRI_TYPE_27_,  \
                 TRI_TYPE_26_, TRI_TYPE_25_, TRI_TYPE_24_, TRI_TYPE_23_, TRI_TYPE_22_, TRI_TYPE_21_, TRI_TYPE_20_, \
                 TRI_TYPE_19_, TRI_TYPE_18_, TRI_TYPE_17_, TRI_TYPE_16_, TRI_TYPE_15_, TRI_TYPE_14_, TRI_TYPE_13_, \
                 TRI_TYPE_12_, TRI_TYPE_11_, TRI_TYPE_10_, TRI_TYPE_9_, TRI_TYPE_8_, TRI_TYPE_7_, TRI_TYPE_6_,     \
                 TRI_TYPE_5_, TRI_TYPE_4_, TRI_TYPE_3_, TRI_TYPE_2_, TRI_TYPE_1_, 0)                               \
  (m, t, w, __VA_ARGS__)
#define TRI_TYPE_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, \
                       a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, n, ...)                                  \
  n
#define TRI_TYPE_1_(m, t, w, f) m(t, w, f)
#define TRI_TYPE_2_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_1_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_3_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_2_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_4_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_3_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_5_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_4_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_6_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_5_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_7_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_6_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_8_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_7_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_9_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_8_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_10_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_9_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_11_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_10_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_12_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_11_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_13_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_12_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_14_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_13_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_15_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_14_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_16_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_15_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_17_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_16_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_18_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_17_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_19_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_18_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_20_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_19_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_21_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_20_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_22_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_21_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_23_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_22_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_24_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_23_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_25_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_24_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_26_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_25_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_27_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_26_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_28_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_27_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_29_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_28_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_30_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_29_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_31_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_30_(m, t, w, __VA_ARGS__)
#define TRI_TYPE_32_(m, t, w, f, ...) m(t, w, f) | TRI_TYPE_31_(m, t, w, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif
