/* SPDX-License-Identifier: MIT */
/* An object of a slab is freed twice.
 *
 * guards:   tagheap: double free: block 0 tag 0x0000 byte 0 expected 0x00000000 found 0x00000000
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "companions.h"

int main(int argc, char **argv) {
    misuse_start_slab(argc, argv, 40);
    void *object = th_slab_alloc(&slab);
    (void)th_slab_alloc(&slab);
    th_slab_free(&slab, object);
    th_slab_free(&slab, object); /* guilty */
    return 0;
}
