/* SPDX-License-Identifier: MIT */
/* File maps from mmap. A map needs no descriptor once it is made.
 *
 * Files are measured in off_t, memory in size_t, and either may be the wider one: here off_t has 64
 * bits whatever the machine, so that a file that is too large for the address space is seen, and
 * every size up to PTRDIFF_MAX is one of a file. */
#define _DEFAULT_SOURCE
#define _FILE_OFFSET_BITS 64

#include "tagheap/file_map.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tagheap/pages.h"

static_assert(sizeof(off_t) == sizeof(int64_t) && PTRDIFF_MAX <= INT64_MAX,
              "every size of memory is one of a file");

/* Is there memory of that size, in whole pages? */
static bool has_addresses(uint64_t bytes) {
    return bytes <= (size_t)PTRDIFF_MAX - (th_pages_size() - 1);
}

static th_status map_whole(th_file_map *map, int file, th_file_map_mode mode) {
    static const int protections[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
    static const int flags[] = {MAP_SHARED, MAP_PRIVATE, MAP_SHARED};
    struct stat about;
    memset(&about, 0, sizeof about); /* MSan does not see that fstat writes it */
    if (fstat(file, &about) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    if (!S_ISREG(about.st_mode)) {
        return TH_ERR_CONFIG;
    }
    if (!has_addresses((uint64_t)about.st_size)) { /* which is never negative */
        return TH_ERR_TOO_LARGE;
    }
    th_file_map whole = {.bytes = (size_t)about.st_size};
    if (whole.bytes > 0) {
        whole.start = mmap(NULL, whole.bytes, protections[mode], flags[mode], file, 0);
    }
    if (whole.start == MAP_FAILED) {
        return TH_ERR_EXHAUSTED;
    }
    *map = whole;
    return TH_OK;
}

/* The reason of a failure stays in errno. That closing fails is no failure: nothing was written
 * through the descriptor, and whether what is written through the map arrives, a flush says. */
static void close_file(int file) {
    int reason = errno;
    (void)close(file);
    errno = reason;
}

th_status th_file_map_open(th_file_map *map, const char *path, th_file_map_mode mode) {
    if (map == NULL || path == NULL) {
        return TH_ERR_NULL;
    }
    if ((unsigned)mode >= TH_FILE_MAP_MODES) {
        return TH_ERR_CONFIG;
    }
    /* What is no file must not make us wait for its other end. */
    int access = mode == TH_FILE_MAP_SHARED ? O_RDWR : O_RDONLY;
    int file = open(path, access | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) { /* a folder cannot be opened for writing, a socket not at all */
        return errno == EISDIR || errno == ENXIO ? TH_ERR_CONFIG : TH_ERR_EXHAUSTED;
    }
    th_status status = map_whole(map, file, mode);
    close_file(file);
    return status;
}

th_status th_file_map_create(th_file_map *map, const char *path, size_t bytes) {
    if (map == NULL || path == NULL) {
        return TH_ERR_NULL;
    }
    if (bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (!has_addresses(bytes)) {
        return TH_ERR_TOO_LARGE;
    }
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) {
        return TH_ERR_EXHAUSTED;
    }
    th_status status = TH_ERR_EXHAUSTED;
    int reason = posix_fallocate(file, 0, (off_t)bytes);
    if (reason == 0) {
        status = map_whole(map, file, TH_FILE_MAP_SHARED);
        reason = errno;
    }
    if (status != TH_OK) {
        (void)unlink(path); /* if it stays, the status says at least that it is not good */
    }
    errno = reason;
    close_file(file);
    return status;
}

th_status th_file_map_flush(const th_file_map *map) {
    if (map == NULL) {
        return TH_ERR_NULL;
    }
    return msync(map->start, map->bytes, MS_SYNC) == 0 ? TH_OK : TH_ERR_EXHAUSTED;
}

void th_file_map_close(th_file_map *map) {
    if (map != NULL) {
        /* Of no bytes it is refused, and nothing to do. Else it cannot be: that takes a map in the
         * middle of a larger one (tagheap/pages.h), and the system joins maps only where they go on
         * in the same file, which none does that begins at the file's start. */
        (void)munmap(map->start, map->bytes);
        *map = (th_file_map){0};
    }
}
