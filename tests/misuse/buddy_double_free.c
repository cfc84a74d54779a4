/* SPDX-License-Identifier: MIT */
/* A block of a buddy system is freed twice.
 *
 * guards:   tagheap: double free: block 0 tag 0x0000 byte 0 expected 0x00000000 found
 *           0x00000000
 * level 2:  same
 * level 1:  same
 * asan:     guards
 * memcheck: guards
 * msan:     guards
 */
#include "misuse.h"

#include "tagheap/buddy.h"

static th_buddy buddy;

int main(int argc, char **argv) {
    static alignas(1024) unsigned char region[1024];
    static uint32_t bookkeeping[256];
    const th_buddy_config config = {.guarding = {.level = misuse_level(argc, argv)}};
    if (th_buddy_init(&buddy, region, sizeof region, bookkeeping, sizeof bookkeeping, &config) !=
        TH_OK) {
        exit(2);
    }
    void *payload = th_buddy_alloc(&buddy, 100);
    (void)th_buddy_alloc(&buddy, 100);
    th_buddy_free(&buddy, payload);
    th_buddy_free(&buddy, payload); /* guilty */
    return 0;
}
