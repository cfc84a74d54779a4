/* SPDX-License-Identifier: MIT */
/* How a fault reaches a person: the fixed line, word for word, and the default handler, which
 * prints it and aborts. */
#include <stdalign.h>
#include <string.h>

#include "death.h"
#include "suite.h"
#include "tagheap/heap.h"

/* ---- the line ------------------------------------------------------------------------------- */

typedef struct golden {
    th_fault fault;
    const char *line;
} golden;

#define NOWHERE TH_FAULT_NOWHERE

static const golden goldens[] = {
    {{TH_FAULT_FOREIGN, NOWHERE, 0, NOWHERE, 0, 0xFFFFFFC0},
     "tagheap: foreign pointer: expected 0x00000000 found 0xffffffc0"},
    {{TH_FAULT_MISALIGNED, NOWHERE, 0, 27, 24, 27},
     "tagheap: misaligned pointer: byte 27 expected 0x00000018 found 0x0000001b"},
    {{TH_FAULT_DOUBLE_FREE, 14, 0x7FFF, 80, 80, 80},
     "tagheap: double free: block 14 tag 0x7fff byte 80 expected 0x00000050 found 0x00000050"},
    {{TH_FAULT_NOT_A_BLOCK, 0, 0x1001, 28, 24, 28},
     "tagheap: not a block: block 0 tag 0x1001 byte 28 expected 0x00000018 found 0x0000001c"},
    {{TH_FAULT_HEADER, 36, 0x1003, 164, 0x12345678, 0x9ABCDEF0},
     "tagheap: header smashed: block 36 tag 0x1003 byte 164 expected 0x12345678 found 0x9abcdef0"},
    {{TH_FAULT_CHAIN, NOWHERE, 0, NOWHERE, 194, 0x7FFFFFF},
     "tagheap: chain broken: expected 0x000000c2 found 0x07ffffff"},
    {{TH_FAULT_CANARY, 24, 0x1001, 196, 0xFD, 0x41},
     "tagheap: canary smashed: block 24 tag 0x1001 byte 196 expected 0x000000fd found 0x00000041"},
    {{TH_FAULT_POISON, 131071, 0x7FFF, 524284, 0xFDFDFDFD, 0xFDFDFD41},
     "tagheap: write after free: block 131071 tag 0x7fff byte 524284 expected 0xfdfdfdfd found "
     "0xfdfdfd41"},
    {{TH_FAULT_CANARY, 7, 0xFFFF, 196, 0xFD, 0x41},
     "tagheap: canary smashed: block 7 tag 0xffff byte 196 expected 0x000000fd found 0x00000041"},
    {{TH_FAULT_POISON, 7, 0x10000, 40, 0xFD, 0x41},
     "tagheap: write after free: block 7 tag 0x00010000 byte 40 expected 0x000000fd found "
     "0x00000041"},
#if SIZE_MAX > UINT32_MAX
    {{TH_FAULT_NOT_A_BLOCK, 4294967292, 0x7FFFFFFE, 17179869168, 1, 2},
     "tagheap: not a block: block 4294967292 tag 0x7ffffffe byte 17179869168 expected 0x00000001 "
     "found 0x00000002"},
#endif
    {{TH_FAULT_COUNT, NOWHERE, 0, NOWHERE, 3, 4},
     "tagheap: counter wrong: expected 0x00000003 found 0x00000004"},
    {{TH_FAULT_REENTRY, NOWHERE, 0, NOWHERE, 0, 1},
     "tagheap: re-entry from callback: expected 0x00000000 found 0x00000001"},
    {{TH_FAULT_CONTROL, NOWHERE, 0, NOWHERE, 0x12345678, 0x9ABCDEF0},
     "tagheap: control structure smashed: expected 0x12345678 found 0x9abcdef0"},
    {{TH_FAULT_INDEX, NOWHERE, 0, NOWHERE, 3, 0},
     "tagheap: index wrong: expected 0x00000003 found 0x00000000"},
    {{TH_FAULT_STALE, 5, 0, NOWHERE, 7, 3},
     "tagheap: stale handle: block 5 tag 0x0000 expected 0x00000007 found 0x00000003"},
    {{TH_FAULT_UNPINNED, 5, 0, NOWHERE, 1, 0},
     "tagheap: unpin without pin: block 5 tag 0x0000 expected 0x00000001 found 0x00000000"},
    {{TH_FAULT_FROZEN, NOWHERE, 0, NOWHERE, 0, 1},
     "tagheap: change of a frozen heap: expected 0x00000000 found 0x00000001"},
    {{TH_FAULT_NONE, NOWHERE, 0, NOWHERE, 0, 0},
     "tagheap: no fault: expected 0x00000000 found 0x00000000"},
    {{(th_fault_kind)99, NOWHERE, 0, NOWHERE, 0, 0},
     "tagheap: unknown fault: expected 0x00000000 found 0x00000000"},
};

#define GOLDENS (sizeof goldens / sizeof goldens[0])

static void every_kind_has_its_line(void) {
    for (size_t i = 0; i < GOLDENS; i++) {
        char line[TH_FAULT_LINE_BYTES_MAX];
        size_t length = th_fault_format(&goldens[i].fault, line, sizeof line);
        CHECK_EQ(length, strlen(goldens[i].line));
        CHECK_EQ(strcmp(line, goldens[i].line), 0);
    }
}

static void every_kind_has_its_name(void) {
    for (size_t i = 0; i < GOLDENS; i++) {
        const char *name = th_fault_name(goldens[i].fault.kind);
        CHECK(strncmp(goldens[i].line + strlen("tagheap: "), name, strlen(name)) == 0);
        for (size_t j = 0; j < i; j++) {
            CHECK(goldens[i].fault.kind == goldens[j].fault.kind ||
                  strcmp(name, th_fault_name(goldens[j].fault.kind)) != 0);
        }
    }
}

static void a_short_line_is_cut_and_ends(void) {
    for (size_t i = 0; i < GOLDENS; i++) {
        size_t whole = strlen(goldens[i].line);
        for (size_t capacity = 1; capacity <= whole + 2; capacity++) {
            char line[TH_FAULT_LINE_BYTES_MAX + 8];
            memset(line, 0x7E, sizeof line);
            size_t length = th_fault_format(&goldens[i].fault, line, capacity);
            CHECK_EQ(length, capacity <= whole ? capacity - 1 : whole);
            CHECK_EQ(memcmp(line, goldens[i].line, length), 0);
            CHECK_EQ(line[length], '\0');
            for (size_t after = length + 1; after < sizeof line; after++) {
                CHECK_EQ(line[after], 0x7E);
            }
        }
    }
}

static void the_longest_line_fits(void) {
    char line[TH_FAULT_LINE_BYTES_MAX];
    for (size_t i = 0; i < GOLDENS; i++) {
        th_fault fault = {goldens[i].fault.kind, NOWHERE - 1, 0x7FFFFFFF,
                          NOWHERE - 1,           UINT32_MAX,  UINT32_MAX};
        size_t length = th_fault_format(&fault, line, sizeof line);
        CHECK(length + 1 < sizeof line);
        CHECK_EQ(strcmp(line + length - 8, "ffffffff"), 0);
    }
}

/* ---- the default handler -------------------------------------------------------------------- */

static alignas(16) unsigned char region[400];
static th_heap heap;

static void start(void) {
    const th_heap_config config = {.alignment = 4, .guarding.level = th_guard_max()};
    CHECK_EQ(th_heap_init(&heap, region, sizeof region, &config), TH_OK);
}

static void abort_with_a_golden(void) {
    th_fault_abort(NULL, &goldens[6].fault);
}

static void the_default_handler_prints_the_line_and_aborts(void) {
    expect_death(abort_with_a_golden, goldens[6].line);
}

static bool call_from_inside(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    (void)context;
    (void)tag;
    (void)to;
    (void)bytes;
    return th_heap_free(&heap, from) == 0;
}

static void reenter(void) {
    start();
    void *hole = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_alloc(&heap, 40, 0x1002);
    (void)th_heap_free(&heap, hole);
    (void)th_heap_compact(&heap, call_from_inside, NULL);
}

static void a_heap_without_a_handler_uses_it(void) {
    expect_death(reenter, "tagheap: re-entry from callback: expected 0x00000000 found 0x00000001");
}

static void free_twice(void) {
    start();
    void *payload = th_heap_alloc(&heap, 40, 0x1001);
    (void)th_heap_free(&heap, payload);
    (void)th_heap_free(&heap, payload);
}

static void misalign(void) {
    start();
    (void)th_heap_free(&heap, region + 25);
}

static void spoil_a_counter(void) {
    start();
    heap.free_blocks = 2;
    (void)th_heap_free(&heap, NULL);
}

static void misuse_aborts_with_its_line(void) {
    if (th_guard_max() < 1) {
        return; /* undefined there */
    }
    expect_death(free_twice, "tagheap: double free: block 0 tag 0x7fff byte 24 expected 0x00000018 "
                             "found 0x00000018");
    expect_death(misalign,
                 "tagheap: misaligned pointer: byte 25 expected 0x00000018 found 0x00000019");
    if (th_guard_max() == 3) {
        expect_death(spoil_a_counter,
                     "tagheap: counter wrong: expected 0x00000001 found 0x00000002");
    }
}

TH_SUITE("guards_report", TEST(every_kind_has_its_line), TEST(every_kind_has_its_name),
         TEST(a_short_line_is_cut_and_ends), TEST(the_longest_line_fits),
         TEST(the_default_handler_prints_the_line_and_aborts),
         TEST(a_heap_without_a_handler_uses_it), TEST(misuse_aborts_with_its_line))
