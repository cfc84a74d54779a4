/* SPDX-License-Identifier: MIT */
/* What the library needs of its platform (tagheap/port.h) where there is only the C library. */
#include "tagheap/port.h"

#include <stdio.h>
#include <stdlib.h>

void th_port_panic(const char *line, size_t length) {
    (void)fwrite(line, 1, length, stderr);
    (void)fputc('\n', stderr);
    abort();
}
