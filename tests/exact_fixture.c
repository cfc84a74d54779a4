/* SPDX-License-Identifier: MIT */
#include "exact_fixture.h"

#include <string.h>

#include <stdio.h>

lab_exact model;

void start(uint32_t dwords, uint32_t alignment, uint64_t base) {
    CHECK(lab_exact_start(&model, base, (size_t)dwords * 4, alignment, LAB_EXACT_CLASSIC));
}

void start_with_four(void) {
    start(200, 4, BASE);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQ(tagged(40, 1 + i), 16 * i);
    }
}

uint32_t head(size_t bytes) {
    return tagged(bytes, H);
}

uint32_t tail(size_t bytes) {
    return tagged(bytes, T);
}

uint32_t tagged(size_t bytes, uint32_t tag) {
    return aligned(4, bytes, tag);
}

uint32_t aligned(size_t alignment, size_t bytes, uint32_t tag) {
    return lab_exact_alloc(&model, alignment, bytes, tag, 0);
}

uint32_t resize(uint32_t block, size_t bytes) {
    return lab_exact_resize(&model, block, bytes);
}

size_t trim(uint32_t block) {
    return lab_exact_trim(&model, block);
}

size_t release(uint32_t block) {
    return lab_exact_free(&model, block);
}

lab_exact_stats stats(void) {
    lab_exact_stats s, recalled;
    memset(&s, 0, sizeof s); /* padding, too */
    memset(&recalled, 0, sizeof recalled);
    lab_exact_get_stats(&model, &s);
    lab_exact_recall_stats(&model, &recalled);
    CHECK(memcmp(&s, &recalled, sizeof s) == 0);
    return s;
}

void check_blocks(const char *file, int line, const shape *expected, uint32_t count) {
    static char text[160];
    shape last = {model.dwords - model.header, 0, F};
    for (uint32_t i = 0; i <= count && i < model.count; i++) {
        const shape *e = i < count ? &expected[i] : &last;
        const lab_extent *x = &model.extents[i];
        if (x->offset != e->offset || x->size != e->size || x->tag != e->tag) {
            snprintf(text, sizeof text, "block %u: expected {%u, %u, %#x}, found {%u, %u, %#x}",
                     (unsigned)i, (unsigned)e->offset, (unsigned)e->size, (unsigned)e->tag,
                     (unsigned)x->offset, (unsigned)x->size, (unsigned)x->tag);
            th_check_failed(file, line, text);
        }
    }
    if (model.count != count + 1) {
        th_check_failed_values(file, line, "number of blocks, LAST included", model.count,
                               (long long)count + 1);
    }
}
