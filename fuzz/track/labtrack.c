/* SPDX-License-Identifier: MIT */
/* labtrack: makes the image that a program is tracked in, and says what stands in it afterwards.
 * scripts/track calls it. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tagheap/tracker_write.h"
#include "track/image.h"

enum { BAD_INPUT = 2 };

static const char usage[] =
    "usage: labtrack --create FRAMES SAMPLE LEAKS IMAGE   make an image; LEAKS: 0 or 1\n"
    "       labtrack --status IMAGE     how it ended, and what was tracked\n"
    "       labtrack --modules IMAGE    the files that were loaded\n"
    "       labtrack --leaks IMAGE      what is lost, by site\n"
    "       labtrack --write FORMAT IMAGE   FORMAT: live, folded, folded-all, heap_v2, jemalloc,\n"
    "                                       heaptrack\n";

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("labtrack: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(BAD_INPUT);
}

static uint32_t number_of(const char *what, const char *text, uint32_t most) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > most) {
        fail("%s '%s': give a number from 0 to %" PRIu32, what, text, most);
    }
    return (uint32_t)value;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* As long as it may be: the rest is a hole. */
static void create(char **arguments) {
    static lab_track_header fresh;
    const char *path = arguments[3];
    struct rlimit limit;
    off_t bytes = (off_t)LAB_TRACK_IMAGE_BYTES;
    memcpy(fresh.magic, LAB_TRACK_MAGIC, sizeof fresh.magic);
    fresh.version = LAB_TRACK_VERSION;
    fresh.header_bytes = sizeof fresh;
    fresh.frames_max = number_of("--depth", arguments[0], TH_TRACKER_FRAMES_MAX);
    fresh.sample_bytes = number_of("--sample", arguments[1], UINT32_MAX);
    fresh.look_for_leaks = number_of("--leaks", arguments[2], 1);
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < (rlim_t)bytes) {
        bytes = (off_t)limit.rlim_cur;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, bytes) != 0 ||
        pwrite(fd, &fresh, sizeof fresh, 0) != (ssize_t)sizeof fresh || close(fd) != 0) {
        fail("%s: %s", path, strerror(errno));
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A copy that may be written to, at the address at which it was made. */
static lab_track_header *open_image(const char *path) {
    lab_track_header start;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail("%s: %s", path, strerror(errno));
    }
    if (pread(fd, &start, sizeof start, 0) != (ssize_t)sizeof start ||
        memcmp(start.magic, LAB_TRACK_MAGIC, sizeof start.magic) != 0 ||
        start.version != LAB_TRACK_VERSION || start.header_bytes != sizeof start) {
        fail("%s: is no image of this labtrack", path);
    }
    off_t length = lseek(fd, 0, SEEK_END);
    if (start.used_bytes > (uint64_t)length || start.module_count > LAB_TRACK_MODULES_MAX) {
        fail("%s: is damaged, or cut off", path);
    }
    void *at = mmap((void *)LAB_TRACK_ADDRESS, LAB_TRACK_IMAGE_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);
    if (at != (void *)LAB_TRACK_ADDRESS) {
        fail("%s: cannot be mapped at its address: %s", path, strerror(errno));
    }
    lab_track_header *image = at;
    if (image->state == LAB_TRACK_NONE) {
        return image;
    }
    /* The functions were the other program's. */
    image->tracker.config.backing = th_system_allocator();
    image->tracker.config.unwind = NULL;
    image->tracker.view.tracker = &image->tracker;
    return image;
}

/* Killed in the middle of a change: what does not fit is repaired as far as counters go. */
static bool is_whole(const lab_track_header *image) {
    return th_tracker_check(&image->tracker, NULL) == TH_OK;
}

static void print_status(const lab_track_header *image) {
    static const char *const states[] = {"nothing", "cut-off", "ended"};
    if (image->state == LAB_TRACK_NONE) {
        puts("nothing");
        return;
    }
    th_tracker_stats stats = th_tracker_get_stats(&image->tracker);
    printf("%s %s %s\n", states[image->state <= LAB_TRACK_ENDED ? image->state : 0],
           is_whole(image) ? "whole" : "torn", image->leaks != NULL ? "leaks" : "no-leaks");
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
           stats.live, stats.requested_bytes, stats.requested_bytes_max, stats.allocs, stats.sites,
           image->lost, image->used_bytes);
}

/* With newlines as /proc/self/maps writes them. */
static void print_path(const char *path, size_t bytes_max) {
    for (size_t i = 0; i < bytes_max && path[i] != '\0'; i++) {
        if (path[i] == '\n') {
            fputs("\\012", stdout);
        } else {
            putchar(path[i]);
        }
    }
    putchar('\n');
}

static void print_modules(const lab_track_header *image) {
    for (uint32_t i = 0; i < image->module_count; i++) {
        const lab_track_module *module = &image->modules[i];
        printf("%" PRIxPTR " %" PRIxPTR " %" PRIxPTR " %" PRIx64 " ", module->start, module->end,
               module->bias, module->offset);
        print_path(module->path, sizeof module->path);
    }
}

static void print_leaks(const lab_track_header *image) {
    static const char *const kinds[] = {"reachable", "possible", "indirect", "definite"};
    if (image->leaks == NULL) {
        fail("leaks were not looked for");
    }
    for (size_t i = 0; i < image->tracker.site_count; i++) {
        const th_tracker_site *site = image->tracker.sites[i];
        const lab_track_leak *leak = &image->leaks[i];
        for (int kind = 0; kind < LAB_TRACK_LEAK_KINDS; kind++) {
            if (leak->counts[kind].blocks == 0) {
                continue;
            }
            printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64, kinds[kind], leak->counts[kind].blocks,
                   leak->counts[kind].bytes,
                   kind == LAB_TRACK_DEFINITE ? leak->indirect_bytes : (uint64_t)0);
            for (uint32_t frame = 0; frame < site->depth; frame++) {
                printf(" 0x%" PRIxPTR, site->frames[frame]);
            }
            putchar('\n');
        }
    }
}

static bool write_text(void *context, const char *text, size_t bytes) {
    (void)context;
    return fwrite(text, 1, bytes, stdout) == bytes;
}

static void write_format(const lab_track_header *image, const char *name) {
    static const char *const names[] = {[TH_TRACKER_LEAKS] = "live",
                                        [TH_TRACKER_FOLDED] = "folded",
                                        [TH_TRACKER_FOLDED_ALL] = "folded-all",
                                        [TH_TRACKER_HEAP_V2] = "heap_v2",
                                        [TH_TRACKER_JEMALLOC] = "jemalloc",
                                        [TH_TRACKER_HEAPTRACK] = "heaptrack"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            if (th_tracker_write(&image->tracker, (th_tracker_format)i, write_text, NULL) !=
                TH_OK) {
                fail("cannot write it: no memory, or nobody reads it");
            }
            return;
        }
    }
    fail("no format '%s'", name);
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "--create") == 0 && count == 6) {
        create(arguments + 2);
    } else if (strcmp(what, "--status") == 0 && count == 3) {
        print_status(open_image(arguments[2]));
    } else if (strcmp(what, "--modules") == 0 && count == 3) {
        print_modules(open_image(arguments[2]));
    } else if (strcmp(what, "--leaks") == 0 && count == 3) {
        print_leaks(open_image(arguments[2]));
    } else if (strcmp(what, "--write") == 0 && count == 4) {
        write_format(open_image(arguments[3]), arguments[2]);
    } else {
        fputs(usage, stderr);
        return BAD_INPUT;
    }
    if (fflush(stdout) != 0) {
        fail("cannot write it: %s", strerror(errno));
    }
    return 0;
}
