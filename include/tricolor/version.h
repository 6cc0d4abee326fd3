/* Version of the headers. The library's own version is tri_version(). */
#ifndef TRICOLOR_VERSION_H
#define TRICOLOR_VERSION_H

#define TRICOLOR_VERSION_MAJOR 0
#define TRICOLOR_VERSION_MINOR 1
#define TRICOLOR_VERSION_PATCH 0

#endif
