/* SPDX-License-Identifier: MIT */
#include "alloc_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/track.h"

/* ---- faults ------------------------------------------------------------------------------- */

static void remember(void *context, const th_fault *fault) {
    fault_log *log = context;
    if (log->count == 0) {
        log->first = *fault;
    }
    log->last = *fault;
    log->count++;
}

th_guarding guarding_with(fault_log *log, int level) {
    *log = (fault_log){0};
    return (th_guarding){.level = level, .on_fault = remember, .fault_context = log};
}

static bool is_same(const th_fault *a, const th_fault *b) {
    return a->kind == b->kind && a->block == b->block && a->tag == b->tag &&
           a->offset == b->offset && a->expected == b->expected && a->found == b->found;
}

static void print(const char *what, const th_fault *fault) {
    char text[TH_FAULT_LINE_BYTES_MAX];
    th_fault_format(fault, text, sizeof text);
    printf("# %s %s\n", what, text);
}

void expect_logged(const char *file, int line, fault_log *log, int level, th_fault expected) {
    bool same = log->count > 0 && is_same(&log->first, &expected);
    bool again = level == 3 && log->count == 2 && is_same(&log->last, &log->first);
    if (same && (log->count == 1 || again)) {
        *log = (fault_log){0};
        return;
    }
    printf("# level %d, %u faults\n", level, log->count);
    print("expected", &expected);
    print("first   ", &log->first);
    print("last    ", &log->last);
    th_check_failed(file, line, "the fault is the expected one");
}

void at_levels(int lowest, void (*play)(int level)) {
    for (int level = lowest; level <= th_guard_max(); level++) {
        play(level);
    }
}

TH_TRACK_BLIND unsigned char poke(unsigned char *at, unsigned char value) {
    unsigned char was;
    th_track_blind_begin();
    was = *at;
    *at = value;
    th_track_trust(&was, 1);
    th_track_blind_end();
    return was;
}

void poke_link(void *place, const void *link) {
    unsigned char bytes[sizeof link];
    memcpy(bytes, &link, sizeof link);
    for (size_t i = 0; i < sizeof link; i++) {
        (void)poke((unsigned char *)place + i, bytes[i]);
    }
}

void expect_damage(th_allocator allocator, th_fault_kind kind) {
    th_fault fault = {0};
    CHECK_EQ(th_allocator_check(allocator, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, kind);
    CHECK_EQ(th_allocator_check(allocator, NULL), TH_ERR_CORRUPT);
}

/* ---- tools -------------------------------------------------------------------------------- */

bool tools_look(void) {
#if TH_TRACK_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return TH_TRACK_ANY;
#endif
}

bool tools_take_pages(void) {
    return TH_COMPILER_TSAN || tools_look();
}

bool is_closed(const unsigned char *byte) {
#if TH_TRACK_ASAN
    return __asan_address_is_poisoned(byte) != 0;
#elif TH_TRACK_MSAN
    return __msan_test_shadow(byte, 1) != -1;
#elif TH_TRACK_VALGRIND
    unsigned char bits;
    return VALGRIND_GET_VBITS(byte, &bits, 1) == 3;
#else
    (void)byte;
    return false;
#endif
}

/* ---- a backing ---------------------------------------------------------------------------- */

static void *backing_alloc(void *self, size_t bytes, size_t alignment) {
    backing *own = self;
    if (own->left == 0 || (own->bytes_max != 0 && bytes > own->bytes_max)) {
        own->refusals++;
        return NULL;
    }
    CHECK(own->live < BACKING_BLOCKS_MAX);
    void *block = th_allocator_alloc_aligned(th_system_allocator(), bytes, alignment);
    CHECK(block != NULL);
    own->blocks[own->live++] = (backing_block){block, bytes};
    own->live_bytes += bytes;
    own->left--;
    own->allocs++;
    return block;
}

static void backing_free(void *self, void *pointer) {
    backing *own = self;
    for (size_t i = 0; i < own->live; i++) {
        if (own->blocks[i].pointer == pointer) {
            own->live_bytes -= own->blocks[i].bytes;
            own->blocks[i] = own->blocks[--own->live];
            free(pointer);
            return;
        }
    }
    th_check_failed(__FILE__, __LINE__, "the backing gets back only what it gave");
}

th_allocator backing_start(backing *own) {
    static const th_allocator_table table = {.alloc = backing_alloc, .free = backing_free};
    *own = (backing){.left = SIZE_MAX};
    return (th_allocator){.table = &table, .self = own};
}

void backing_stop(const backing *own) {
    CHECK_EQ(own->live, 0);
    CHECK_EQ(own->live_bytes, 0);
}
