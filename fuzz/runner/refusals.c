/* SPDX-License-Identifier: MIT */
/* Calls that must be refused, each with its own status, and others at the limits of what is
 * accepted; none may change anything. */
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "program/refused.h"
#include "runner/state.h"

static bool expect_status(lab_runner *r, const char *what, th_status want, th_status have) {
    return want == have || lab_fail(r, LAB_PROPERTY_INIT, what, "%s: expected %s, found %s", what,
                                    th_status_name(want), th_status_name(have));
}

static bool null_pointers(lab_runner *r, const lab_op *op) {
    size_t bytes = lab_size_bytes(op->size);
    return lab_expect(r, LAB_PROPERTY_RESULT, "free-null", 0, th_heap_free(&r->heap, NULL)) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "trim-null", 0, th_heap_trim(&r->heap, NULL)) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "size-null", 0,
                      th_heap_usable_size(&r->heap, NULL) +
                          th_heap_requested_size(&r->heap, NULL)) &&
           lab_expect_block(r, LAB_EXACT_NONE, th_heap_realloc(&r->heap, NULL, bytes)) &&
           lab_expect_block(r, LAB_EXACT_NONE, th_heap_translate(&r->heap, &r->heap, NULL));
}

/* What suits every object, as far as a heap promises it. */
#define SUITABLE_BYTES (alignof(max_align_t) < 16 ? alignof(max_align_t) : (size_t)16)

static bool expect_refused(lab_runner *r, const refused_call *calls, size_t count) {
    bool refused = true;
    for (size_t i = 0; i < count && refused; i++) {
        refused = expect_status(r, calls[i].what, calls[i].due, calls[i].answered);
    }
    return refused;
}

static bool bad_options(lab_runner *r) {
    refused_call calls[REFUSED_CALLS_MAX];
    void *region = r->arenas[1 - r->arena];
    return expect_refused(r, calls, ask_with_bad_options(calls, region, lab_lock, lab_unlock));
}

static bool bad_images(lab_runner *r) {
    refused_call calls[REFUSED_CALLS_MAX];
    unsigned char *other = r->arenas[1 - r->arena] + (r->base - r->arenas[r->arena]);
    size_t half = 2 * (size_t)r->model.unit; /* of the heap's alignment, in bytes */
    return expect_refused(r, calls, ask_with_bad_images(calls, &r->heap, r->base, other, half));
}

/* The largest region is a good one. Ending it costs much in an instrumented build: for some
 * operands only. */
static bool largest_region(lab_runner *r, const lab_op *op) {
    th_heap heap = {0};
    void *region = r->arenas[1 - r->arena];
    if (lab_size_bytes(op->size) % 64 != 1) {
        return true;
    }
    th_status status = th_heap_init(&heap, region, LARGEST_BYTES,
                                    &(th_heap_config){.alignment = 4, .index = TH_HEAP_INDEX_NONE});
    lab_forget(&heap);
    return expect_status(r, "init largest", TH_OK, status);
}

/* A place for a copy that is off by one unit: good unless a live block wants more alignment. */
static bool shifted_copy(lab_runner *r) {
    th_heap copy = {0};
    size_t start = (size_t)(r->base - r->arenas[r->arena]);
    size_t shift = 4 * (size_t)r->model.unit;
    bool want = lab_exact_rebase(&r->model, start + shift);
    th_status status = th_heap_copy(&r->heap, &copy, r->arenas[1 - r->arena] + start + shift);
    lab_forget(&copy);
    return lab_expect(r, LAB_PROPERTY_RESULT, "rebase", true, lab_exact_rebase(&r->model, start)) &&
           expect_status(r, "shifted copy", want ? TH_OK : TH_ERR_MISALIGNED, status);
}

/* Ends a heap of its own, with the defaults on a region that begins anywhere, and one that is
 * none. */
static bool small_life(lab_runner *r) {
    th_heap heap;
    char *region = (char *)r->arenas[1 - r->arena] + 1;
    th_heap_clean_up(NULL);
    if (!expect_status(r, "init defaults", TH_OK, th_heap_init(&heap, region, 256, NULL))) {
        return false;
    }
    const char *made = th_heap_alloc(&heap, th_heap_largest_free_bytes(&heap), 1);
    bool inside = made >= region && (char *)heap.base + th_heap_region_bytes(&heap) <= region + 256;
    th_heap_detach(&heap);
    th_status attached = th_heap_attach(&heap, region);
    th_heap_compaction none = th_heap_compact(&heap, NULL, NULL);
    th_heap_clean_up(&heap);
    th_heap_clean_up(&heap);
    return lab_expect(r, LAB_PROPERTY_RESULT, "inside", true, made != NULL && inside) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "aligned by default", 0,
                      (uintptr_t)made % SUITABLE_BYTES) &&
           expect_status(r, "attach defaults", TH_OK, attached) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "nothing to move", 0, none.blocks_moved);
}

/* No block owns what lies just outside the region; LAST owns its last byte. */
static bool find_at_the_edges(lab_runner *r) {
    th_heap_block block = {0};
    const unsigned char *end = r->base + 4 * (size_t)r->model.dwords;
    return lab_expect(r, LAB_PROPERTY_FIND, "below", 0,
                      th_heap_find(&r->heap, r->base - 1, &block)) &&
           lab_expect(r, LAB_PROPERTY_FIND, "above", 0, th_heap_find(&r->heap, end, &block)) &&
           lab_expect(r, LAB_PROPERTY_FIND, "last byte", 1,
                      th_heap_find(&r->heap, end - 1, &block)) &&
           lab_expect(r, LAB_PROPERTY_FIND, "last", r->model.dwords - r->model.header,
                      block.offset);
}

/* The longest fault line, cut at some length: nothing is written after it. */
static bool fault_line(lab_runner *r, const lab_op *op) {
    static const th_fault fault = {TH_FAULT_REENTRY, SIZE_MAX - 1, 0x7FFFFFFF,
                                   SIZE_MAX - 5,     0xFFFFFFFFu,  0x89ABCDEFu};
    char whole[TH_FAULT_LINE_BYTES_MAX];
    char line[TH_FAULT_LINE_BYTES_MAX + 1];
    size_t length = (size_t)snprintf(whole, sizeof whole,
                                     "tagheap: re-entry from callback: block %zu tag 0x7fffffff "
                                     "byte %zu expected 0xffffffff found 0x89abcdef",
                                     fault.block, fault.offset);
    size_t capacity = 1 + lab_size_bytes(op->size) % TH_FAULT_LINE_BYTES_MAX;
    size_t want = capacity - 1 < length ? capacity - 1 : length;
    line[capacity] = '!';
    size_t have = th_fault_format(&fault, line, capacity);
    return lab_expect(r, LAB_PROPERTY_RESULT, "line length", want, have) &&
           lab_expect(r, LAB_PROPERTY_RESULT, "line", 1,
                      memcmp(line, whole, want) == 0 && line[want] == '\0' &&
                          line[capacity] == '!');
}

bool lab_refusals(lab_runner *r, const lab_op *op) {
    if (!null_pointers(r, op) || !bad_options(r) || !bad_images(r) || !shifted_copy(r) ||
        !small_life(r) || !largest_region(r, op) || !find_at_the_edges(r) || !fault_line(r, op)) {
        return false;
    }
    /* To plain bytes and back: a heap as before. */
    th_heap_detach(&r->heap);
    return expect_status(r, "attach", TH_OK, th_heap_attach(&r->heap, r->base));
}
