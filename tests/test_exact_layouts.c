/* SPDX-License-Identifier: MIT */
/* The exact model in each layout of docs/heap.md: the table's numbers, what the automatic choice
 * is, what is not kept, and sizes that 32 bits do not hold. test_exact.c has the rest, in classic.
 */
#include "exact_fixture.h"

static void check_start(size_t bytes, uint32_t alignment, lab_exact_layout layout, uint32_t header,
                        uint32_t payload) {
    CHECK(lab_exact_start(&model, BASE, bytes, alignment, layout));
    CHECK_EQ(model.header, header);
    CHECK_EQ(model.count, 2);
    CHECK_EQ(model.extents[0].size, payload);
    CHECK_EQ(model.extents[0].tag, model.tag_free);
    CHECK_EQ(model.extents[1].tag, model.tag_free);
}

static void headers_are_those_of_the_table(void) {
    check_start(400, 4, LAB_EXACT_LEAN, 2, 96);
    check_start(400, 8, LAB_EXACT_LEAN, 2, 96);
    check_start(400, 16, LAB_EXACT_LEAN, 4, 92);
    check_start(400, 4, LAB_EXACT_WIDE, 7, 86);
    check_start(400, 8, LAB_EXACT_WIDE, 8, 84);
    check_start(400, 16, LAB_EXACT_WIDE, 8, 84);
    check_start(400, 4, LAB_EXACT_AUTO, 6, 88);
    CHECK(!lab_exact_start(&model, BASE, 31, 4, LAB_EXACT_LEAN));
    check_start(32, 4, LAB_EXACT_LEAN, 2, 4);
    CHECK(!lab_exact_start(&model, BASE, 71, 4, LAB_EXACT_WIDE));
    check_start(72, 4, LAB_EXACT_WIDE, 7, 4);
}

static void layouts_reach_as_far_as_the_table_says(void) {
    check_start((0x1FFFF + 4) * 4 + 3, 4, LAB_EXACT_LEAN, 2, 0x1FFFF);
    CHECK(!lab_exact_start(&model, BASE, (0x20000 + 4) * 4, 4, LAB_EXACT_LEAN));
    check_start((0x1FFFF + 12) * 4, 4, LAB_EXACT_AUTO, 6, 0x1FFFF);
    CHECK_EQ(model.layout, LAB_EXACT_CLASSIC);
    check_start((0x20000 + 12) * 4, 4, LAB_EXACT_AUTO, 7, 0x20000 + 12 - 14);
    CHECK_EQ(model.layout, LAB_EXACT_WIDE);
    CHECK_EQ(model.tag_free, 0x7FFF);
    CHECK_EQ(model.tag_tail, 0x4000);
    check_start((0x20000 + 12) * 4, 4, LAB_EXACT_WIDE, 7, 0x20000 + 12 - 14);
    CHECK_EQ(model.tag_free, 0x7FFFFFFF);
    CHECK_EQ(model.tag_tail, 0x40000000);
    CHECK(!lab_exact_start(&model, BASE, SIZE_MAX, 4, LAB_EXACT_WIDE));
    CHECK(!lab_exact_start(&model, BASE, SIZE_MAX, 4, LAB_EXACT_AUTO));
}

static void wide_tags_have_31_bits(void) {
    CHECK(lab_exact_start(&model, BASE, 400, 4, LAB_EXACT_WIDE));
    CHECK_EQ(tagged(4, 0x3FFFFFFF), 0);
    CHECK_EQ(tagged(4, 0x40000000), 85);
    CHECK_EQ(tagged(4, 0x7FFF), 8);
    CHECK_EQ(tagged(4, 0x7FFFFFFF), NONE);
    CHECK_EQ(tagged(4, 0x80000000), NONE);
    CHECK_EQ(stats().failed_allocs, 0);
    CHECK_EQ(stats().head_blocks, 2);
    CHECK_EQ(stats().tail_blocks, 1);
    CHECK_EQ(lab_exact_free_tags(&model, 0x8000, 0x7FFFFFFF), 2);
}

/* 21 bytes go into 10 dwords of slack and all; 5 dwords more would be a block. */
static void lean_requests_are_what_blocks_have(void) {
    CHECK(lab_exact_start(&model, BASE, 400, 4, LAB_EXACT_LEAN));
    uint32_t first = head(40);
    (void)head(10);
    CHECK_EQ(release(first), 40);
    first = head(21);
    CHECK_EQ(first, 0);
    CHECK_EQ(model.extents[0].requested, 40);
    CHECK_EQ(trim(first), 0);
    CHECK_EQ(resize(first, 1), first);
    CHECK_EQ(model.extents[0].requested, 40);
    uint32_t moved = resize(first, 41);
    CHECK_EQ(moved, 17);
    CHECK_EQ(lab_exact_find(&model, moved)->requested, 44);
    CHECK_EQ(resize(moved, 50), moved); /* grows where it is */
    CHECK_EQ(lab_exact_find(&model, moved)->requested, 52);
    CHECK_EQ(lab_exact_compact(&model, NULL, NULL).bytes, 12 + 52);
}

static void huge_sizes_are_not_cut(void) {
#if SIZE_MAX > UINT32_MAX
    CHECK(lab_exact_start(&model, BASE, 400, 4, LAB_EXACT_WIDE));
    uint32_t block = head(4);
    static const size_t sizes[] = {(size_t)1 << 32,        ((size_t)1 << 32) + 4,
                                   ((size_t)1 << 34) - 60, ((size_t)1 << 34) - 100,
                                   (size_t)1 << 34,        (size_t)1 << 35};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK_EQ(head(sizes[i]), NONE);
        CHECK_EQ(tail(sizes[i]), NONE);
        CHECK_EQ(aligned(64, sizes[i], 0x40000000), NONE);
        CHECK_EQ(resize(block, sizes[i]), NONE);
    }
    CHECK_EQ(stats().failed_allocs, 24);
#endif
}

TH_SUITE("exact_layouts", TEST(headers_are_those_of_the_table),
         TEST(layouts_reach_as_far_as_the_table_says), TEST(wide_tags_have_31_bits),
         TEST(lean_requests_are_what_blocks_have), TEST(huge_sizes_are_not_cut))
