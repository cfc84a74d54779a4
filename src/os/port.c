/* SPDX-License-Identifier: MIT */
/* The platform port of hosted builds (tagheap/port.h). */
#define _POSIX_C_SOURCE 200809L

#include "tagheap/port.h"

#include <stdlib.h>
#include <unistd.h>

void th_port_panic(const char *line, size_t length) {
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);
        if (written <= 0) {
            break;
        }
        line += written;
        length -= (size_t)written;
    }
    (void)!write(STDERR_FILENO, "\n", 1);
    abort();
}
