// SPDX-License-Identifier: MIT
// A program in C++17 that uses the installed library, or the two files (-DTWO_FILES). Exit status
// 0: it works.
#ifdef TWO_FILES
#include "tagheap.h"
#else
#include <tagheap/allocator.h>
#include <tagheap/arena.h>
#include <tagheap/bump.h>
#include <tagheap/heap.h>
#include <tagheap/version.h>
#endif

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <new>

namespace {

struct point {
    int x, y;
};

alignas(std::max_align_t) std::array<std::byte, 65536> region;
th_heap heap;

TH_BUMP_STATIC(scratch, TH_BUMP_CONSTRAINED_BYTES);

bool the_heap_works() {
    th_heap_config config{};
    config.alignment = alignof(point) < 4 ? 4 : 16;
    if (th_heap_init(&heap, region.data(), region.size(), &config) != TH_OK) {
        return false;
    }
    void *place = th_heap_alloc(&heap, sizeof(point), 0x1001);
    if (place == nullptr) {
        return false;
    }
    point *made = new (place) point{1, 2};
    const bool kept = made->x == 1 && made->y == 2;
    return kept && th_heap_free(&heap, made) > 0;
}

bool the_bump_works() {
    return th_bump_alloc(&scratch, TH_ALLOCATOR_ALIGNMENT) != nullptr &&
           sizeof region <= TH_HEAP_BLOCK_BYTES_MAX;
}

} // namespace

int main() {
    std::puts(th_version());
    return the_heap_works() && the_bump_works() && std::strcmp(th_version(), TH_VERSION) == 0 ? 0
                                                                                              : 1;
}
