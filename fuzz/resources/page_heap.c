/* SPDX-License-Identifier: MIT */
/* A heap on pages that is frozen and thawed, beside a list of its blocks: while it is frozen
 * nothing changes, whatever is tried. */
#include "tagheap/page_heap.h"

#include <string.h>

#include "resources/play.h"
#include "resources/probe.h"

enum { BLOCKS = 8 };

static struct {
    unsigned char *payload; /* NULL: there is none */
    size_t bytes;
    unsigned char mark;
} blocks[BLOCKS];

static unsigned faults;
static th_fault_kind last_kind;

static void require(bool holds, const char *detail) {
    lab_require(holds, "page-heap", detail);
}

static void note(void *context, const th_fault *fault) {
    (void)context;
    faults++;
    last_kind = fault->kind;
}

static void compare(const th_heap *heap) {
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t k = 0; blocks[i].payload != NULL && k < blocks[i].bytes; k++) {
            require(blocks[i].payload[k] == blocks[i].mark, "contents");
        }
    }
    require(th_heap_check(heap, NULL) == TH_OK, "check");
}

/* From inside callbacks it can be neither frozen nor thawed, and stays what it was. */
static void try_inside(th_heap *heap) {
    require(th_heap_freeze(heap) == TH_ERR_BUSY, "frozen-inside");
    (void)th_heap_thaw(heap);
}

static bool find_low_memory(void *context, th_heap *heap, size_t bytes) {
    (void)context, (void)bytes;
    try_inside(heap);
    faults = 0;
    return false;
}

static bool may_move(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    th_heap *heap = context;
    (void)tag, (void)from, (void)to, (void)bytes;
    try_inside(heap);
    require(th_heap_alloc(heap, 1, 1) == NULL && last_kind == TH_FAULT_REENTRY, "thawed-inside");
    faults = 0;
    return false;
}

static void put(size_t i, void *payload, size_t bytes, unsigned mark) {
    blocks[i].payload = payload;
    blocks[i].bytes = bytes;
    blocks[i].mark = (unsigned char)mark;
    if (payload != NULL) {
        memset(payload, (int)mark, bytes);
    }
}

static void change(lab_input *input, th_heap *heap, size_t i, unsigned op) {
    size_t bytes = 1 + lab_input_below(input, 2000);
    (void)th_heap_compact(heap, may_move, heap);
    if (blocks[i].payload == NULL) {
        put(i, th_heap_alloc(heap, bytes, op % 2 == 0 ? 1 : 0x4001), bytes, op);
    } else if (op % 3 == 0) {
        require(th_heap_free(heap, blocks[i].payload) > 0, "free");
        put(i, NULL, 0, 0);
    } else {
        void *now = th_heap_realloc(heap, blocks[i].payload, bytes);
        if (now != NULL) {
            put(i, now, bytes, op);
        }
    }
    require(faults == 0, "faults");
}

/* None of it does anything. */
static void try_to_change(lab_input *input, th_page_heap *p, size_t i, unsigned op,
                          bool read_only) {
    th_heap *heap = &p->heap;
    size_t bytes = 1 + lab_input_below(input, 2000);
    unsigned char *payload = blocks[i].payload;
    bool failed = payload == NULL ? th_heap_alloc(heap, bytes, op % 2 == 0 ? 1 : 0x4001) == NULL
                  : op % 4 == 0   ? th_heap_free(heap, payload) == 0
                  : op % 4 == 1   ? th_heap_realloc(heap, payload, bytes) == NULL
                  : op % 4 == 2   ? th_heap_free_tags(heap, 0, 0x7FFE) == 0
                                  : !th_heap_compact(heap, NULL, NULL).done;
    require(failed && faults > 0 && last_kind == TH_FAULT_FROZEN, "changed-while-frozen");
    faults = 0;
    if (read_only) {
        require(payload == NULL || !lab_probe_writable(payload, blocks[i].mark),
                "payload-writable");
        require(!lab_probe_writable((unsigned char *)p, *(unsigned char *)p), "control-writable");
        unsigned char *last = (unsigned char *)p + p->bytes - 1;
        require(!lab_probe_writable(last, 0), "end-writable");
    }
}

void lab_play_page_heap(lab_input *input) {
    unsigned start = lab_input_byte(input);
    th_heap_config config = {.low_memory = find_low_memory,
                             .guarding = {.level = (int)(start % 4), .on_fault = note}};
    static uint64_t index[64];
    config.index = TH_HEAP_INDEX_GIVEN;
    config.index_memory = index;
    config.index_bytes = sizeof index;
    require(th_page_heap_create(4096, &config) == NULL, "index-outside");
    config.index = TH_HEAP_INDEX_AUTO;
    th_page_heap *p = th_page_heap_create(1 + 64 * lab_input_below(input, 256), &config);
    bool frozen = false, read_only = start % 8 < 4; /* or by word alone */
    memset(blocks, 0, sizeof blocks);
    faults = 0;
    require(p != NULL, "none");
    unsigned char *all = (unsigned char *)p;
    require(!lab_probe_readable(all - 1) && !lab_probe_readable(all + p->bytes), "guards");
    while (input->left > 0) {
        unsigned op = lab_input_byte(input);
        size_t i = lab_input_below(input, BLOCKS);
        if (op < 16 && !frozen) {
            th_status status = read_only ? th_page_heap_freeze(p) : th_heap_freeze(&p->heap);
            require(status == TH_OK, "freeze");
            frozen = true;
        } else if (op < 48 && frozen) {
            th_status status = read_only ? th_page_heap_thaw(p) : th_heap_thaw(&p->heap);
            require(status == TH_OK, "thaw");
            frozen = false;
        } else if (frozen) {
            try_to_change(input, p, i, op, read_only);
        } else {
            change(input, &p->heap, i, op);
        }
        compare(&p->heap);
    }
    size_t bytes = p->bytes;
    th_page_heap_destroy(p);
    require(faults == 0, "faults-at-the-end");
    require(!lab_probe_readable(all) && !lab_probe_readable(all + bytes - 1), "still-mapped");
}
