/* SPDX-License-Identifier: MIT */
/* File maps from mmap. A map needs no descriptor once it is made; one that follows its file has
 * one.
 *
 * Files are measured in off_t, memory in size_t, and either may be the wider one: here off_t has 64
 * bits whatever the machine, so that a file that is too large for the address space is seen, and
 * every size up to PTRDIFF_MAX is one of a file. */
#define _GNU_SOURCE       /* mremap */
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

#include "os/file_map.h"
#include "tagheap/pages.h"

static_assert(sizeof(off_t) == sizeof(int64_t) && PTRDIFF_MAX <= INT64_MAX,
              "every size of memory is one of a file");

bool th_map_has_addresses(uint64_t bytes) {
    return bytes <= (size_t)PTRDIFF_MAX - (th_pages_size() - 1);
}

/* The size of a regular file that has addresses, to *bytes. */
static th_status measure(int file, size_t *bytes) {
    struct stat about;
    memset(&about, 0, sizeof about); /* MSan does not see that fstat writes it */
    if (fstat(file, &about) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    if (!S_ISREG(about.st_mode)) {
        return TH_ERR_CONFIG;
    }
    if (!th_map_has_addresses((uint64_t)about.st_size)) { /* which is never negative */
        return TH_ERR_TOO_LARGE;
    }
    *bytes = (size_t)about.st_size;
    return TH_OK;
}

/* MAP_FAILED, or the address; NULL for no bytes. */
static void *map_bytes(int file, size_t bytes, th_file_map_mode mode) {
    static const int protections[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
    static const int flags[] = {MAP_SHARED, MAP_PRIVATE, MAP_SHARED};
    return bytes > 0 ? mmap(NULL, bytes, protections[mode], flags[mode], file, 0) : NULL;
}

th_status th_map_whole(th_file_map *map, int file, th_file_map_mode mode) {
    th_file_map whole = {.mode = mode};
    th_status status = measure(file, &whole.bytes);
    if (status != TH_OK) {
        return status;
    }
    whole.start = map_bytes(file, whole.bytes, mode);
    if (whole.start == MAP_FAILED) {
        return TH_ERR_EXHAUSTED;
    }
    *map = whole;
    return TH_OK;
}

/* The reason of a failure stays in errno. That closing fails is no failure: nothing was written
 * through the descriptor, and whether what is written through the map arrives, a flush says. */
void th_map_close(int file) {
    int reason = errno;
    (void)close(file);
    errno = reason;
}

/* A signal may interrupt the call, and what that one did is undone by some file systems. So it is
 * asked again for less at a time, down to a page: however often a signal comes, it comes to an end.
 * False: the reason is in errno. */
static bool take_space(int file, size_t bytes) {
    size_t done = 0, step = bytes, page = th_pages_size();
    int reason = 0;
    while (done < bytes && (reason == 0 || reason == EINTR)) {
        size_t now = step < bytes - done ? step : bytes - done;
        reason = posix_fallocate(file, (off_t)done, (off_t)now);
        done += reason == 0 ? now : 0;
        step = reason == EINTR && step / 2 > page ? step / 2 : step;
    }
    errno = reason != 0 ? reason : errno;
    return reason == 0;
}

th_status th_map_fresh(th_file_map *map, int file, size_t bytes) {
    return take_space(file, bytes) ? th_map_whole(map, file, TH_FILE_MAP_SHARED) : TH_ERR_EXHAUSTED;
}

static th_status open_and_map(th_file_map *map, const char *path, th_file_map_mode mode,
                              bool is_held) {
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
    th_status status = th_map_whole(map, file, mode);
    if (status == TH_OK && is_held) {
        map->held = file + 1;
    } else {
        th_map_close(file);
    }
    return status;
}

th_status th_file_map_open(th_file_map *map, const char *path, th_file_map_mode mode) {
    return open_and_map(map, path, mode, false);
}

th_status th_file_map_open_held(th_file_map *map, const char *path, th_file_map_mode mode) {
    return open_and_map(map, path, mode, true);
}

th_status th_file_map_open_new(th_file_map *map, const char *path, size_t bytes) {
    if (map == NULL || path == NULL) {
        return TH_ERR_NULL;
    }
    if (bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (!th_map_has_addresses(bytes)) {
        return TH_ERR_TOO_LARGE;
    }
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) {
        return TH_ERR_EXHAUSTED;
    }
    th_status status = th_map_fresh(map, file, bytes);
    if (status != TH_OK) {
        int reason = errno;
        (void)unlink(path); /* if it stays, the status says at least that it is not good */
        errno = reason;
    }
    th_map_close(file);
    return status;
}

/* ---- files that change ---------------------------------------------------------------------- */

static th_status require_held(const th_file_map *map) {
    if (map == NULL) {
        return TH_ERR_NULL;
    }
    return map->held > 0 ? TH_OK : TH_ERR_UNSUPPORTED;
}

static int file_of(const th_file_map *map) {
    return map->held - 1;
}

/* As the file is said to be now. */
static th_status remap(th_file_map *map, size_t bytes) {
    void *start = map->start;
    if (map->bytes == 0) {
        start = map_bytes(file_of(map), bytes, map->mode);
    } else if (bytes == 0) {
        (void)munmap(start, map->bytes);
        start = NULL;
    } else if (bytes != map->bytes) {
        start = mremap(start, map->bytes, bytes, MREMAP_MAYMOVE);
    }
    if (start == MAP_FAILED) {
        return TH_ERR_EXHAUSTED;
    }
    map->start = start;
    map->bytes = bytes;
    return TH_OK;
}

th_status th_file_map_file_bytes(const th_file_map *map, uint64_t *bytes) {
    struct stat about;
    th_status status = bytes != NULL ? require_held(map) : TH_ERR_NULL;
    if (status != TH_OK) {
        return status;
    }
    memset(&about, 0, sizeof about);
    if (fstat(file_of(map), &about) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    *bytes = (uint64_t)about.st_size;
    return TH_OK;
}

/* Bytes of the file to memory, up to the file's end; *done of them. False: the reason is in errno.
 */
static bool read_at(int file, size_t from, unsigned char *to, size_t bytes, size_t *done) {
    ssize_t got = 1;
    *done = 0;
    while (*done < bytes && (got > 0 || (got < 0 && errno == EINTR))) {
        got = pread(file, to + *done, bytes - *done, (off_t)(from + *done));
        *done += got > 0 ? (size_t)got : 0;
    }
    return got >= 0;
}

/* The page in which a map ends is the process's own once it was written, and shows nothing that was
 * added to the file; so that is copied to what is left of the page. Before the map is followed:
 * there it is nobody's yet. */
static bool copy_rest_of_page(th_file_map *map, size_t bytes) {
    size_t whole = th_pages_round(map->bytes), done;
    size_t end = bytes < whole ? bytes : whole;
    return map->mode != TH_FILE_MAP_COPY || end <= map->bytes ||
           read_at(file_of(map), map->bytes, (unsigned char *)map->start + map->bytes,
                   end - map->bytes, &done);
}

th_status th_file_map_refresh(th_file_map *map) {
    size_t bytes;
    th_status status = require_held(map);
    if (status == TH_OK) {
        status = measure(file_of(map), &bytes);
    }
    if (status == TH_OK && !copy_rest_of_page(map, bytes)) {
        status = TH_ERR_EXHAUSTED;
    }
    return status == TH_OK ? remap(map, bytes) : status;
}

static bool cut_off(int file, size_t bytes) {
    int result;
    do {
        result = ftruncate(file, (off_t)bytes);
    } while (result != 0 && errno == EINTR);
    return result == 0;
}

/* What was added is cut off again, and the reason stays in errno. */
static void cut_back(int file, size_t bytes) {
    int reason = errno;
    (void)cut_off(file, bytes);
    errno = reason;
}

static th_status grow(th_file_map *map, size_t bytes, size_t bytes_before) {
    int file = file_of(map);
    th_status status = take_space(file, bytes) ? remap(map, bytes) : TH_ERR_EXHAUSTED;
    if (status != TH_OK) {
        cut_back(file, bytes_before);
    }
    return status;
}

th_status th_file_map_resize(th_file_map *map, size_t bytes) {
    size_t bytes_before;
    th_status status = require_held(map);
    if (status != TH_OK) {
        return status;
    }
    if (map->mode != TH_FILE_MAP_SHARED) {
        return TH_ERR_UNSUPPORTED;
    }
    if (bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (!th_map_has_addresses(bytes)) {
        return TH_ERR_TOO_LARGE;
    }
    status = measure(file_of(map), &bytes_before);
    if (status != TH_OK) {
        return status;
    }
    if (bytes < bytes_before && !cut_off(file_of(map), bytes)) {
        return TH_ERR_EXHAUSTED;
    }
    return grow(map, bytes, bytes < bytes_before ? bytes : bytes_before);
}

th_status th_file_map_read(const th_file_map *map, size_t from, void *to, size_t bytes,
                           size_t *copied) {
    size_t nobody_asks;
    size_t *done = copied != NULL ? copied : &nobody_asks;
    *done = 0;
    th_status status = to != NULL ? require_held(map) : TH_ERR_NULL;
    if (status != TH_OK) {
        return status;
    }
    if (map->mode == TH_FILE_MAP_COPY) {
        return TH_ERR_UNSUPPORTED;
    }
    if (from > PTRDIFF_MAX || bytes > (size_t)PTRDIFF_MAX - from) { /* where no file of ours goes */
        return TH_ERR_TOO_LARGE;
    }
    if (!read_at(file_of(map), from, to, bytes, done)) {
        return TH_ERR_EXHAUSTED;
    }
    return *done == bytes ? TH_OK : TH_ERR_TOO_SMALL;
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
        if (map->held > 0) {
            th_map_close(file_of(map));
        }
        *map = (th_file_map){0};
    }
}
