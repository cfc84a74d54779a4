/* SPDX-License-Identifier: MIT */
/* A copy of the heap's image. */
#include "program/image.h"

void copy_heap(void) {
    th_heap moved;
    unsigned char *other = arenas[1 - arena] + START;
    write_edges(1 - arena);
    expect(NAME_RESULT, "copied", 1, th_heap_copy(&heap, &moved, other) == TH_OK);
    for (size_t i = 0; i < SLOTS; i++) {
        if (slot[i] != NULL) {
            unsigned char *there = other + (slot[i] - base);
            if (th_heap_translate(&heap, &moved, slot[i]) != there) {
                differ(NAME_RESULT, "translate", 1, 0);
            }
            slot[i] = there;
        }
    }
    expect(NAME_RESULT, "indexed", TH_OK,
           th_heap_set_index(&moved, INDEX ? index_memory[1 - arena] : NULL,
                             sizeof index_memory[1 - arena]));
    forget(&heap);
    heap = moved;
    arena = 1 - arena;
    base = other;
}
