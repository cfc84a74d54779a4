/* SPDX-License-Identifier: MIT */
/* What file maps and shared memory objects have in common: a descriptor that becomes a map. */
#ifndef TH_OS_FILE_MAP_H
#define TH_OS_FILE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "tagheap/file_map.h"

/* Is there memory of that size, in whole pages? */
bool th_map_has_addresses(uint64_t bytes);

/* Maps all of what the descriptor is of. */
th_status th_map_whole(th_file_map *map, int file, th_file_map_mode mode);

/* Gives what is new, and empty, so many bytes of zeros, and maps it. The reason of a failure is in
 * errno. */
th_status th_map_fresh(th_file_map *map, int file, size_t bytes);

/* Closes the descriptor, which changes neither what was mapped nor errno. */
void th_map_close(int file);

#endif
