/* SPDX-License-Identifier: MIT */
/* The contract model by itself: what overlaps, and the contents of blocks so large that only their
 * ends have any. */
#include <stdlib.h>
#include <string.h>

#include "model/contract.h"
#include "suite.h"

enum { SLOTS = 4 };

static const size_t huge = 3 * LAB_CONTENTS_WHOLE_MAX + 5;

static lab_given given(unsigned char *at, size_t bytes, size_t extent) {
    return (lab_given){
        .at = at, .bytes = bytes, .written = bytes, .extent = extent, .alignment = 8};
}

static void overlaps_are_seen_to_the_byte(void) {
    static unsigned char memory[256];
    lab_contract model;
    CHECK(lab_contract_init(&model, SLOTS));
    lab_contract_start(&model);
    lab_given block = given(memory + 64, 32, 40);
    lab_contract_put(&model, 1, &block);
    CHECK_EQ(lab_contract_overlap(&model, memory + 63, 1, 0, LAB_NO_SLOT), LAB_NO_SLOT);
    CHECK_EQ(lab_contract_overlap(&model, memory + 63, 2, 0, LAB_NO_SLOT), 1);
    CHECK_EQ(lab_contract_overlap(&model, memory + 103, 1, 0, LAB_NO_SLOT), 1);
    CHECK_EQ(lab_contract_overlap(&model, memory + 104, 1, 0, LAB_NO_SLOT), LAB_NO_SLOT);
    CHECK_EQ(lab_contract_overlap(&model, memory + 80, 1, 0, 1), LAB_NO_SLOT);
    CHECK_EQ(lab_contract_overlap(&model, memory + 80, 1, 2, LAB_NO_SLOT), LAB_NO_SLOT);
    /* One that goes round the address space is above it, and has it inside from below. */
    CHECK_EQ(lab_contract_overlap(&model, memory + 104, SIZE_MAX, 0, LAB_NO_SLOT), LAB_NO_SLOT);
    CHECK_EQ(lab_contract_overlap(&model, memory, SIZE_MAX, 0, LAB_NO_SLOT), 1);
    lab_contract_clean_up(&model);
}

/* The first wrong byte after `at` bytes were changed there, which is undone. */
static size_t wrong_after(lab_contract *model, uint32_t slot, size_t at) {
    model->slots[slot].at[at] ^= 1;
    size_t wrong = lab_contract_wrong_byte(model, slot);
    model->slots[slot].at[at] ^= 1;
    return wrong;
}

static void both_ends_of_huge_blocks_have_contents(void) {
    unsigned char *memory = calloc(1, huge);
    lab_contract model;
    CHECK(memory != NULL && lab_contract_init(&model, SLOTS));
    lab_contract_start(&model);
    lab_given block = given(memory, huge, huge);
    lab_contract_put(&model, 0, &block);
    CHECK_EQ(lab_contract_wrong_byte(&model, 0), huge);
    CHECK_EQ(wrong_after(&model, 0, 0), 0);
    CHECK_EQ(wrong_after(&model, 0, LAB_CONTENTS_END_BYTES - 1), LAB_CONTENTS_END_BYTES - 1);
    CHECK_EQ(wrong_after(&model, 0, huge - 1), huge - 1);
    CHECK_EQ(wrong_after(&model, 0, huge - LAB_CONTENTS_END_BYTES + 8),
             huge - LAB_CONTENTS_END_BYTES + 8);
    for (size_t i = LAB_CONTENTS_END_BYTES; i < huge - LAB_CONTENTS_END_BYTES; i++) {
        CHECK(memory[i] == 0); /* never written */
    }
    lab_contract_clean_up(&model);
    free(memory);
}

static void contents_outlive_becoming_huge_and_small(void) {
    const size_t sizes[] = {100, huge, huge - 4000, LAB_CONTENTS_WHOLE_MAX, huge, 5000, 64};
    unsigned char *memory = calloc(1, huge);
    lab_contract model;
    CHECK(memory != NULL && lab_contract_init(&model, SLOTS));
    lab_contract_start(&model);
    lab_given block = given(memory, sizes[0], sizes[0]);
    lab_contract_put(&model, 0, &block);
    for (size_t i = 1; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t kept = sizes[i] < sizes[i - 1] ? sizes[i] : sizes[i - 1];
        block = given(memory, sizes[i], sizes[i]);
        CHECK_EQ(lab_contract_move(&model, 0, &block), kept);
        CHECK_EQ(lab_contract_wrong_byte(&model, 0), sizes[i]);
    }
    memory[63] ^= 1;
    block = given(memory, 200, 200);
    CHECK_EQ(lab_contract_move(&model, 0, &block), 63);
    lab_contract_clean_up(&model);
    free(memory);
}

/* What a block shrank from counts until it moves. */
static void the_most_bytes_at_an_address_are_kept(void) {
    static unsigned char memory[256];
    lab_contract model;
    CHECK(lab_contract_init(&model, SLOTS));
    lab_contract_start(&model);
    lab_given block = given(memory, 80, 80);
    lab_contract_put(&model, 0, &block);
    block = given(memory, 16, 16);
    CHECK_EQ(lab_contract_move(&model, 0, &block), 16);
    CHECK_EQ(model.live_most, 80);
    block = given(memory, 96, 96);
    CHECK_EQ(lab_contract_move(&model, 0, &block), 16);
    CHECK_EQ(model.live_most, 96);
    memcpy(memory + 128, memory, 96);
    block = given(memory + 128, 24, 24);
    CHECK_EQ(lab_contract_move(&model, 0, &block), 24);
    CHECK_EQ(model.live_most, 24);
    CHECK(model.mixed);
    CHECK_EQ(model.alignments, 8);
    lab_contract_drop(&model, 0);
    CHECK(model.live_most == 0 && model.alignments == 0 && model.live == 0);
    lab_contract_clean_up(&model);
}

TH_SUITE("contract_model", TEST(overlaps_are_seen_to_the_byte),
         TEST(both_ends_of_huge_blocks_have_contents),
         TEST(contents_outlive_becoming_huge_and_small),
         TEST(the_most_bytes_at_an_address_are_kept))
