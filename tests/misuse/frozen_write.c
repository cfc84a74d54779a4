/* SPDX-License-Identifier: MIT */
/* A block of a heap that is frozen is written to, through a pointer of the phase before.
 *
 * guards:   SIGSEGV
 * level 2:  same
 * level 1:  same
 * asan:     SEGV on unknown address
 * memcheck: Process terminating with default action of signal 11 (SIGSEGV)
 * msan:     SEGV on unknown address
 */
#include "misuse.h"
#include "tagheap/page_heap.h"

int main(int argc, char **argv) {
    const th_heap_config config = {.guarding.level = misuse_level(argc, argv)};
    th_page_heap *pages = th_page_heap_create(4096, &config);
    unsigned char *settings = pages != NULL ? th_heap_alloc(&pages->heap, 40, 0x1001) : NULL;
    if (settings == NULL || th_page_heap_freeze(pages) != TH_OK) {
        return 2;
    }
    settings[0] = 1; /* guilty */
    th_page_heap_destroy(pages);
    return 0;
}
