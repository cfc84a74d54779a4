/* SPDX-License-Identifier: MIT */
#include "large_fixture.h"

#include <string.h>

#include "heap_fixture.h"
#include "tagheap/pages.h"

fault_log large_faults;
backing large_backing;
th_large large;
size_t page;

void large_start(int level, bool mapped) {
    page = th_pages_size();
    const th_large_config config = {.backing =
                                        mapped ? (th_allocator){0} : backing_start(&large_backing),
                                    .guarding = guarding_with(&large_faults, level)};
    CHECK_EQ(th_large_init(&large, &config), TH_OK);
}

void large_stop(void) {
    CHECK_EQ(th_large_check(&large, NULL), TH_OK);
    CHECK_EQ(large_faults.count, 0);
    th_large_clean_up(&large);
    static const th_large zeroed;
    CHECK(memcmp(&large, &zeroed, sizeof large) == 0);
    CHECK(th_large_alloc_aligned(&large, 1, 1) == NULL);
    th_large_free(&large, &large);
    CHECK(!th_large_resize_in_place(&large, &large, 1));
    CHECK(!th_large_owns(&large, &large));
    CHECK_EQ(th_large_reset(&large), TH_ERR_NULL);
    backing_stop(&large_backing);
}

unsigned char *large_take(size_t bytes, size_t alignment, uint32_t seed) {
    unsigned char *block = alignment != 0 ? th_large_alloc_aligned(&large, bytes, alignment)
                                          : th_large_alloc(&large, bytes);
    CHECK(block != NULL);
    CHECK_EQ((uintptr_t)block % (alignment != 0 ? alignment : 16), 0);
    fill(block, bytes, seed);
    return block;
}
