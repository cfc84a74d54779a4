/* SPDX-License-Identifier: MIT */
/* File maps: a whole file as memory. Its pages are read when they are touched, and nothing is
 * copied; what is written to a shared map is in the file, and in every other map of it at once, in
 * whatever process. A tagged heap in a shared map outlives the program and may be opened by another
 * one, at another address (examples/mapped_heap.c). Hosted builds on POSIX systems only.
 *
 * Ownership: the map is the caller's from open or create to close. The file is not held open.
 * Errors: *map is untouched. TH_ERR_NULL: a pointer is. TH_ERR_CONFIG: the mode is none of the
 * three, or this is no regular file. TH_ERR_TOO_LARGE: in whole pages it exceeds PTRDIFF_MAX, so
 * that no address could tell its bytes apart (with 32-bit addresses: from 2 GiB on). A file is
 * mapped whole or not at all. TH_ERR_EXHAUSTED: the system refuses, and errno says why (ENOENT,
 * EACCES, EEXIST, ENOSPC, ENOMEM ...).
 * Who makes the file shorter takes memory away: to touch what is gone is SIGBUS. Nothing here
 * prevents that, nor two processes that write at the same time.
 * Thread rule: one map, one thread at a time. Complexity: what the system makes of it. */
#ifndef TAGHEAP_FILE_MAP_H
#define TAGHEAP_FILE_MAP_H

#include <stddef.h>

#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_file_map_mode {
    TH_FILE_MAP_READ,   /* to write is SIGSEGV */
    TH_FILE_MAP_COPY,   /* what is written stays in this process, and is lost at the end */
    TH_FILE_MAP_SHARED, /* what is written is in the file */
    TH_FILE_MAP_MODES
} th_file_map_mode;

/* Zeroed: nothing is mapped. */
typedef struct th_file_map {
    void *start;  /* a page's start; NULL if bytes is 0 */
    size_t bytes; /* of the file, when it was mapped */
} th_file_map;

/* Maps a file as it is. An empty one is no error: there is no memory. Files that have no size,
 * like those of /proc, count as empty. */
th_status th_file_map_open(th_file_map *map, const char *path, th_file_map_mode mode);

/* Makes a file of `bytes` zeros, readable and writable for its owner only, and maps it, shared. All
 * of its space is taken at once, so that no later write meets a full disk. A file that exists is
 * never touched (EEXIST); one that cannot be made whole is not left behind, unless its name cannot
 * be removed either. Also fails with TH_ERR_TOO_SMALL if bytes is 0. Above the limit that the
 * process has for files (RLIMIT_FSIZE) the system sends SIGXFSZ, which ends the process unless it
 * ignores that; then this fails as above, with EFBIG. */
th_status th_file_map_create(th_file_map *map, const char *path, size_t bytes);

/* Returns when what was written to a shared map is on the disk. Other processes see it without
 * that. TH_ERR_NULL, or TH_ERR_EXHAUSTED as above; TH_OK for other modes, and for no memory. */
th_status th_file_map_flush(const th_file_map *map);

/* Ends the map and zeroes *map: every pointer into it is dead. A heap in it must be detached or
 * cleaned up before. NULL is allowed. */
void th_file_map_close(th_file_map *map);

#ifdef __cplusplus
}
#endif
#endif
