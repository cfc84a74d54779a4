/* SPDX-License-Identifier: MIT */
/* Growable buffers: policies, limits, contents, failures. */
#include <string.h>

#include "alloc_fixture.h"
#include "heap_fixture.h"
#include "tagheap/buffer.h"

static th_buffer buffer;
static backing own;
static fault_log faults;

static void start_with(int level, th_buffer_config config) {
    config.backing = backing_start(&own);
    config.guarding = guarding_with(&faults, level);
    CHECK_EQ(th_buffer_init(&buffer, &config), TH_OK);
}

static void stop(void) {
    static const th_buffer zeroed;
    CHECK_EQ(th_buffer_check(&buffer, NULL), TH_OK);
    th_buffer_clean_up(&buffer);
    CHECK(memcmp(&buffer, &zeroed, sizeof buffer) == 0);
    CHECK_EQ(faults.count, 0);
    backing_stop(&own);
}

static size_t capacity(void) {
    size_t bytes = th_buffer_get_stats(&buffer).capacity_bytes;
    CHECK_EQ(bytes, own.live_bytes);
    return bytes;
}

/* Capacities as bytes are added one by one. */
static void grow_one_by_one(th_growth growth, const size_t *capacities, size_t count) {
    start_with(th_guard_max(), (th_buffer_config){.growth = growth});
    size_t seen = 0;
    size_t last = 0;
    for (unsigned i = 0; i < 400; i++) {
        const unsigned char byte = (unsigned char)(i * 7);
        CHECK_EQ(th_buffer_append(&buffer, &byte, 1), TH_OK);
        if (capacity() != last) {
            last = capacity();
            CHECK(growth == TH_GROWTH_EXACT || seen < count);
            CHECK_EQ(last, growth == TH_GROWTH_EXACT ? i + 1 : capacities[seen]);
            seen++;
        }
    }
    CHECK_EQ(seen, growth == TH_GROWTH_EXACT ? 400 : count);
    CHECK_EQ(th_buffer_get_stats(&buffer).moves, seen);
    const unsigned char *data = th_buffer_data(&buffer);
    for (unsigned i = 0; i < 400; i++) {
        CHECK_EQ(data[i], (unsigned char)(i * 7));
    }
    stop();
}

static void each_growth_has_its_capacities(void) {
    static const size_t doubling[] = {64, 128, 256, 512};
    static const size_t golden[] = {64, 104, 169, 274, 445};
    grow_one_by_one(TH_GROWTH_DOUBLING, doubling, 4);
    grow_one_by_one(TH_GROWTH_GOLDEN, golden, 5);
    grow_one_by_one(TH_GROWTH_EXACT, NULL, 0);
}

static void shrink(int level) {
    start_with(level, (th_buffer_config){.shrink = TH_SHRINK_QUARTER, .bytes_first = 40});
    CHECK_EQ(th_buffer_resize(&buffer, 400), TH_OK);
    fill(th_buffer_data(&buffer), 400, 1);
    CHECK_EQ(th_buffer_resize(&buffer, 101), TH_OK);
    CHECK_EQ(capacity(), 400);
    CHECK_EQ(th_buffer_resize(&buffer, 100), TH_OK);
    CHECK_EQ(capacity(), 200);
    CHECK(filled(th_buffer_data(&buffer), 100, 1));
    CHECK_EQ(th_buffer_resize(&buffer, 10), TH_OK);
    CHECK_EQ(capacity(), 40);
    CHECK_EQ(th_buffer_reset(&buffer), TH_OK);
    CHECK_EQ(capacity(), 40);
    stop();
    start_with(level, (th_buffer_config){.shrink = TH_SHRINK_EXACT});
    CHECK_EQ(th_buffer_resize(&buffer, 400), TH_OK);
    CHECK_EQ(th_buffer_resize(&buffer, 399), TH_OK);
    CHECK_EQ(capacity(), 399);
    CHECK_EQ(th_buffer_resize(&buffer, 399), TH_OK);
    CHECK_EQ(th_buffer_get_stats(&buffer).moves, 2);
    own.left = 0;
    CHECK_EQ(th_buffer_resize(&buffer, 300), TH_OK); /* no other block: it stays */
    CHECK_EQ(capacity(), 399);
    CHECK_EQ(th_buffer_trim(&buffer), TH_ERR_EXHAUSTED);
    CHECK_EQ(th_buffer_reset(&buffer), TH_OK); /* to free it needs none */
    CHECK_EQ(own.live, 0);
    CHECK(th_buffer_data(&buffer) == NULL);
    stop();
    start_with(level, (th_buffer_config){.shrink = TH_SHRINK_NEVER});
    CHECK_EQ(th_buffer_resize(&buffer, 400), TH_OK);
    CHECK_EQ(th_buffer_resize(&buffer, 20), TH_OK);
    CHECK_EQ(capacity(), 400);
    CHECK_EQ(th_buffer_trim(&buffer), TH_OK);
    CHECK_EQ(th_buffer_trim(&buffer), TH_OK);
    CHECK_EQ(capacity(), 20);
    CHECK_EQ(th_buffer_get_stats(&buffer).high_water_bytes, 400);
    stop();
}

static void each_shrink_has_its_capacities(void) {
    at_levels(0, shrink);
}

static void edit(int level) {
    start_with(level, (th_buffer_config){.bytes_first = 1});
    CHECK_EQ(th_buffer_append(&buffer, "resource", 8), TH_OK);
    CHECK_EQ(th_buffer_append(&buffer, NULL, 0), TH_OK);
    CHECK_EQ(th_buffer_append(&buffer, NULL, 1), TH_ERR_NULL);
    CHECK_EQ(th_buffer_remove(&buffer, 2, 4), TH_OK);
    CHECK(th_buffer_size(&buffer) == 4 && memcmp(th_buffer_data(&buffer), "rece", 4) == 0);
    CHECK_EQ(th_buffer_remove(&buffer, 4, 0), TH_OK);
    CHECK_EQ(th_buffer_remove(&buffer, 4, 1), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_buffer_remove(&buffer, 5, 0), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_buffer_remove(&buffer, 1, SIZE_MAX), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_buffer_remove(&buffer, 3, 1), TH_OK);
    /* Of itself, while it moves: more than once, and from the middle. */
    for (unsigned i = 0; i < 6; i++) {
        CHECK_EQ(th_buffer_append(&buffer, th_buffer_data(&buffer), th_buffer_size(&buffer)),
                 TH_OK);
    }
    CHECK_EQ(th_buffer_append(&buffer, (char *)th_buffer_data(&buffer) + 190, 2), TH_OK);
    CHECK_EQ(th_buffer_size(&buffer), 194);
    for (unsigned i = 0; i < 192; i++) {
        CHECK_EQ(((char *)th_buffer_data(&buffer))[i], "rec"[i % 3]);
    }
    CHECK(memcmp((char *)th_buffer_data(&buffer) + 192, "ec", 2) == 0);
    unsigned char *more = th_buffer_extend(&buffer, 100);
    CHECK_PTR_EQ(more, (char *)th_buffer_data(&buffer) + 194);
    memset(more, 1, 100);
    CHECK(th_buffer_extend(&buffer, 0) == NULL);
    CHECK(th_buffer_extend(&buffer, SIZE_MAX) == NULL);
    stop();
}

static void contents_are_kept(void) {
    at_levels(0, edit);
}

static void run_out(int level) {
    start_with(level, (th_buffer_config){.bytes_max = 100, .alignment = 256});
    CHECK_EQ(th_buffer_resize(&buffer, 101), TH_ERR_TOO_LARGE);
    CHECK_EQ(th_buffer_resize(&buffer, 65), TH_OK);
    CHECK_EQ((uintptr_t)th_buffer_data(&buffer) % 256, 0);
    CHECK_EQ(capacity(), 65);
    CHECK_EQ(th_buffer_reserve(&buffer, 66), TH_OK);
    CHECK_EQ(capacity(), 100); /* the limit, not the double */
    CHECK_EQ(th_buffer_append(&buffer, "0123456789012345678901234567890123456789", 36),
             TH_ERR_TOO_LARGE);
    CHECK_EQ(th_buffer_append(&buffer, "x", SIZE_MAX), TH_ERR_TOO_LARGE);
    CHECK(th_buffer_extend(&buffer, 36) == NULL);
    CHECK_EQ(th_buffer_size(&buffer), 65);
    stop();
    start_with(level, (th_buffer_config){0});
    CHECK_EQ(th_buffer_resize(&buffer, 64), TH_OK);
    fill(th_buffer_data(&buffer), 64, 3);
    own.left = 0;
    CHECK_EQ(th_buffer_append(&buffer, "x", 1), TH_ERR_EXHAUSTED);
    CHECK_EQ(own.refusals, 2); /* the double, and what is needed */
    CHECK_EQ(th_buffer_reserve(&buffer, 200), TH_ERR_EXHAUSTED);
    CHECK_EQ(own.refusals, 3);
    CHECK_EQ(th_buffer_get_stats(&buffer).failed_allocs, 2);
    CHECK(filled(th_buffer_data(&buffer), 64, 3));
    CHECK_EQ(th_buffer_size(&buffer), 64);
    stop();
}

static void failures_change_nothing(void) {
    at_levels(0, run_out);
}

static void what_is_needed_is_tried(void) {
    start_with(th_guard_max(), (th_buffer_config){.bytes_first = 600});
    own.bytes_max = 2000;
    CHECK_EQ(th_buffer_resize(&buffer, 1500), TH_OK);
    CHECK_EQ(capacity(), 1500);
    CHECK_EQ(th_buffer_resize(&buffer, 2000), TH_OK);
    CHECK_EQ(capacity(), 2000);
    CHECK_EQ(own.refusals, 1);
    stop();
}

static void bad_configs_are_refused(void) {
    static const th_allocator_table nothing;
    const th_allocator from = backing_start(&own);
    memset(&buffer, 7, sizeof buffer);
    const th_buffer same = buffer;
    const th_buffer_config good = {.backing = from};
    CHECK_EQ(th_buffer_init(NULL, &good), TH_ERR_NULL);
    CHECK_EQ(th_buffer_init(&buffer, NULL), TH_ERR_NULL);
#define REFUSED(status, field, value)                                                              \
    do {                                                                                           \
        th_buffer_config bad = good;                                                               \
        bad.field = value;                                                                         \
        CHECK_EQ(th_buffer_init(&buffer, &bad), status);                                           \
    } while (false)
    REFUSED(TH_ERR_ALIGNMENT, alignment, 3);
    REFUSED(TH_ERR_TOO_LARGE, bytes_first, SIZE_MAX);
    REFUSED(TH_ERR_TOO_LARGE, bytes_max, SIZE_MAX);
    REFUSED(TH_ERR_CONFIG, growth, (th_growth)3);
    REFUSED(TH_ERR_CONFIG, shrink, (th_shrink)3);
    REFUSED(TH_ERR_CONFIG, backing.table, NULL);
    REFUSED(TH_ERR_CONFIG, backing.table, &nothing);
    REFUSED(TH_ERR_CONFIG, guarding.level, -1);
    CHECK(memcmp(&buffer, &same, sizeof buffer) == 0);
}

static void damage_is_found(void) {
    th_fault fault;
    start_with(0, (th_buffer_config){0});
    CHECK_EQ(th_buffer_resize(&buffer, 10), TH_OK);
    buffer.bytes = 65;
    CHECK_EQ(th_buffer_check(&buffer, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_COUNT);
    buffer.bytes = 11; /* more than ever */
    CHECK_EQ(th_buffer_check(&buffer, NULL), TH_ERR_CORRUPT);
    buffer.bytes = 0;
    buffer.capacity = 0;
    CHECK_EQ(th_buffer_check(&buffer, &fault), TH_ERR_CORRUPT);
    CHECK_EQ(fault.kind, TH_FAULT_CONTROL);
    buffer.capacity = 64;
    buffer.bytes = 10;
    stop();
}

static void tools_see_the_end(void) {
    start_with(0, (th_buffer_config){0});
    CHECK_EQ(th_buffer_resize(&buffer, 16), TH_OK);
    const unsigned char *data = th_buffer_data(&buffer);
    if (tools_look()) {
        CHECK(!is_closed(data) || is_closed(data + 16)); /* MSan: both without contents */
        CHECK(is_closed(data + 16));
        CHECK_EQ(th_buffer_resize(&buffer, 8), TH_OK);
        CHECK(is_closed(data + 8));
    }
    stop();
}

TH_SUITE("buffer", TEST(each_growth_has_its_capacities), TEST(each_shrink_has_its_capacities),
         TEST(contents_are_kept), TEST(failures_change_nothing), TEST(what_is_needed_is_tried),
         TEST(bad_configs_are_refused), TEST(damage_is_found), TEST(tools_see_the_end))
