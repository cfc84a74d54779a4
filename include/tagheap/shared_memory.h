/* SPDX-License-Identifier: MIT */
/* Shared memory objects: memory with a name, which lives until it is removed or the system stops,
 * and which unrelated processes map, each at an address of its own (POSIX.1-2008, shm_open). What
 * is mapped is a th_file_map (file_map.h), closed by th_file_map_close. Hosted builds on POSIX
 * systems only.
 *
 * Names begin with a slash and hold no other one ("/scores"); "/", "/." and "/.." are none. What is
 * no such name is refused, whatever the system would do with it.
 * Ownership, thread rule, and errors as of file maps; TH_ERR_EXHAUSTED: errno says why (EEXIST: the
 * name is taken; ENOENT: there is none; EACCES: the caller has not the right; ENOSPC: the system's
 * memory for that is full; EINVAL: no good name; ENAMETOOLONG: the name is longer than one of a
 * file may be). */
#ifndef TAGHEAP_SHARED_MEMORY_H
#define TAGHEAP_SHARED_MEMORY_H

#include "tagheap/file_map.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Makes an object of `bytes` zeros and maps it, shared. `permissions` are those of a file: who else
 * may read (0444) and write (0222) it, whatever the process's umask is. All of the memory is taken
 * at once, so that no later write meets a full system. A name that is taken is never touched; an
 * object that cannot be made whole is removed. Also fails with TH_ERR_TOO_SMALL if bytes is 0, and
 * with TH_ERR_CONFIG if permissions has other bits than 0777. */
th_status th_shared_memory_open_new(th_file_map *map, const char *name, size_t bytes,
                                    unsigned permissions);

/* Maps an object as it is; TH_FILE_MAP_READ needs the right to read it, TH_FILE_MAP_COPY too,
 * TH_FILE_MAP_SHARED to write it as well. One that its maker has not given its size yet is no
 * memory: bytes 0. */
th_status th_shared_memory_open(th_file_map *map, const char *name, th_file_map_mode mode);

/* Takes the name away. Who has mapped the object keeps it. TH_ERR_NULL, or TH_ERR_EXHAUSTED. */
th_status th_shared_memory_remove(const char *name);

#ifdef __cplusplus
}
#endif
#endif
