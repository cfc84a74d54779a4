/* SPDX-License-Identifier: MIT */
/* The runner at the limits of what is promised: right allocators are not accused there, and wrong
 * ones are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contract/play.h"
#include "suite.h"

enum { DWORDS = 1000, BUDGET = 4 * DWORDS };

static bool play(const lab_subject *subject, lab_op *ops, size_t count, lab_failure *failure) {
    const lab_script script = {
        .config = {DWORDS, 4, 0, 0, 0, 8, LAB_SUBJECT_PLUGIN, LAB_LAYOUT_CLASSIC, 0},
        .ops = ops,
        .count = count,
        .capacity = count};
    lab_contract_runner *runner = lab_contract_runner_new();
    CHECK(runner != NULL);
    bool passed = lab_contract_runner_play(runner, subject, &script, NULL, failure, NULL);
    lab_contract_runner_destroy(runner);
    return passed;
}

/* ---- malloc, with arrays of its own ------------------------------------------------------- */

static size_t dirty; /* the byte of each array that is not zeroed; SIZE_MAX: none */
static void *given;  /* the array that is live: a failure leaves it so */

static void *counted_alloc(void *self, size_t bytes, size_t alignment) {
    (void)self;
    return alignment <= TH_ALLOCATOR_ALIGNMENT ? malloc(bytes) : NULL;
}

static void counted_free(void *self, void *pointer) {
    (void)self;
    given = pointer == given ? NULL : given;
    free(pointer);
}

static size_t bytes_max; /* what the instance says */
static bool asked_beyond;

static void *counted_array(void *state, size_t count, size_t size) {
    (void)state;
    if (bytes_max != 0 && size != 0 && count > bytes_max / size) {
        asked_beyond = true; /* a tool would end the program */
        return NULL;
    }
    unsigned char *block = count != 0 && size != 0 ? calloc(count, size) : NULL;
    if (block != NULL && dirty < count * size) {
        block[dirty] = 1;
    }
    given = block;
    return block;
}

static bool counted_create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = counted_alloc, .free = counted_free};
    (void)setup;
    instance->allocator = (th_allocator){.table = &table};
    instance->bytes_max = bytes_max;
    return true;
}

static void counted_destroy(void *state) {
    (void)state;
    counted_free(NULL, given);
}

/* The operation that asks for an array. */
static lab_op array_of(uint32_t bytes) {
    enum { COUNTED = 2 };
    return (lab_op){.kind = LAB_OP_ALLOC, .tag = COUNTED, .size = {.value = bytes}};
}

static const lab_subject counted = {.version = LAB_SUBJECT_VERSION,
                                    .name = "counted",
                                    .purpose = "for tests",
                                    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_OWN_MEMORY,
                                    .create = counted_create,
                                    .destroy = counted_destroy,
                                    .alloc_array = counted_array};

static void arrays_beyond_the_most_are_not_asked_for(void) {
    lab_subject refuses = counted;
    lab_op op = {.kind = LAB_OP_NULL, .size = {.value = 100}};
    lab_failure failure;
    bytes_max = 64;
    asked_beyond = false;
    CHECK(play(&counted, &op, 1, &failure));
    CHECK(!asked_beyond);
    refuses.flags |= LAB_SUBJECT_REFUSES;
    CHECK(play(&refuses, &op, 1, &failure));
    CHECK(asked_beyond);
    bytes_max = 0;
}

static void large_arrays_are_zeroed_at_both_ends(void) {
    static const uint32_t whole = LAB_CONTENTS_WHOLE_MAX, ends = LAB_CONTENTS_END_BYTES;
    const uint32_t sizes[] = {8, whole, whole + 8, whole + ends, 5 * whole, LAB_SIZE_VALUE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const uint32_t bytes = sizes[i];
        const size_t seen[] = {0, bytes - 1, bytes < ends ? 1 : bytes - ends,
                               (bytes < whole ? bytes : whole) - 1};
        lab_op op = array_of(bytes);
        lab_failure failure;
        dirty = SIZE_MAX;
        CHECK(play(&counted, &op, 1, &failure));
        for (size_t j = 0; j < sizeof seen / sizeof seen[0]; j++) {
            char said[64];
            dirty = seen[j];
            CHECK(!play(&counted, &op, 1, &failure));
            CHECK(strcmp(failure.detail, "zeroed") == 0);
            (void)snprintf(said, sizeof said, "byte %zu of %u is 0x01", dirty, (unsigned)bytes);
            CHECK(strcmp(failure.message, said) == 0);
        }
    }
}

/* ---- each block with a header of its own, over the backing -------------------------------- */

enum { HEADER_BYTES = 32 };

static size_t refused_from; /* of bytes asked for: those are refused unasked; 0: none are */

static void *headed_alloc(void *self, size_t bytes, size_t alignment) {
    th_allocator *backing = self;
    alignment = alignment < HEADER_BYTES ? HEADER_BYTES : alignment;
    if (refused_from != 0 && bytes >= refused_from) {
        return NULL;
    }
    unsigned char *whole = th_allocator_alloc(*backing, bytes + alignment + HEADER_BYTES);
    if (whole == NULL) {
        return NULL;
    }
    size_t above = (uintptr_t)(whole + HEADER_BYTES) & (alignment - 1);
    unsigned char *at = whole + HEADER_BYTES + (above != 0 ? alignment - above : 0);
    memcpy(at - sizeof whole, &whole, sizeof whole);
    return at;
}

static void headed_free(void *self, void *pointer) {
    unsigned char *whole;
    memcpy(&whole, (unsigned char *)pointer - sizeof whole, sizeof whole);
    th_allocator_free(*(th_allocator *)self, whole);
}

static bool headed_create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = headed_alloc, .free = headed_free};
    static th_allocator backing;
    backing = setup->backing;
    instance->allocator = (th_allocator){.table = &table, .self = &backing};
    return true;
}

static const lab_subject headed = {.version = LAB_SUBJECT_VERSION,
                                   .name = "headed",
                                   .purpose = "for tests",
                                   .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS,
                                   .create = headed_create,
                                   .destroy = counted_destroy};

/* Bytes, alignment and header come to more than anything can have: it is not asked for. */
static void what_never_reaches_the_backing_is_no_refusal(void) {
    const uint32_t sizes[] = {1, BUDGET - HEADER_BYTES, BUDGET, BUDGET + 1};
    lab_failure failure;
    refused_from = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint8_t align = 0; align <= LAB_ALIGN_MAX; align++) {
            lab_op op = {.kind = LAB_OP_ALIGNED, .size = {.value = sizes[i]}, .align = align};
            CHECK(play(&headed, &op, 1, &failure));
        }
    }
}

/* What the backing could have given is. */
static void what_would_fit_alone_is_asked_for(void) {
    enum { POWER = 6, ALIGNMENT = 1 << POWER };
    lab_failure failure;
    refused_from = 1;
    lab_op op = {.kind = LAB_OP_ALIGNED, .size = {.value = BUDGET - ALIGNMENT}, .align = POWER};
    CHECK(!play(&headed, &op, 1, &failure));
    CHECK(strcmp(failure.detail, "refused") == 0);
    op.size.value++;
    CHECK(play(&headed, &op, 1, &failure));
}

TH_SUITE("contract_limits", TEST(arrays_beyond_the_most_are_not_asked_for),
         TEST(large_arrays_are_zeroed_at_both_ends),
         TEST(what_never_reaches_the_backing_is_no_refusal),
         TEST(what_would_fit_alone_is_asked_for))
