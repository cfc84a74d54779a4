/* SPDX-License-Identifier: MIT */
/* Calls that must be refused. */
#include "program/refusals.h"

static void expect_status(const char *what, th_status want, th_status have) {
    expect(NAME_INIT, what, (uint64_t)want, (uint64_t)have);
}

static void refuse_nulls(size_t bytes) {
    expect(NAME_RESULT, "free-null", 0, th_heap_free(&heap, NULL));
    expect(NAME_RESULT, "trim-null", 0, th_heap_trim(&heap, NULL));
    expect(NAME_RESULT, "size-null", 0,
           th_heap_usable_size(&heap, NULL) + th_heap_requested_size(&heap, NULL));
    expect_null(th_heap_realloc(&heap, NULL, bytes));
    expect_null(th_heap_translate(&heap, &heap, NULL));
}

#define SUITABLE_BYTES (_Alignof(max_align_t) < 16 ? _Alignof(max_align_t) : (size_t)16)

static void expect_refused(const refused_call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        expect_status(calls[i].what, calls[i].due, calls[i].answered);
    }
}

static void refuse_options(void) {
    refused_call calls[REFUSED_CALLS_MAX];
    expect_refused(calls, ask_with_bad_options(calls, arenas[1 - arena], lock, unlock));
}

static void refuse_images(void) {
    refused_call calls[REFUSED_CALLS_MAX];
    unsigned char *other = arenas[1 - arena] + START;
    expect_refused(calls, ask_with_bad_images(calls, &heap, base, other, ALIGNMENT / 2));
}

static void largest_region(size_t bytes) {
    th_heap largest;
    if (bytes % 64 != 1) {
        return;
    }
    memset(&largest, 0, sizeof largest);
    th_heap_config four = {.alignment = 4, .index = TH_HEAP_INDEX_NONE};
    th_status status = th_heap_init(&largest, arenas[1 - arena], LARGEST_BYTES, &four);
    forget(&largest);
    expect_status("init largest", TH_OK, status);
}

static void find_at_the_edges(void) {
    th_heap_block block;
    const unsigned char *end = base + 4 * (size_t)DWORDS;
    expect(NAME_FIND, "below", 0, th_heap_find(&heap, base - 1, &block));
    expect(NAME_FIND, "above", 0, th_heap_find(&heap, end, &block));
    expect(NAME_FIND, "last byte", 1, th_heap_find(&heap, end - 1, &block));
    expect(NAME_FIND, "last", DWORDS - HEADER_DWORDS, block.offset);
}

static void fault_line(size_t bytes) {
    static const th_fault fault = {TH_FAULT_REENTRY, SIZE_MAX - 1, 0x7FFFFFFF,
                                   SIZE_MAX - 5,     0xFFFFFFFFu,  0x89ABCDEFu};
    char whole[TH_FAULT_LINE_BYTES_MAX];
    char line[TH_FAULT_LINE_BYTES_MAX + 1];
    size_t capacity = 1 + bytes % TH_FAULT_LINE_BYTES_MAX;
    size_t length = (size_t)snprintf(whole, sizeof whole,
                                     "tagheap: re-entry from callback: block %zu tag 0x7fffffff "
                                     "byte %zu expected 0xffffffff found 0x89abcdef",
                                     fault.block, fault.offset);
    size_t want = capacity - 1 < length ? capacity - 1 : length;
    line[capacity] = '!';
    expect(NAME_RESULT, "line length", want, th_fault_format(&fault, line, capacity));
    bool same = memcmp(line, whole, want) == 0 && line[want] == '\0';
    expect(NAME_RESULT, "line", 1, same && line[capacity] == '!');
}

void refuse_all(size_t bytes, bool shift_fits) {
    th_heap copy, small;
    char *region = (char *)arenas[1 - arena] + 1;
    refuse_nulls(bytes);
    refuse_options();
    refuse_images();
    memset(&copy, 0, sizeof copy);
    th_status status = th_heap_copy(&heap, &copy, arenas[1 - arena] + START + ALIGNMENT);
    forget(&copy);
    expect_status("shifted copy", shift_fits ? TH_OK : TH_ERR_MISALIGNED, status);
    th_heap_clean_up(NULL);
    expect_status("init defaults", TH_OK, th_heap_init(&small, region, 256, NULL));
    const char *made = th_heap_alloc(&small, th_heap_largest_free_bytes(&small), 1);
    bool inside =
        made >= region && (char *)small.base + th_heap_region_bytes(&small) <= region + 256;
    th_heap_detach(&small);
    expect_status("attach defaults", TH_OK, th_heap_attach(&small, region));
    th_heap_compaction none = th_heap_compact(&small, NULL, NULL);
    th_heap_clean_up(&small);
    th_heap_clean_up(&small);
    expect(NAME_RESULT, "inside", 1, made != NULL && inside);
    expect(NAME_RESULT, "aligned by default", 0, (uintptr_t)made % SUITABLE_BYTES);
    expect(NAME_RESULT, "nothing to move", 0, none.blocks_moved);
    largest_region(bytes);
    find_at_the_edges();
    fault_line(bytes);
    th_heap_detach(&heap);
    expect_status("attach", TH_OK, th_heap_attach(&heap, base));
}
