/* SPDX-License-Identifier: MIT */
/* A file that is mapped, and that somebody else changes at the same time; and a file as the
 * registers of a device: both beside an array of bytes. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resources/play.h"
#include "resources/probe.h"
#include "tagheap/device.h"
#include "tagheap/file_map.h"
#include "tagheap/pages.h"

enum { FILE_MAX = 1 << 14, NAME_BYTES = 64 };

static unsigned char model[FILE_MAX];
static size_t size; /* of the file */
static int file;    /* as the others have it */
static char name[NAME_BYTES];

static void open_file(void) {
    file = memfd_create("lab", MFD_CLOEXEC);
    if (file < 0) {
        abort();
    }
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    size = 0;
}

/* The space that the file takes. */
static size_t space(void) {
    struct stat about;
    memset(&about, 0, sizeof about);
    if (fstat(file, &about) != 0) {
        abort();
    }
    return (size_t)about.st_blocks * 512;
}

static void set_size(size_t bytes) {
    if (bytes > size) {
        memset(model + size, 0, bytes - size);
    }
    size = bytes;
}

/* ---- maps ----------------------------------------------------------------------------------- */

/* What was written to a copy: it stands there as long as its page is there. */
static unsigned char own[FILE_MAX];
static bool is_own[FILE_MAX];

static void forget_own_from(size_t at) {
    for (; at < FILE_MAX; at++) {
        is_own[at] = false;
    }
}

static void require_map(bool holds, const char *detail) {
    lab_require(holds, "file-map", detail);
}

static void change_by_others(size_t at, size_t bytes) {
    if (bytes % 2 == 0) {
        require_map(ftruncate(file, (off_t)at) == 0, "truncate");
        set_size(at);
        forget_own_from(at);
        return;
    }
    unsigned char mark = (unsigned char)(at ^ bytes);
    require_map(pwrite(file, &mark, 1, (off_t)at) == 1, "write");
    set_size(at + 1 > size ? at + 1 : size);
    model[at] = mark;
}

static void read_past(const th_file_map *map, size_t at, size_t bytes) {
    static unsigned char to[FILE_MAX];
    size_t copied = SIZE_MAX;
    size_t there = at >= size ? 0 : size - at < bytes ? size - at : bytes;
    th_status due = there == bytes ? TH_OK : TH_ERR_TOO_SMALL;
    if (map->mode == TH_FILE_MAP_COPY) {
        due = TH_ERR_UNSUPPORTED;
        there = 0;
    }
    require_map(th_file_map_read(map, at, to, bytes, &copied) == due, "read-status");
    require_map(copied == there && memcmp(to, model + at, there) == 0, "read");
}

static void resize(th_file_map *map, th_file_map_mode mode, size_t bytes) {
    th_status due = mode != TH_FILE_MAP_SHARED ? TH_ERR_UNSUPPORTED
                    : bytes == 0               ? TH_ERR_TOO_SMALL
                                               : TH_OK;
    require_map(th_file_map_resize(map, bytes) == due, "resize");
    if (due == TH_OK) {
        set_size(bytes);
        require_map(map->bytes == bytes, "resized");
        require_map(space() >= bytes, "holes");
    }
}

/* What of the map is there: the file's pages, and of the last one the file's bytes. Of a copy it is
 * not said whether what others write is seen. */
static void compare_map(const th_file_map *map, bool is_followed) {
    size_t there = map->bytes < size ? map->bytes : size;
    uint64_t bytes = 0;
    const unsigned char *found = map->start;
    require_map(th_file_map_file_bytes(map, &bytes) == TH_OK && bytes == size, "size");
    for (size_t i = 0; i < there && map->mode == TH_FILE_MAP_COPY; i++) {
        require_map(!is_own[i] || found[i] == own[i], "own");
    }
    require_map(there == 0 || map->mode == TH_FILE_MAP_COPY || memcmp(found, model, there) == 0,
                "contents");
    require_map(!is_followed || map->bytes == size, "followed");
    require_map((map->start == NULL) == (map->bytes == 0), "start");
}

static void write_to(const th_file_map *map, size_t at, unsigned char value) {
    if (map->mode != TH_FILE_MAP_READ && at < map->bytes && at < size) {
        ((unsigned char *)map->start)[at] = own[at] = value;
        is_own[at] = true;
        if (map->mode == TH_FILE_MAP_SHARED) {
            model[at] = value;
        }
    }
}

/* Follows, and what is cut off is mapped no more. */
static void follow(th_file_map *map) {
    const th_file_map before = *map;
    require_map(th_file_map_refresh(map) == TH_OK, "refresh");
    if (th_pages_round(map->bytes) < th_pages_round(before.bytes)) {
        unsigned char *last = (unsigned char *)before.start + th_pages_round(before.bytes);
        require_map(!lab_probe_mapped(last - th_pages_size()), "not-cut-off");
    }
}

void lab_play_file_map(lab_input *input) {
    th_file_map map;
    th_file_map_mode mode = (th_file_map_mode)(lab_input_byte(input) % TH_FILE_MAP_MODES);
    open_file();
    forget_own_from(0);
    change_by_others(lab_input_below(input, FILE_MAX), 1);
    require_map(th_file_map_open_held(&map, name, mode) == TH_OK, "open");
    int held = map.held - 1;
    while (input->left > 0) {
        unsigned op = lab_input_byte(input) % 6;
        size_t at = lab_input_below(input, FILE_MAX), bytes = lab_input_below(input, 65536);
        if (op == 0) {
            change_by_others(at, bytes);
        } else if (op == 1) {
            follow(&map);
        } else if (op == 2) {
            resize(&map, mode, at);
        } else if (op == 3) {
            read_past(&map, at, bytes % FILE_MAX);
        } else {
            write_to(&map, at, (unsigned char)(bytes & 0xFF));
        }
        compare_map(&map, op == 1);
    }
    unsigned char *start = map.start;
    th_file_map_close(&map);
    require_map(fcntl(held, F_GETFD) < 0, "still-held"); /* before anything is opened again */
    require_map(start == NULL || !lab_probe_mapped(start), "still-mapped");
    (void)close(file);
}

/* ---- devices -------------------------------------------------------------------------------- */

static void require_device(bool holds, const char *detail) {
    lab_require(holds, "device", detail);
}

static uint64_t value_at(size_t at, size_t width) {
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 1:
        memcpy(&one, model + at, width);
        return one;
    case 2:
        memcpy(&two, model + at, width);
        return two;
    case 4:
        memcpy(&four, model + at, width);
        return four;
    default:
        memcpy(&eight, model + at, sizeof eight);
        return eight;
    }
}

static void write_model(size_t at, size_t width, uint64_t value) {
    unsigned char bytes[sizeof value];
    memcpy(bytes, &value, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    memmove(bytes, bytes + sizeof value - width, width);
#endif
    memcpy(model + at, bytes, width);
}

static th_status status_due(size_t at, size_t width, size_t bytes) {
    if ((width & (width - 1)) != 0 || width == 0 || width > sizeof(size_t)) {
        return TH_ERR_CONFIG;
    }
    return at % width != 0 ? TH_ERR_MISALIGNED : at < bytes ? TH_OK : TH_ERR_TOO_LARGE;
}

void lab_play_device(lab_input *input) {
    enum { DEVICE_BYTES = 8192 };
    th_device device;
    bool writable = lab_input_byte(input) % 4 != 0;
    open_file();
    require_device(ftruncate(file, DEVICE_BYTES) == 0, "size");
    set_size(DEVICE_BYTES);
    size_t offset = 8 * lab_input_below(input, DEVICE_BYTES / 8);
    size_t bytes = 8 * (1 + lab_input_below(input, 100));
    th_status due = offset + bytes <= DEVICE_BYTES ? TH_OK : TH_ERR_TOO_LARGE;
    require_device(th_device_open(&device, name, offset, bytes,
                                  writable ? TH_DEVICE_READ_WRITE : TH_DEVICE_READ) == due,
                   "open");
    require_device(space() == 0, "touched");
    while (due == TH_OK && input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t at = lab_input_below(input, 1024), width = lab_input_below(input, 10);
        uint64_t value = UINT64_C(0x0101010101010101) * lab_input_byte(input), found = 0;
        th_status status = status_due(at, width, bytes);
        if (op % 2 == 0) {
            require_device(th_device_read(&device, at, width, &found) == status, "read-status");
            require_device(status != TH_OK || found == value_at(offset + at, width), "read");
            continue;
        }
        value = op % 16 == 1 || width >= 8 || width == 0 ? value : value >> (64 - 8 * width);
        if (status == TH_OK && !writable) {
            status = TH_ERR_UNSUPPORTED;
        } else if (status == TH_OK && width < 8 && value >> (8 * width) != 0) {
            status = TH_ERR_TOO_LARGE;
        }
        require_device(th_device_write(&device, at, width, value) == status, "write-status");
        if (status == TH_OK) {
            write_model(offset + at, width, value);
        }
        unsigned char *seen = mmap(NULL, DEVICE_BYTES, PROT_READ, MAP_SHARED, file, 0);
        require_device(seen != MAP_FAILED && memcmp(seen, model, DEVICE_BYTES) == 0, "contents");
        (void)munmap(seen, DEVICE_BYTES);
    }
    if (due == TH_OK) {
        th_device_close(&device);
    }
    memset(model, 0, sizeof model);
    (void)close(file);
}
