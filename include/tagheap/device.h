/* SPDX-License-Identifier: MIT */
/* Device ranges: registers of a device that lie in memory, as a file like /dev/mem or
 * /sys/bus/pci/devices/.../resource0 shows them. Such memory is no memory: to read a register may
 * change it, to write it twice is another thing than once, and the width of the access counts. So
 *
 *   nothing here reads or writes it of its own: not to open, not to close, not to check
 *   each call that reads or writes is one access of the width asked for, by one instruction, and
 *   calls are made in the order in which the program makes them; none is left out or joined
 *   no guard, poison or sanitizer mark is ever put into it
 *
 * For pieces of a range that are handed out, th_offsets (tagheap/offsets.h) keeps its books
 * outside. Accesses are volatile, which orders them among themselves in this thread; a device that
 * needs a barrier between registers and ordinary memory needs that of the machine as well. Hosted
 * builds on POSIX systems only.
 *
 * Ownership: the range is the caller's from open to close; the file is not held open.
 * Thread rule: any threads; two that write one register race in the device.
 * Complexity: one access. */
#ifndef TAGHEAP_DEVICE_H
#define TAGHEAP_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "tagheap/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum th_device_access {
    TH_DEVICE_READ,
    TH_DEVICE_READ_WRITE,
    TH_DEVICE_ACCESSES
} th_device_access;

/* Zeroed: nothing is mapped. */
typedef struct th_device {
    volatile unsigned char *start; /* the first register; for callers that access it themselves */
    size_t bytes;
    size_t before; /* the library's own: of the first page, before `start` */
    th_device_access access;
} th_device;

/* Every offset, absolute or in a range, is a multiple of the width of the access, and the widest
 * are 8 bytes. */
#define TH_DEVICE_ALIGNMENT 8u

/* Maps `bytes` bytes of a file from byte `offset` on, both multiples of TH_DEVICE_ALIGNMENT,
 * without touching them. Fails, leaving *device untouched, iff a pointer is NULL (TH_ERR_NULL); the
 * access is none of the two (TH_ERR_CONFIG); bytes is 0 (TH_ERR_TOO_SMALL); one of the two is no
 * such multiple (TH_ERR_MISALIGNED); the range goes beyond PTRDIFF_MAX, or beyond the end of a
 * regular file (TH_ERR_TOO_LARGE); or the system refuses (TH_ERR_EXHAUSTED, and errno says why). */
th_status th_device_open(th_device *device, const char *path, uint64_t offset, size_t bytes,
                         th_device_access access);

/* Reads the `width` bytes (1, 2, 4; 8 with 64-bit addresses) at byte `at` of the range, once, to
 * *value. Fails, touching nothing, iff a pointer is NULL or the device is zeroed (TH_ERR_NULL); the
 * width is none of these (TH_ERR_CONFIG); `at` is no multiple of it (TH_ERR_MISALIGNED); or it
 * reaches beyond the range (TH_ERR_TOO_LARGE). */
th_status th_device_read(const th_device *device, size_t at, size_t width, uint64_t *value);

/* Writes, once, as th_device_read reads. Fails as that does, and iff the value has more than
 * `width` bytes (TH_ERR_TOO_LARGE), or the range is for reading only (TH_ERR_UNSUPPORTED). */
th_status th_device_write(const th_device *device, size_t at, size_t width, uint64_t value);

/* Ends the map and zeroes *device. NULL is allowed. */
void th_device_close(th_device *device);

#ifdef __cplusplus
}
#endif
#endif
