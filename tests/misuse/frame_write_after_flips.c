/* SPDX-License-Identifier: MIT */
/* A block of a frame arena is written two frames later.
 *
 * guards:   tagheap: write after free: block 0 tag 0x0000 byte 8 expected 0x000000fd found
 *           0x00000043
 * level 2:  same
 * level 1:  nothing
 * asan:     use-after-poison WRITE of size 1
 * memcheck: Invalid write of size 1
 * msan:     guards
 */
#include "misuse.h"

#include "tagheap/frame.h"

static th_frame frame;

int main(int argc, char **argv) {
    const th_frame_config config = {.memory = memory.region,
                                    .memory_bytes = sizeof memory.region,
                                    .guarding = {.level = misuse_level(argc, argv)}};
    if (th_frame_init(&frame, &config) != TH_OK) {
        exit(2);
    }
    unsigned char *payload = th_frame_alloc(&frame, 40);
    payload[8] = 'A';
    (void)th_frame_flip(&frame);
    payload[8] = 'B'; /* still good: one frame later */
    (void)th_frame_flip(&frame);
    payload[8] = 'C'; /* guilty */
    (void)th_frame_alloc(&frame, 40);
    return 0;
}
