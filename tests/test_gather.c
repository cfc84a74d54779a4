/* SPDX-License-Identifier: MIT */
/* Gather lists, alone and as what writev and readv take. */
#define _GNU_SOURCE

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "alloc_fixture.h"
#include "tagheap/gather.h"
#include "tagheap/ring.h"

static_assert(sizeof(th_gather_part) == sizeof(struct iovec), "the same layout");
static_assert(offsetof(th_gather_part, data) == offsetof(struct iovec, iov_base), "the same");
static_assert(offsetof(th_gather_part, bytes) == offsetof(struct iovec, iov_len), "the same");

static th_gather list;
static th_gather_part parts[4];
static fault_log faults;
static char text[] = "abcdefghijklmnopqrstuvwxyz";

static void start(int level) {
    const th_gather_config config = {
        .memory = parts, .memory_bytes = sizeof parts, .guarding = guarding_with(&faults, level)};
    CHECK_EQ(th_gather_init(&list, &config), TH_OK);
}

static void stop(void) {
    static const th_gather zeroed;
    CHECK_EQ(th_gather_check(&list, NULL), TH_OK);
    th_gather_clean_up(&list);
    CHECK(memcmp(&list, &zeroed, sizeof list) == 0);
    CHECK_EQ(faults.count, 0);
}

static void expect(const char *bytes, size_t count) {
    char copy[64];
    size_t found;
    CHECK_EQ(th_gather_size(&list), strlen(bytes));
    CHECK_EQ(th_gather_copy(&list, copy, sizeof copy), strlen(bytes));
    CHECK(memcmp(copy, bytes, strlen(bytes)) == 0);
    CHECK((th_gather_parts(&list, &found) == NULL) == (count == 0));
    CHECK_EQ(found, count);
    CHECK_EQ(th_gather_get_stats(&list).parts, count);
}

static void collect(int level) {
    start(level);
    expect("", 0);
    CHECK_EQ(th_gather_add(&list, text, 3), TH_OK);
    CHECK_EQ(th_gather_add(&list, text + 3, 2), TH_OK); /* goes on where that ended */
    expect("abcde", 1);
    CHECK_EQ(th_gather_add(&list, text + 20, 2), TH_OK);
    CHECK_EQ(th_gather_add(&list, text + 10, 1), TH_OK);
    CHECK_EQ(th_gather_add(&list, NULL, 0), TH_OK);
    CHECK_EQ(th_gather_add(&list, NULL, 1), TH_ERR_NULL);
    CHECK_EQ(th_gather_add(&list, text, 1), TH_OK);
    expect("abcdeuvka", 4);
    CHECK_EQ(th_gather_add(&list, text + 9, 1), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_gather_get_stats(&list).refusals, 1);
    CHECK_EQ(th_gather_consume(&list, 10), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_gather_consume(&list, 0), TH_OK);
    CHECK_EQ(th_gather_consume(&list, 2), TH_OK);
    expect("cdeuvka", 4);
    CHECK_EQ(th_gather_consume(&list, 4), TH_OK);
    expect("vka", 3);
    CHECK_EQ(th_gather_add(&list, text + 9, 1), TH_OK); /* room was made */
    expect("vkaj", 4);
    CHECK_EQ(th_gather_copy(&list, text + 26, 0), 0);
    CHECK_EQ(th_gather_consume(&list, 4), TH_OK);
    expect("", 0);
    CHECK_EQ(th_gather_add(&list, text, 1), TH_OK);
    CHECK_EQ(th_gather_reset(&list), TH_OK);
    expect("", 0);
    CHECK_EQ(th_gather_get_stats(&list).high_water_bytes, 9);
    CHECK(th_gather_parts(&list, NULL) == NULL);
    stop();
}

static void parts_are_collected_and_consumed(void) {
    at_levels(0, collect);
}

static void end_at_the_edges(int level) {
    start(level);
    CHECK_EQ(th_gather_add(&list, text, 3), TH_OK);
    CHECK_EQ(th_gather_add(&list, text + 4, 2), TH_OK); /* a byte is left out */
    expect("abcef", 2);
    CHECK_EQ(th_gather_add(&list, text + 5, 1), TH_OK); /* or said twice */
    expect("abceff", 3);
    CHECK_EQ(th_gather_consume(&list, 3), TH_OK); /* exactly a part */
    expect("eff", 2);
    CHECK_EQ(th_gather_consume(&list, 1), TH_OK);
    expect("ff", 2);
    stop();
}

static void parts_end_where_they_end(void) {
    at_levels(0, end_at_the_edges);
}

static void bytes_are_spread(void) {
    char a[3], b[4];
    start(th_guard_max());
    CHECK_EQ(th_gather_add(&list, a, sizeof a), TH_OK);
    CHECK_EQ(th_gather_add(&list, b, sizeof b), TH_OK);
    CHECK_EQ(th_gather_fill(&list, "123456789", 9), 7);
    CHECK(memcmp(a, "123", 3) == 0 && memcmp(b, "4567", 4) == 0);
    CHECK_EQ(th_gather_fill(&list, "abcd", 4), 4);
    CHECK(memcmp(a, "abc", 3) == 0 && memcmp(b, "d567", 4) == 0);
    CHECK_EQ(th_gather_fill(&list, NULL, 4), 0);
    CHECK_EQ(th_gather_copy(&list, NULL, 4), 0);
    stop();
}

static void limits_hold(void) {
    th_gather_config config = {.memory = parts, .memory_bytes = sizeof parts + 7, .bytes_max = 10};
    CHECK_EQ(th_gather_init(&list, &config), TH_OK);
    CHECK_EQ(th_gather_add(&list, text, 6), TH_OK);
    CHECK_EQ(th_gather_add(&list, text + 10, 5), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_gather_add(&list, text + 10, SIZE_MAX), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_gather_add(&list, text + 10, 4), TH_OK);
    th_gather_clean_up(&list);
    memset(&list, 7, sizeof list);
    const th_gather same = list;
    CHECK_EQ(th_gather_init(NULL, &config), TH_ERR_NULL);
    CHECK_EQ(th_gather_init(&list, NULL), TH_ERR_NULL);
    config.guarding.level = 4;
    CHECK_EQ(th_gather_init(&list, &config), TH_ERR_CONFIG);
    config.memory_bytes = sizeof parts[0] - 1;
    CHECK_EQ(th_gather_init(&list, &config), TH_ERR_TOO_SMALL);
    config.memory = (char *)parts + 1;
    CHECK_EQ(th_gather_init(&list, &config), TH_ERR_MISALIGNED);
    config.memory = NULL;
    CHECK_EQ(th_gather_init(&list, &config), TH_ERR_NULL);
    CHECK(memcmp(&list, &same, sizeof list) == 0);
}

static void damage_is_found(void) {
    th_fault fault;
    start(0);
    CHECK_EQ(th_gather_add(&list, text, 6), TH_OK);
    CHECK_EQ(th_gather_add(&list, text + 10, 6), TH_OK);
    list.bytes = 11;
    CHECK_EQ(th_gather_check(&list, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    list.bytes = 12;
    parts[1].bytes = 0;
    CHECK_EQ(th_gather_check(&list, &fault), TH_ERR_CORRUPT);
    CHECK(fault.kind == TH_FAULT_CHAIN && fault.block == 1);
    parts[1] = (th_gather_part){NULL, 6};
    CHECK_EQ(th_gather_check(&list, NULL), TH_ERR_CORRUPT);
    parts[1].data = text + 10;
    list.capacity = 1;
    CHECK_EQ(th_gather_check(&list, NULL), TH_ERR_CORRUPT);
    list.capacity = 4;
    stop();
}

/* ---- on sockets --------------------------------------------------------------------------- */

#define STREAM_BYTES 300000u

static unsigned char byte_at(size_t place) {
    return (unsigned char)(place * 31 + place / 251);
}

/* A message in parts that a socket takes piece by piece, and a ring that takes in what arrives. */
static void a_message_goes_over_sockets(void) {
    static unsigned char message[STREAM_BYTES];
    static unsigned char small[8191];
    int ends[2];
    size_t sent_in_calls = 0, received = 0;
    for (size_t i = 0; i < STREAM_BYTES; i++) {
        message[i] = byte_at(i);
    }
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    start(th_guard_max());
    CHECK_EQ(th_gather_add(&list, message + 100000, 0), TH_OK);
    CHECK_EQ(th_gather_add(&list, message, 7), TH_OK);
    static unsigned char body[STREAM_BYTES];
    memcpy(body, message, sizeof body);
    CHECK_EQ(th_gather_add(&list, body + 7, 123456), TH_OK);
    CHECK_EQ(th_gather_add(&list, message + 123463, STREAM_BYTES - 123463), TH_OK);
    th_ring ring;
    const th_ring_config config = {.memory = small, .memory_bytes = sizeof small};
    CHECK_EQ(th_ring_init(&ring, &config), TH_OK);
    while (received < STREAM_BYTES) {
        size_t count;
        const th_gather_part *left = th_gather_parts(&list, &count);
        if (left != NULL) {
            ssize_t sent = writev(ends[0], (const struct iovec *)(const void *)left, (int)count);
            if (sent > 0) {
                CHECK_EQ(th_gather_consume(&list, (size_t)sent), TH_OK);
                sent_in_calls++;
            }
        }
        th_gather_part space[2];
        count = th_ring_space(&ring, space);
        ssize_t came = readv(ends[1], (const struct iovec *)(const void *)space, (int)count);
        CHECK(came > 0);
        CHECK_EQ(th_ring_commit(&ring, (size_t)came), TH_OK);
        unsigned char out[5000];
        size_t taken = th_ring_read(&ring, out, sizeof out);
        for (size_t i = 0; i < taken; i++) {
            CHECK_EQ(out[i], byte_at(received + i));
        }
        received += taken;
        while (left == NULL && th_ring_size(&ring) > 0 && received < STREAM_BYTES) {
            unsigned char one;
            CHECK_EQ(th_ring_read(&ring, &one, 1), 1);
            CHECK_EQ(one, byte_at(received++));
        }
    }
    CHECK(sent_in_calls > 1); /* it was taken in pieces */
    CHECK_EQ(th_gather_size(&list), 0);
    th_ring_clean_up(&ring);
    (void)close(ends[0]);
    (void)close(ends[1]);
    stop();
}

TH_SUITE("gather", TEST(parts_are_collected_and_consumed), TEST(parts_end_where_they_end),
         TEST(bytes_are_spread), TEST(limits_hold), TEST(damage_is_found),
         TEST(a_message_goes_over_sockets))
