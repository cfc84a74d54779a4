/* SPDX-License-Identifier: MIT */
/* Property: whatever is done with a noun of src/resource or src/os, it agrees with its simple model
 * (fuzz/resources). The input's first byte is the noun's number, the rest what is done. */
#include "mutate/mutate.h"
#include "resources/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_BYTES;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static lab_resource_player *const players[] = {
        lab_play_scope,  lab_play_graph,    lab_play_ref,         lab_play_ring,
        lab_play_buffer, lab_play_gather,   lab_play_buffer_pool, lab_play_resource_pool,
        lab_play_quota,  lab_play_policy,   lab_play_pages,       lab_play_file_map,
        lab_play_device, lab_play_page_heap};
    lab_input input = {bytes, size};
    unsigned number = lab_input_byte(&input) % (sizeof players / sizeof players[0]);
    players[number](&input);
    return 0;
}
