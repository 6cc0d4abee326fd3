/* Version of the headers, and what marks the library's names. The library's own version is tri_version(). */
#ifndef TRICOLOR_VERSION_H
#define TRICOLOR_VERSION_H

#define TRICOLOR_VERSION_MAJOR 0
#define TRICOLOR_VERSION_MINOR 1
#define TRICOLOR_VERSION_PATCH 0

#define TRI_API __attribute__((visibility("default")))

#endif
