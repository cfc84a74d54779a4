/* SPDX-License-Identifier: MIT */
/* A freed object of a slab is written.
 *
 * guards:   tagheap: write after free: block 0 tag 0x0000 byte 20 expected 0x000000fd found
 *           0x00000041
 * level 2:  same
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_slab(argc, argv, 40);
    unsigned char *object = th_slab_alloc(&slab);
    (void)th_slab_alloc(&slab);
    th_slab_free(&slab, object);
    object[20] = 'A'; /* guilty */
    (void)th_slab_alloc(&slab);
    return 0;
}
