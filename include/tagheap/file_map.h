/* SPDX-License-Identifier: MIT */
/* File maps: a whole file as memory. Its pages are read when they are touched, and nothing is
 * copied; what is written to a shared map is in the file, and in every other map of it at once, in
 * whatever process. A tagged heap in a shared map outlives the program and may be opened by another
 * one, at another address (examples/mapped_heap.c). Hosted builds on POSIX systems only.
 *
 * Ownership: the map is the caller's from open or open_new to close. The file is not held open,
 * but by open_held.
 * Errors: *map is untouched. TH_ERR_NULL: a pointer is. TH_ERR_CONFIG: the mode is none of the
 * three, or this is no regular file. TH_ERR_TOO_LARGE: in whole pages it exceeds PTRDIFF_MAX, so
 * that no address could tell its bytes apart (with 32-bit addresses: from 2 GiB on). A file is
 * mapped whole or not at all. TH_ERR_EXHAUSTED: the system refuses, and errno says why (ENOENT,
 * EACCES, EEXIST, ENOSPC, ENOMEM ...). A signal that comes while space is taken, a file is cut off
 * or read is none: the system is asked again. To open and to flush can be EINTR, on file systems
 * that wait for another machine or program.
 * Who makes the file shorter takes memory away: to touch what is gone is SIGBUS, from the first
 * page on that the file has no byte of. Nothing here prevents that, nor two processes that write at
 * the same time. A map that holds its file open (th_file_map_open_held) can be asked how large that
 * is now, follow it, and read from it without that danger. Thread rule: one map, one thread at a
 * time. Complexity: what the system makes of it. */
#ifndef TAGHEAP_FILE_MAP_H
#define TAGHEAP_FILE_MAP_H

#include <stddef.h>
#include <stdint.h>

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
    void *start;           /* a page's start; NULL if bytes is 0 */
    size_t bytes;          /* of the file, when it was mapped, or last followed */
    int held;              /* the library's own: 0, or the number of the descriptor + 1 */
    th_file_map_mode mode; /* the library's own */
} th_file_map;

/* Maps a file as it is. An empty one is no error: there is no memory. Files that have no size,
 * like those of /proc, count as empty. */
th_status th_file_map_open(th_file_map *map, const char *path, th_file_map_mode mode);

/* The same, and holds the file open until close, which takes a descriptor: so that the calls below
 * that ask or change the file can be made. Each of them is TH_ERR_NULL if the map, or another
 * pointer that must not be, is NULL, and TH_ERR_UNSUPPORTED if the map holds no file. */
th_status th_file_map_open_held(th_file_map *map, const char *path, th_file_map_mode mode);

/* Makes a file of `bytes` zeros, readable and writable for its owner only, and maps it, shared. All
 * of its space is taken at once, so that no later write meets a full disk. A file that exists is
 * never touched (EEXIST); one that cannot be made whole is not left behind, unless its name cannot
 * be removed either. Also fails with TH_ERR_TOO_SMALL if bytes is 0. Above the limit that the
 * process has for files (RLIMIT_FSIZE) the system sends SIGXFSZ, which ends the process unless it
 * ignores that; then this fails as above, with EFBIG. */
th_status th_file_map_open_new(th_file_map *map, const char *path, size_t bytes);

/* How many bytes the file has now, to *bytes. Fewer than map->bytes: some of the map may be gone.
 * TH_ERR_EXHAUSTED: the system refuses to say. */
th_status th_file_map_file_bytes(const th_file_map *map, uint64_t *bytes);

/* Follows the file: maps what it has now, no more and no less. Where it is longer the rest is seen
 * now; where it is shorter, what is gone is mapped no more (SIGSEGV, not SIGBUS). TH_OK with *map
 * as it was if the size is. Else map->start may be another address, and every pointer into the old
 * map is dead; a copy keeps what was written to the part that stays. (Where the file has become
 * longer, the page in which the copy ended is as if it had been written: it is this process's own,
 * and shows no later changes of the file.) TH_ERR_TOO_LARGE or
 * TH_ERR_EXHAUSTED as above, with *map and the old map as they were. What is cut off a moment later
 * is gone all the same: th_file_map_read is safe from that. */
th_status th_file_map_refresh(th_file_map *map);

/* Makes the file `bytes` bytes long, by zeros or by cutting it off, and follows it. All of its
 * space is taken at once, holes in it included: at the same size too, after which no write to the
 * map meets a full disk. Shared maps only (TH_ERR_UNSUPPORTED). TH_ERR_TOO_SMALL if bytes is 0,
 * TH_ERR_TOO_LARGE or TH_ERR_EXHAUSTED as above: the map is as it was, and the file as long as it
 * was; but where the file is shorter already and the system refuses to follow, it stays so, as if
 * another process had done it. Of two that grow a file at the same time, one that fails may cut off
 * what the other one has added. RLIMIT_FSIZE: as th_file_map_open_new. */
th_status th_file_map_resize(th_file_map *map, size_t bytes);

/* Copies `bytes` bytes of the file, from its byte `from` on, to `to`, by the system and not by the
 * map: no SIGBUS, whatever became of the file. *copied says how many were, whatever is returned
 * (NULL: nobody asks). TH_ERR_TOO_SMALL: the file ends before that, and only what there is was
 * copied. TH_ERR_EXHAUSTED: it cannot be read, or not to the end. Nothing is copied: TH_ERR_NULL,
 * `to` is; TH_ERR_UNSUPPORTED, also for TH_FILE_MAP_COPY, which has changes of its own that are not
 * in the file; TH_ERR_TOO_LARGE, from + bytes exceeds PTRDIFF_MAX, which no file does that can be
 * mapped. */
th_status th_file_map_read(const th_file_map *map, size_t from, void *to, size_t bytes,
                           size_t *copied);

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
