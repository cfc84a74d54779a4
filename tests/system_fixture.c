/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include "system_fixture.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "suite.h"
#include "tagheap/pages.h"

void *system_mmap(void *pages, size_t bytes, int protection, int flags, int file, int64_t offset) {
#ifdef __s390x__ /* where a call of the system has five arguments at most */
    unsigned long arguments[] = {(unsigned long)pages,      bytes,
                                 (unsigned long)protection, (unsigned long)flags,
                                 (unsigned long)file,       (unsigned long)offset};
    long at = syscall(SYS_mmap, arguments);
#elif defined SYS_mmap2 /* which counts in pages of 4096 bytes, whatever pages are */
    long at = syscall(SYS_mmap2, pages, bytes, protection, flags, file, (long)(offset / 4096));
#else
    long at = syscall(SYS_mmap, pages, bytes, protection, flags, file, offset);
#endif
    return (void *)at; /* -1: MAP_FAILED */
}

/* The lines of maps say "first-end rights ..." in hexadecimal digits. (The numbers of statm would
 * be those of the emulator, where there is one.) */
long pages_in_use(void) {
    static char text[4096];
    unsigned long address = 0, first = 0, bytes = 0;
    bool counts = true; /* in the part of a line where the addresses are */
    int file = open("/proc/self/maps", O_RDONLY);
    ssize_t length = -1;
    while (file >= 0 && (length = read(file, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            char c = text[i];
            if (c == '\n') {
                counts = true;
                address = 0;
            } else if (counts && c == '-') {
                first = address;
                address = 0;
            } else if (counts && c == ' ') {
                counts = false;
                bytes += address - first;
            } else if (counts) {
                address = address * 16 + (unsigned long)(c <= '9' ? c - '0' : c - 'a' + 10);
            }
        }
    }
    CHECK(length == 0 && close(file) == 0 && bytes > 0);
    return (long)(bytes / th_pages_size());
}
