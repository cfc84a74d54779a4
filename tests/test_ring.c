/* SPDX-License-Identifier: MIT */
/* Byte rings, beside a queue that moves its bytes. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/ring.h"

#define CAPACITY 7

static th_ring ring;
static backing own;
static fault_log faults;
static unsigned char memory[CAPACITY];

/* The model. */
static unsigned char queue[CAPACITY];
static size_t queued;

static void start(int level) {
    const th_ring_config config = {
        .memory = memory, .memory_bytes = sizeof memory, .guarding = guarding_with(&faults, level)};
    queued = 0;
    CHECK_EQ(th_ring_init(&ring, &config), TH_OK);
}

static void stop(void) {
    static const th_ring zeroed;
    CHECK_EQ(th_ring_check(&ring, NULL), TH_OK);
    th_ring_clean_up(&ring);
    CHECK(memcmp(&ring, &zeroed, sizeof ring) == 0);
    CHECK_EQ(faults.count, 0);
}

static void drop(size_t bytes) {
    queued -= bytes;
    memmove(queue, queue + bytes, queued);
}

static void expect_queue(void) {
    th_gather_part parts[2];
    unsigned char held[CAPACITY];
    size_t count = th_ring_peek(&ring, parts);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(parts[i].bytes > 0 && bytes + parts[i].bytes <= CAPACITY);
        memcpy(held + bytes, parts[i].data, parts[i].bytes);
        bytes += parts[i].bytes;
    }
    CHECK_EQ(bytes, queued);
    CHECK_EQ(th_ring_size(&ring), queued);
    CHECK(memcmp(held, queue, queued) == 0);
    count = th_ring_space(&ring, parts);
    for (size_t i = 0; i < count; i++) {
        bytes += parts[i].bytes;
        CHECK(parts[i].bytes > 0);
    }
    CHECK_EQ(bytes, CAPACITY);
    CHECK_EQ(th_ring_check(&ring, NULL), TH_OK);
}

static void play(int level) {
    uint64_t state = th_test_seed(7 + (uint64_t)level);
    unsigned char next = 0;
    uint64_t dropped = 0;
    start(level);
    for (unsigned step = 0; step < 5000; step++) {
        uint64_t random = th_test_random(&state);
        size_t bytes = (size_t)(random >> 8) % (2 * CAPACITY);
        unsigned char some[2 * CAPACITY];
        for (size_t i = 0; i < bytes; i++) {
            some[i] = next;
            next = (unsigned char)((next + 1) & 0xFF);
        }
        size_t room = CAPACITY - queued;
        size_t fits = bytes < room ? bytes : room;
        switch (random % 5) {
        case 0:
            CHECK_EQ(th_ring_write(&ring, some, bytes), fits);
            memcpy(queue + queued, some, fits);
            queued += fits;
            break;
        case 1:
            dropped += bytes - fits;
            CHECK_EQ(th_ring_write_over(&ring, some, bytes), bytes - fits);
            for (size_t i = 0; i < bytes; i++) {
                drop(queued == CAPACITY);
                queue[queued++] = some[i];
            }
            break;
        case 2: {
            unsigned char out[2 * CAPACITY];
            size_t due = bytes < queued ? bytes : queued;
            CHECK_EQ(th_ring_read(&ring, out, bytes), due);
            CHECK(memcmp(out, queue, due) == 0);
            drop(due);
            break;
        }
        case 3:
            CHECK_EQ(th_ring_consume(&ring, bytes), bytes <= queued ? TH_OK : TH_ERR_TOO_LARGE);
            drop(bytes <= queued ? bytes : 0);
            break;
        default: {
            th_gather_part parts[2];
            (void)th_ring_space(&ring, parts);
            CHECK_EQ(th_ring_commit(&ring, bytes), bytes <= room ? TH_OK : TH_ERR_TOO_LARGE);
            for (size_t i = 0; bytes <= room && i < bytes; i++) {
                unsigned char *at = parts[0].data;
                at = i < parts[0].bytes ? at + i
                                        : (unsigned char *)parts[1].data + (i - parts[0].bytes);
                *at = some[i];
                queue[queued++] = some[i];
            }
        }
        }
        expect_queue();
    }
    CHECK_EQ(th_ring_get_stats(&ring).dropped, dropped);
    CHECK_EQ(th_ring_get_stats(&ring).high_water_bytes, CAPACITY);
    CHECK_EQ(th_ring_reset(&ring), TH_OK);
    queued = 0;
    expect_queue();
    stop();
}

static void a_queue_agrees(void) {
    at_levels(0, play);
}

static void everything_can_be_dropped(void) {
    start(0);
    CHECK_EQ(th_ring_write(&ring, "abc", 3), 3);
    CHECK_EQ(th_ring_write_over(&ring, "0123456789", 10), 6);
    char out[8] = {0};
    CHECK_EQ(th_ring_read(&ring, out, 8), 7);
    CHECK(strcmp(out, "3456789") == 0);
    CHECK_EQ(th_ring_get_stats(&ring).written, 10);
    CHECK_EQ(th_ring_read(&ring, out, 8), 0);
    CHECK_EQ(th_ring_write(&ring, "abcdefg", 7), 7);
    CHECK_EQ(th_ring_write(&ring, "h", 1), 0);
    CHECK_EQ(th_ring_write(&ring, NULL, 1), 0);
    CHECK_EQ(th_ring_write_over(&ring, NULL, 1), 0);
    CHECK_EQ(th_ring_read(&ring, NULL, 1), 0);
    CHECK_EQ(th_ring_consume(&ring, 1), TH_OK);
    CHECK_EQ(th_ring_write(&ring, NULL, 1), 0);
    CHECK_EQ(th_ring_peek(&ring, NULL), 0);
    CHECK_EQ(th_ring_space(&ring, NULL), 0);
    stop();
}

static void one_byte_is_enough(void) {
    const th_ring_config config = {.memory = memory, .memory_bytes = 1};
    char out = 0;
    CHECK_EQ(th_ring_init(&ring, &config), TH_OK);
    CHECK_EQ(th_ring_write(&ring, "ab", 2), 1);
    CHECK_EQ(th_ring_write_over(&ring, "c", 1), 1);
    CHECK(th_ring_read(&ring, &out, 2) == 1 && out == 'c');
    stop();
}

static void memory_comes_from_a_backing(void) {
    th_ring_config config = {.memory_bytes = 100, .backing = backing_start(&own)};
    CHECK_EQ(th_ring_init(&ring, &config), TH_OK);
    CHECK_EQ(own.live_bytes, 100);
    th_ring_clean_up(&ring);
    backing_stop(&own);
    own.left = 0;
    memset(&ring, 7, sizeof ring);
    const th_ring same = ring;
    CHECK_EQ(th_ring_init(&ring, &config), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_ring_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_ring_init(&ring, NULL), TH_ERR_NULL);
    config.guarding.level = 4;
    CHECK_EQ(th_ring_init(&ring, &config), TH_ERR_CONFIG);
    static const th_allocator_table nothing;
    config = (th_ring_config){.memory_bytes = 1, .backing = {&nothing, NULL}};
    CHECK_EQ(th_ring_init(&ring, &config), TH_ERR_CONFIG);
    config = (th_ring_config){.memory_bytes = 1};
    CHECK_EQ(th_ring_init(&ring, &config), TH_ERR_CONFIG);
    config = (th_ring_config){.memory = memory};
    CHECK_EQ(th_ring_init(&ring, &config), TH_ERR_TOO_SMALL);
    config.memory_bytes = SIZE_MAX;
    CHECK_EQ(th_ring_init(&ring, &config), TH_ERR_TOO_LARGE);
    CHECK(memcmp(&ring, &same, sizeof ring) == 0);
}

static void damage_is_found(void) {
    th_fault fault;
    start(0);
    CHECK_EQ(th_ring_write(&ring, "abc", 3), 3);
    ring.start = CAPACITY;
    CHECK_EQ(th_ring_check(&ring, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CONTROL);
    ring.start = 0;
    ring.bytes = 4;
    CHECK_EQ(th_ring_check(&ring, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    ring.bytes = 3;
    ring.peak = CAPACITY + 1;
    CHECK_EQ(th_ring_check(&ring, NULL), TH_ERR_CORRUPT);
    ring.peak = 3;
    stop();
}

TH_SUITE("ring", TEST(a_queue_agrees), TEST(everything_can_be_dropped), TEST(one_byte_is_enough),
         TEST(memory_comes_from_a_backing), TEST(damage_is_found))
