/* SPDX-License-Identifier: MIT */
/* Device ranges from mmap, which maps whole pages: what lies before the range in its first page,
 * and after it in its last one, is mapped, too, and as little touched. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include "tagheap/device.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/align.h"
#include "tagheap/pages.h"

static_assert(TH_DEVICE_ALIGNMENT == sizeof(uint64_t), "the widest register is aligned");

/* Of a range that is asked for, before the system is. */
static th_status check_request(uint64_t offset, size_t bytes, th_device_access access) {
    if ((unsigned)access >= TH_DEVICE_ACCESSES) {
        return TH_ERR_CONFIG;
    }
    if (bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if ((offset | bytes) % TH_DEVICE_ALIGNMENT != 0) {
        return TH_ERR_MISALIGNED;
    }
    /* With what lies before it in its page, and no offset of a file is larger. */
    bool fits =
        bytes <= (size_t)PTRDIFF_MAX - th_pages_size() && offset <= (uint64_t)INT64_MAX - bytes;
    return fits ? TH_OK : TH_ERR_TOO_LARGE;
}

/* A regular file has an end, after which nothing may be touched; a device has none that is told.
 */
static th_status check_end(int file, uint64_t end) {
    struct stat about;
    memset(&about, 0, sizeof about); /* MSan does not see that fstat writes it */
    if (fstat(file, &about) != 0) {
        return TH_ERR_EXHAUSTED;
    }
    return S_ISREG(about.st_mode) && end > (uint64_t)about.st_size ? TH_ERR_TOO_LARGE : TH_OK;
}

static th_status map_range(th_device *device, int file, uint64_t offset) {
    int protection = device->access == TH_DEVICE_READ ? PROT_READ : PROT_READ | PROT_WRITE;
    device->before = (size_t)(offset % th_pages_size());
    unsigned char *pages = mmap(NULL, device->before + device->bytes, protection, MAP_SHARED, file,
                                (off_t)(offset - device->before));
    if (pages == MAP_FAILED) {
        return TH_ERR_EXHAUSTED;
    }
    device->start = pages + device->before;
    return TH_OK;
}

th_status th_device_open(th_device *device, const char *path, uint64_t offset, size_t bytes,
                         th_device_access access) {
    if (device == NULL || path == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_request(offset, bytes, access);
    if (status != TH_OK) {
        return status;
    }
    int rights = access == TH_DEVICE_READ ? O_RDONLY : O_RDWR;
    int file = open(path, rights | O_SYNC | O_NONBLOCK | O_CLOEXEC); /* O_SYNC: past the caches */
    if (file < 0) {
        return TH_ERR_EXHAUSTED;
    }
    th_device opened = {.bytes = bytes, .access = access};
    status = check_end(file, offset + bytes);
    if (status == TH_OK) {
        status = map_range(&opened, file, offset);
    }
    int reason = errno;
    (void)close(file);
    errno = reason;
    if (status == TH_OK) {
        *device = opened;
    }
    return status;
}

/* Is there such a register? */
static th_status check_access(const th_device *device, size_t at, size_t width) {
    if (device == NULL || device->start == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_is_power_of_two(width) || width > sizeof(size_t)) {
        return TH_ERR_CONFIG;
    }
    if (!th_is_aligned(at, width)) {
        return TH_ERR_MISALIGNED;
    }
    return at < device->bytes ? TH_OK : TH_ERR_TOO_LARGE;
}

/* The range and the offset are aligned: so is each register. */
#define REGISTER(type, device, at) (*(volatile type *)(volatile void *)((device)->start + (at)))

th_status th_device_read(const th_device *device, size_t at, size_t width, uint64_t *value) {
    th_status status = value != NULL ? check_access(device, at, width) : TH_ERR_NULL;
    if (status != TH_OK) {
        return status;
    }
    switch (width) {
    case sizeof(uint8_t):
        *value = REGISTER(uint8_t, device, at);
        break;
    case sizeof(uint16_t):
        *value = REGISTER(uint16_t, device, at);
        break;
    case sizeof(uint32_t):
        *value = REGISTER(uint32_t, device, at);
        break;
    default: /* only where one access does it */
        *value = REGISTER(uint64_t, device, at);
        break;
    }
    return TH_OK;
}

th_status th_device_write(const th_device *device, size_t at, size_t width, uint64_t value) {
    th_status status = check_access(device, at, width);
    if (status != TH_OK) {
        return status;
    }
    if (device->access != TH_DEVICE_READ_WRITE) {
        return TH_ERR_UNSUPPORTED;
    }
    if (width < sizeof value && value >> (width * CHAR_BIT) != 0) {
        return TH_ERR_TOO_LARGE;
    }
    switch (width) {
    case sizeof(uint8_t):
        REGISTER(uint8_t, device, at) = (uint8_t)value;
        break;
    case sizeof(uint16_t):
        REGISTER(uint16_t, device, at) = (uint16_t)value;
        break;
    case sizeof(uint32_t):
        REGISTER(uint32_t, device, at) = (uint32_t)value;
        break;
    default:
        REGISTER(uint64_t, device, at) = value;
        break;
    }
    return TH_OK;
}

void th_device_close(th_device *device) {
    if (device != NULL) {
        if (device->start != NULL) {
            void *pages = (void *)(uintptr_t)(device->start - device->before);
            (void)munmap(pages, device->before + device->bytes);
        }
        *device = (th_device){0};
    }
}
