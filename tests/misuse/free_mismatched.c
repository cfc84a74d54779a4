/* SPDX-License-Identifier: MIT */
/* A block of a bump heap is given to the C library's free.
 *
 * guards:   free(): invalid pointer
 * level 2:  same
 * level 1:  same
 * asan:     attempting free on address which was not malloc()-ed
 * memcheck: Invalid free() / delete / delete[] / realloc()
 * msan:     CHECK failed: sanitizer_allocator_secondary.h
 * lsan:     CHECK failed: sanitizer_allocator_secondary.h
 */
#include "misuse.h"

#include <string.h>

#include "tagheap/bump.h"

static th_bump bump;

int main(int argc, char **argv) {
    const th_bump_config config = {.guarding = {.level = misuse_level(argc, argv)}};
    if (th_bump_init(&bump, memory.region, sizeof memory.region, &config) != TH_OK) {
        exit(2);
    }
    unsigned char *before = th_bump_alloc(&bump, 16);
    memset(before, 0, 16);
    void *volatile payload = th_bump_alloc(&bump, 40);
    free(payload); /* guilty */
    return 0;
}
