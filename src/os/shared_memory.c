/* SPDX-License-Identifier: MIT */
/* Shared memory objects from shm_open. */
#define _DEFAULT_SOURCE
#define _FILE_OFFSET_BITS 64

#include "tagheap/shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "os/file_map.h"

#define PERMISSIONS ((unsigned)(S_IRWXU | S_IRWXG | S_IRWXO))

/* Systems take more or less than that for a name. */
static bool is_name(const char *name) {
    if (name[0] == '/' && name[1] != '\0' && strchr(name + 1, '/') == NULL &&
        strcmp(name, "/.") != 0 && strcmp(name, "/..") != 0) {
        return true;
    }
    errno = EINVAL;
    return false;
}

static int open_object(const char *name, int how) {
    return is_name(name) ? shm_open(name, how, S_IRUSR | S_IWUSR) : -1;
}

th_status th_shared_memory_open_new(th_file_map *map, const char *name, size_t bytes,
                                    unsigned permissions) {
    if (map == NULL || name == NULL) {
        return TH_ERR_NULL;
    }
    if (bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (!th_map_has_addresses(bytes)) {
        return TH_ERR_TOO_LARGE;
    }
    if ((permissions & ~PERMISSIONS) != 0) {
        return TH_ERR_CONFIG;
    }
    int object = open_object(name, O_RDWR | O_CREAT | O_EXCL);
    if (object < 0) {
        return TH_ERR_EXHAUSTED;
    }
    /* The permissions come last: until then nobody else sees half of it. */
    th_file_map whole;
    th_status status = th_map_fresh(&whole, object, bytes);
    if (status == TH_OK && fchmod(object, (mode_t)permissions) != 0) {
        int reason = errno;
        th_file_map_close(&whole);
        errno = reason;
        status = TH_ERR_EXHAUSTED;
    }
    if (status == TH_OK) {
        *map = whole;
    } else {
        int reason = errno;
        (void)shm_unlink(name);
        errno = reason;
    }
    th_map_close(object);
    return status;
}

th_status th_shared_memory_open(th_file_map *map, const char *name, th_file_map_mode mode) {
    if (map == NULL || name == NULL) {
        return TH_ERR_NULL;
    }
    if ((unsigned)mode >= TH_FILE_MAP_MODES) {
        return TH_ERR_CONFIG;
    }
    int object = open_object(name, mode == TH_FILE_MAP_SHARED ? O_RDWR : O_RDONLY);
    if (object < 0) {
        return TH_ERR_EXHAUSTED;
    }
    th_status status = th_map_whole(map, object, mode);
    th_map_close(object);
    return status;
}

th_status th_shared_memory_remove(const char *name) {
    if (name == NULL) {
        return TH_ERR_NULL;
    }
    return is_name(name) && shm_unlink(name) == 0 ? TH_OK : TH_ERR_EXHAUSTED;
}
