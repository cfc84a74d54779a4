/* SPDX-License-Identifier: MIT */
/* One byte after the bytes that were asked for of a slab's object is written.
 *
 * guards:   tagheap: canary smashed: block 0 tag 0x0000 byte 30 expected 0x000000e6 found
 *           0x00000041
 * level 2:  same
 * level 1:  same
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_slab(argc, argv, 40);
    unsigned char *object = th_slab_alloc_bytes(&slab, 30);
    (void)th_slab_alloc(&slab);
    object[30] = 'A'; /* guilty */
    th_slab_free(&slab, object);
    return 0;
}
