/* SPDX-License-Identifier: MIT */
/* Device ranges, over files that stand for a device's memory. How often and how wide the memory is
 * accessed is counted where each access is a fault (x86-64). */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include "tagheap/device.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/track.h"
#include "death.h"
#include "suite.h"
#include "system_fixture.h"
#include "tagheap/offsets.h"
#include "tagheap/pages.h"

enum { FILE_PAGES = 4 };

static char name[64];
static int file; /* the device's memory, as the device itself sees it */
static size_t page;

static void start(void) {
    page = th_pages_size();
    file = memfd_create("device", 0);
    CHECK(file >= 0 && ftruncate(file, (off_t)(FILE_PAGES * page)) == 0);
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", file);
}

static void stop(th_device *device) {
    th_device_close(device);
    CHECK(device->start == NULL && device->bytes == 0);
    CHECK_EQ(close(file), 0);
}

static th_device open_range(uint64_t offset, size_t bytes, th_device_access access) {
    th_device device;
    CHECK_EQ(th_device_open(&device, name, offset, bytes, access), TH_OK);
    CHECK_EQ(device.bytes, bytes);
    return device;
}

/* What the device has at a byte of its memory. */
static uint64_t device_has(uint64_t at, size_t width) {
    unsigned char bytes[8] = {0};
    uint64_t value = 0;
    CHECK_EQ(pread(file, bytes, width, (off_t)at), width);
    for (size_t i = 0; i < width; i++) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        value |= (uint64_t)bytes[i] << (8 * i);
#else
        value = value << 8 | bytes[i];
#endif
    }
    return value;
}

/* ---- registers ------------------------------------------------------------------------------ */

static void registers_of_every_width(void) {
    start();
    const uint64_t offset = page + 64;
    th_device device = open_range(offset, 128, TH_DEVICE_READ_WRITE);
    for (size_t width = 1; width <= sizeof(size_t); width *= 2) {
        const uint64_t value = UINT64_C(0xF1E2D3C4B5A69788) >> (64 - 8 * width);
        for (size_t at = 0; at < 128; at += width) {
            uint64_t before = at >= width ? device_has(offset + at - width, width) : 0;
            uint64_t found = 0;
            CHECK_EQ(th_device_write(&device, at, width, value), TH_OK);
            CHECK(device_has(offset + at, width) == value);
            CHECK(at < width || device_has(offset + at - width, width) == before);
            CHECK_EQ(th_device_read(&device, at, width, &found), TH_OK);
            CHECK(found == value);
            CHECK_EQ(th_device_write(&device, at, width, 0), TH_OK);
            CHECK(device_has(offset + at, width) == 0);
            CHECK_EQ(th_device_write(&device, at, width, at + 1), TH_OK);
        }
    }
    CHECK(device_has(offset - 8, 8) == 0 && device_has(offset + 128, 8) == 0);
    CHECK_EQ(device.start[0], device_has(offset, 1)); /* for who accesses it himself */
    stop(&device);
}

static void what_the_device_changes_is_read(void) {
    start();
    th_device device = open_range(0, 8, TH_DEVICE_READ);
    for (unsigned i = 1; i < 200; i++) {
        const unsigned char byte = (unsigned char)i;
        uint64_t value = 0;
        CHECK_EQ(pwrite(file, &byte, 1, 5), 1);
        CHECK_EQ(th_device_read(&device, 5, 1, &value), TH_OK);
        CHECK_EQ(value, i);
    }
    stop(&device);
}

/* A page of a file without contents comes to be when it is first touched. */
static size_t pages_touched(void) {
    struct stat about;
    memset(&about, 0, sizeof about);
    CHECK_EQ(fstat(file, &about), 0);
    return (size_t)about.st_blocks * 512 / page;
}

static void nothing_is_touched_unasked(void) {
    start();
    th_device device = open_range(0, FILE_PAGES * page, TH_DEVICE_READ_WRITE);
    th_offsets offsets; /* whose books are elsewhere */
    const th_offsets_config config = {.guarding.level = th_guard_max()};
    static th_offsets_node nodes[256];
    CHECK_EQ(th_offsets_init(&offsets, device.bytes, nodes, sizeof nodes, &config), TH_OK);
    CHECK_EQ(pages_touched(), 0);
    uint64_t ring = th_offsets_alloc_aligned(&offsets, 100, 64).offset;
    CHECK_EQ(th_offsets_check(&offsets, NULL), TH_OK);
    uint64_t value;
    CHECK_EQ(th_device_read(&device, 3, 4, &value), TH_ERR_MISALIGNED);
    CHECK_EQ(th_device_read(&device, device.bytes, 4, &value), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_device_write(&device, device.bytes, 4, 0), TH_ERR_TOO_LARGE);
    CHECK_EQ(pages_touched(), 0);
    CHECK_EQ(th_device_write(&device, (size_t)ring, 4, 1), TH_OK);
    CHECK_EQ(pages_touched(), 1);
    th_offsets_clean_up(&offsets);
    CHECK_EQ(pages_touched(), 1);
    stop(&device);
}

/* ---- each access ---------------------------------------------------------------------------- */

#if defined(__x86_64__) && defined(__GLIBC__) && !TH_TRACK_ANY

/* The page is inaccessible; each access is a fault, is let through for one instruction, and noted.
 */
static unsigned char *watched;
static size_t reads, writes;
static uintptr_t last_at;

enum { WRITES = 2, STEP = 0x100 }; /* in the error code of the fault; in the processor's flags */

static void let_through(int number, siginfo_t *info, void *machine) {
    ucontext_t *context = machine;
    (void)number;
    last_at = (uintptr_t)info->si_addr;
    if (context->uc_mcontext.gregs[REG_ERR] & WRITES) {
        writes++;
    } else {
        reads++;
    }
    (void)mprotect(watched, page, PROT_READ | PROT_WRITE);
    context->uc_mcontext.gregs[REG_EFL] |= STEP;
}

static void shut_again(int number, siginfo_t *info, void *machine) {
    ucontext_t *context = machine;
    (void)number;
    (void)info;
    (void)mprotect(watched, page, PROT_NONE);
    context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)STEP;
}

static void each_call_is_one_access(void) {
    start();
    th_device device = open_range(page + 8, 64, TH_DEVICE_READ_WRITE);
    struct sigaction on_fault = {.sa_sigaction = let_through, .sa_flags = SA_SIGINFO};
    struct sigaction on_step = {.sa_sigaction = shut_again, .sa_flags = SA_SIGINFO};
    struct sigaction fault_before, step_before;
    unsigned char *first = (unsigned char *)(uintptr_t)device.start;
    watched = first - 8;
    CHECK_EQ(sigaction(SIGSEGV, &on_fault, &fault_before), 0);
    CHECK_EQ(sigaction(SIGTRAP, &on_step, &step_before), 0);
    CHECK_EQ(mprotect(watched, page, PROT_NONE), 0);
    size_t wrong = 0;
    for (size_t width = 1; width <= 8; width *= 2) {
        for (size_t at = 0; at < 64; at += width) {
            uint64_t value = 0;
            reads = writes = 0;
            wrong += th_device_write(&device, at, width, 0x5A) != TH_OK;
            wrong += writes != 1 || reads != 0 || last_at != (uintptr_t)(first + at);
            wrong += th_device_write(&device, at, width, 0x5A) != TH_OK;
            wrong += writes != 2 || reads != 0; /* the same value again is written again */
            wrong += th_device_read(&device, at, width, &value) != TH_OK || value != 0x5A;
            wrong += writes != 2 || reads != 1 || last_at != (uintptr_t)(first + at);
            (void)th_device_read(&device, at, width, &value);
            wrong += writes != 2 || reads != 2;
            wrong += th_device_write(&device, 64, width, 0) != TH_ERR_TOO_LARGE;
            wrong += th_device_read(&device, at, 3, &value) != TH_ERR_CONFIG;
            wrong += writes != 2 || reads != 2;
        }
    }
    CHECK_EQ(mprotect(watched, page, PROT_READ | PROT_WRITE), 0);
    CHECK_EQ(sigaction(SIGSEGV, &fault_before, NULL), 0);
    CHECK_EQ(sigaction(SIGTRAP, &step_before, NULL), 0);
    CHECK_EQ(wrong, 0);
    stop(&device);
}

#else

static void each_call_is_one_access(void) {}

#endif

/* ---- what is refused ------------------------------------------------------------------------ */

static void expect_refused(const char *path, uint64_t offset, size_t bytes, th_device_access access,
                           th_status expected, int reason) {
    unsigned char mark;
    th_device device = {.start = &mark, .bytes = 5};
    errno = 0;
    CHECK_EQ(th_device_open(&device, path, offset, bytes, access), expected);
    CHECK_EQ(errno, reason);
    CHECK(device.start == &mark && device.bytes == 5);
}

static void ranges_that_cannot_be(void) {
    start();
    const th_device_access both = TH_DEVICE_READ_WRITE;
    const size_t whole = FILE_PAGES * page;
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    expect_refused(NULL, 0, 8, both, TH_ERR_NULL, 0);
    CHECK_EQ(th_device_open(NULL, name, 0, 8, both), TH_ERR_NULL);
    expect_refused(name, 0, 8, TH_DEVICE_ACCESSES, TH_ERR_CONFIG, 0);
    expect_refused(name, 0, 8, (th_device_access)-1, TH_ERR_CONFIG, 0);
    expect_refused(name, 0, 0, both, TH_ERR_TOO_SMALL, 0);
    expect_refused(name, 4, 8, both, TH_ERR_MISALIGNED, 0);
    expect_refused(name, 8, 12, both, TH_ERR_MISALIGNED, 0);
    expect_refused(name, 0, whole + 8, both, TH_ERR_TOO_LARGE, 0); /* that file has an end */
    expect_refused(name, whole, 8, both, TH_ERR_TOO_LARGE, 0);
    expect_refused(name, (uint64_t)INT64_MAX - 7, 8, both, TH_ERR_TOO_LARGE, 0);
    expect_refused(name, UINT64_MAX - 7, 8, both, TH_ERR_TOO_LARGE, 0);
    expect_refused(name, 0, (size_t)PTRDIFF_MAX - 7, both, TH_ERR_TOO_LARGE, 0);
    expect_refused("/nowhere", 0, 8, both, TH_ERR_EXHAUSTED, ENOENT);
    expect_refused("/dev/null", 0, 8, both, TH_ERR_EXHAUSTED, ENODEV); /* no memory */
    th_device device = open_range(whole - 8, 8, both);                 /* the last one */
    th_device_close(&device);
    device = open_range(0, whole, both);
    th_device_close(&device);
    th_device_close(&device);
    th_device_close(NULL);
    int again = dup(0);
    CHECK_EQ(again, next); /* no descriptor is held */
    CHECK_EQ(close(again), 0);
    stop(&device);
}

static void accesses_that_cannot_be(void) {
    start();
    uint64_t value = 7;
    th_device none = {0}, device = open_range(8, 16, TH_DEVICE_READ_WRITE);
    CHECK_EQ(th_device_read(NULL, 0, 4, &value), TH_ERR_NULL);
    CHECK_EQ(th_device_read(&none, 0, 4, &value), TH_ERR_NULL);
    CHECK_EQ(th_device_read(&device, 0, 4, NULL), TH_ERR_NULL);
    CHECK_EQ(th_device_write(NULL, 0, 4, 1), TH_ERR_NULL);
    CHECK_EQ(th_device_write(&none, 0, 4, 1), TH_ERR_NULL);
    const size_t widths[] = {0, 3, 5, 6, 7, 9, 16, SIZE_MAX};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        CHECK_EQ(th_device_read(&device, 0, widths[i], &value), TH_ERR_CONFIG);
        CHECK_EQ(th_device_write(&device, 0, widths[i], 1), TH_ERR_CONFIG);
    }
    if (sizeof(size_t) < 8) { /* it would be two accesses */
        CHECK_EQ(th_device_read(&device, 0, 8, &value), TH_ERR_CONFIG);
    }
    CHECK_EQ(th_device_read(&device, 2, 4, &value), TH_ERR_MISALIGNED);
    CHECK_EQ(th_device_write(&device, 1, 2, 1), TH_ERR_MISALIGNED);
    CHECK_EQ(th_device_read(&device, 16, 1, &value), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_device_read(&device, 16, 4, &value), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_device_read(&device, SIZE_MAX - 3, 4, &value), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_device_write(&device, 0, 1, 0x100), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_device_write(&device, 0, 2, 0x10000), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_device_write(&device, 0, 4, UINT64_C(0x100000000)), TH_ERR_TOO_LARGE);
    CHECK_EQ(value, 7);
    CHECK_EQ(pages_touched(), 0);
    th_device_close(&device);
    device = open_range(8, 16, TH_DEVICE_READ);
    CHECK_EQ(th_device_write(&device, 0, 4, 1), TH_ERR_UNSUPPORTED);
    CHECK_EQ(th_device_read(&device, 0, 4, &value), TH_OK);
    CHECK_EQ(value, 0);
    CHECK(!may_access((unsigned char *)(uintptr_t)device.start, true));
    stop(&device);
}

/* Instrumented builds have an fstat of their own. */
#if TH_TRACK_ASAN || TH_TRACK_MSAN

static void a_device_that_tells_nothing_is_refused(void) {}
static void a_close_hides_no_reason(void) {}

#else

static bool refuses_fstat;

int fstat(int number, struct stat *about) {
    if (refuses_fstat) {
        errno = EIO;
        return -1;
    }
    return fstatat(number, "", about, AT_EMPTY_PATH);
}

static void a_device_that_tells_nothing_is_refused(void) {
    start();
    refuses_fstat = true;
    th_device device = {.bytes = 5};
    th_status status = th_device_open(&device, name, 0, 8, TH_DEVICE_READ);
    refuses_fstat = false;
    CHECK_EQ(status, TH_ERR_EXHAUSTED);
    CHECK_EQ(device.bytes, 5);
    stop(&device);
}

static bool spoils_errno;

int close(int number) {
    int result = (int)syscall(SYS_close, number);
    if (spoils_errno) {
        errno = EINTR;
    }
    return result;
}

static void a_close_hides_no_reason(void) {
    start();
    th_device device;
    spoils_errno = true;
    expect_refused("/dev/null", 0, 8, TH_DEVICE_READ_WRITE, TH_ERR_EXHAUSTED, ENODEV);
    errno = 0;
    th_status status = th_device_open(&device, name, 0, 8, TH_DEVICE_READ);
    int reason = errno;
    spoils_errno = false;
    CHECK_EQ(status, TH_OK);
    CHECK_EQ(reason, 0);
    stop(&device);
}

#endif

static bool opens_as_the_first_descriptor(void *context) {
    th_device device;
    (void)context;
    return close(STDIN_FILENO) == 0 && th_device_open(&device, name, 0, 8, TH_DEVICE_READ) == TH_OK;
}

/* A program may have closed its standard input. */
static void the_first_descriptor_is_one(void) {
    start();
    CHECK(holds_in_child(opens_as_the_first_descriptor, NULL));
    CHECK_EQ(close(file), 0);
}

TH_SUITE("device", TEST(registers_of_every_width), TEST(what_the_device_changes_is_read),
         TEST(nothing_is_touched_unasked), TEST(each_call_is_one_access),
         TEST(ranges_that_cannot_be), TEST(accesses_that_cannot_be),
         TEST(a_device_that_tells_nothing_is_refused), TEST(a_close_hides_no_reason),
         TEST(the_first_descriptor_is_one))
