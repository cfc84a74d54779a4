/* SPDX-License-Identifier: MIT */
/* An allocator of size classes over malloc is forgotten, and all its blocks with it.
 *
 * guards:   nothing
 * level 2:  nothing
 * level 1:  nothing
 * asan:     detected memory leaks
 * memcheck: 1,024 bytes in 1 blocks are definitely lost in loss record 1 of 1
 * msan:     nothing
 * lsan:     detected memory leaks
 */
#include "companions.h"

__attribute__((noinline)) static void work(int level) {
    th_classes forgotten;
    const th_classes_config config = {
        .backing = th_system_allocator(), .slab_bytes = 1024, .guarding = {.level = level}};
    if (th_classes_init(&forgotten, &config) != TH_OK) {
        exit(2);
    }
    unsigned char *block = th_classes_alloc(&forgotten, 100); /* guilty */
    block[8] = 'A';
}

int main(int argc, char **argv) {
    work(misuse_level(argc, argv));
    return 0;
}
