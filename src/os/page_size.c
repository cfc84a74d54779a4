/* SPDX-License-Identifier: MIT */
/* How large pages are. */
#define _DEFAULT_SOURCE

#include <stdint.h>
#include <unistd.h>

#include "base/align.h"
#include "base/compiler.h"
#include "tagheap/pages.h"

size_t th_pages_size(void) {
    static size_t known;
    size_t size = th_load_shared(&known);
    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        th_store_shared(&known, size);
    }
    return size;
}

size_t th_pages_round(size_t bytes) {
    size_t page = th_pages_size();
    return bytes <= (size_t)PTRDIFF_MAX - (page - 1) ? th_size_round_up(bytes, page) : 0;
}
