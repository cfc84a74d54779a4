/* SPDX-License-Identifier: MIT */
/* What a tracker writes, to the letter. */
#include <string.h>

#include "alloc_fixture.h"
#include "tagheap/tracker_write.h"

static th_tracker tracker;
static backing own;

/* Text that was written; the pieces from number `refused` on are refused. */
typedef struct text {
    char bytes[4096];
    size_t length;
    size_t pieces;
    size_t refused;
} text;

static bool keep(void *context, const char *piece, size_t bytes) {
    text *all = context;
    if (all->pieces == all->refused) {
        return false;
    }
    all->pieces++;
    CHECK(all->length + bytes < sizeof all->bytes);
    memcpy(all->bytes + all->length, piece, bytes);
    all->length += bytes;
    return true;
}

static void start(uint32_t sample_bytes) {
    const th_tracker_config config = {.backing = backing_start(&own), .sample_bytes = sample_bytes};
    CHECK_EQ(th_tracker_init(&tracker, &config), TH_OK);
}

static void stop(void) {
    th_tracker_clean_up(&tracker);
    backing_stop(&own);
}

static void note(uintptr_t address, size_t bytes, const char *file, uint32_t line, uint32_t tag,
                 const uintptr_t *frames, size_t depth) {
    const th_tracker_origin origin = {file, line, tag, frames, depth};
    CHECK(th_tracker_note_alloc(&tracker, (const void *)address, bytes, origin));
}

/* 3 sites: a line, a stack with a tag, and one that nothing is known of. */
static void note_all(void) {
    static const char file[] = "a.c"; /* by its address: the same one twice */
    static const uintptr_t frames[] = {0xabc3, 0xabc2, 0x7f0000000001 & UINTPTR_MAX};
    note(16, 100, file, 12, 0, NULL, 0);
    note(32, 50, file, 12, 0, NULL, 0);
    note(48, 1000, NULL, 0, 0x1001, frames, 2);
    note(64, 7, NULL, 0, 0x1001, frames, 2);
    note(80, 8, NULL, 0, 0x1001, frames, 2);
    CHECK(th_tracker_note_free(&tracker, (const void *)48));
    CHECK(th_tracker_note_free(&tracker, (const void *)64));
    note(96, 1, NULL, 0, 0, NULL, 0);
    note(112, 5, "b.c", 1, 2, frames, 1);
    note(128, 5, "gone.c", 1, 0, NULL, 0);
    CHECK(th_tracker_note_free(&tracker, (const void *)128));
}

static void expect_text(th_tracker_format format, const char *expected) {
    text all = {.refused = SIZE_MAX};
    CHECK_EQ(th_tracker_write(&tracker, format, keep, &all), TH_OK);
    all.bytes[all.length] = '\0';
    CHECK(strcmp(all.bytes, expected) == 0);
    size_t pieces = all.pieces;
    for (size_t i = 0; i < pieces; i++) {
        all = (text){.refused = i};
        CHECK_EQ(th_tracker_write(&tracker, format, keep, &all), TH_ERR_EXHAUSTED);
        CHECK_EQ(all.pieces, i);
        CHECK(strncmp(all.bytes, expected, all.length) == 0);
    }
}

static void leaks_stand_with_their_sites(void) {
    start(0);
    own.left = 0; /* it needs none */
    expect_text(TH_TRACKER_LEAKS, "live: 0 bytes in 0 blocks, from 0 sites\n");
    own.left = SIZE_MAX;
    note_all();
    const char *expected = "live: 164 bytes in 5 blocks, from 4 sites\n"
                           "150 bytes in 2 blocks (ever: 150 in 2): a.c:12\n"
                           "8 bytes in 1 blocks (ever: 1015 in 3): tag 0x1001\n"
                           "    0xabc3\n"
                           "    0xabc2\n"
                           "5 bytes in 1 blocks (ever: 5 in 1): b.c:1, tag 0x2\n"
                           "    0xabc3\n"
                           "1 bytes in 1 blocks (ever: 1 in 1): ?\n";
    expect_text(TH_TRACKER_LEAKS, expected);
    text all = {.refused = SIZE_MAX};
    own.left = 0;
    CHECK_EQ(th_tracker_write(&tracker, TH_TRACKER_LEAKS, keep, &all), TH_ERR_EXHAUSTED);
    CHECK_EQ(all.pieces, 0);
    own.left = SIZE_MAX;
    stop();
}

/* The number that begins at the text. */
static unsigned number_at(const char *digits) {
    unsigned number = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++) {
        number = number * 10 + (unsigned)(*digits - '0');
    }
    return number;
}

/* Most bytes first, the older site first where they are equal. */
static void sort_so_many(uint32_t sites) {
    start(0);
    for (uint32_t i = 0; i < sites; i++) {
        note((i + 1) * 16, 1 + i * 37 % 41 % 23, "s.c", i, 0, NULL, 0);
    }
    text all = {.refused = SIZE_MAX};
    CHECK_EQ(th_tracker_write(&tracker, TH_TRACKER_LEAKS, keep, &all), TH_OK);
    all.bytes[all.length] = '\0';
    const char *at = strchr(all.bytes, '\n');
    unsigned last_bytes = 42, last_line = 0;
    uint32_t lines = 0;
    for (; at[1] != '\0'; at = strchr(at + 1, '\n')) {
        unsigned bytes = number_at(at + 1);
        unsigned line = number_at(strstr(at, "s.c:") + 4);
        CHECK(bytes < last_bytes || (bytes == last_bytes && line > last_line));
        CHECK_EQ(bytes, 1 + line * 37 % 41 % 23);
        last_bytes = bytes;
        last_line = line;
        lines++;
    }
    CHECK_EQ(lines, sites);
    stop();
}

static void leaks_are_sorted(void) {
    for (uint32_t sites = 0; sites <= 40; sites++) {
        sort_so_many(sites);
    }
}

static void folded_stacks_have_a_line_for_each_site(void) {
    start(0);
    note_all();
    expect_text(TH_TRACKER_FOLDED, "a.c:12 150\n"
                                   "0xabc2;0xabc3;tag 0x1001 8\n"
                                   "? 1\n"
                                   "0xabc3;b.c:1;tag 0x2 5\n");
    expect_text(TH_TRACKER_FOLDED_ALL, "a.c:12 150\n"
                                       "0xabc2;0xabc3;tag 0x1001 1015\n"
                                       "? 1\n"
                                       "0xabc3;b.c:1;tag 0x2 5\n"
                                       "gone.c:1 5\n");
    stop();
}

static void profiles_have_the_sites_with_stacks(void) {
    start(0);
    note_all();
    expect_text(TH_TRACKER_HEAP_V2, "heap profile: 2: 13 [4: 1020] @ heapprofile\n"
                                    "1: 8 [3: 1015] @ 0xabc3 0xabc2\n"
                                    "1: 5 [1: 5] @ 0xabc3\n");
    expect_text(TH_TRACKER_JEMALLOC, "heap_v2/1\n"
                                     "  t*: 2: 13 [4: 1020]\n"
                                     "@ 0xabc3 0xabc2\n"
                                     "  t*: 1: 8 [3: 1015]\n"
                                     "@ 0xabc3\n"
                                     "  t*: 1: 5 [1: 5]\n");
    stop();
}

static void samples_are_said_to_be_some(void) {
    static const uintptr_t frames[] = {0x10};
    start(4);
    tracker.until_sample = 2;
    note(16, 1000, NULL, 0, 0, frames, 1); /* large: stands for itself */
    expect_text(TH_TRACKER_LEAKS,
                "live: 1000 bytes in 1 blocks, from 1 sites\n"
                "1000 bytes in 1 blocks (ever: 1000 in 1), which stand for 1000 bytes\n"
                "    0x10\n");
    expect_text(TH_TRACKER_HEAP_V2, "heap profile: 1: 1000 [1: 1000] @ heap_v2/4\n"
                                    "1: 1000 [1: 1000] @ 0x10\n");
    expect_text(TH_TRACKER_JEMALLOC, "heap_v2/4\n"
                                     "  t*: 1: 1000 [1: 1000]\n"
                                     "@ 0x10\n"
                                     "  t*: 1: 1000 [1: 1000]\n");
    note(32, 2, NULL, 0, 0, frames, 1);
    expect_text(TH_TRACKER_FOLDED, "0x10 1004\n");
    stop();
}

/* Blocks of a site have its average size, the last one what is left over. */
static void heaptrack_is_given_the_totals(void) {
    start(0);
    note_all();
    note(144, 6, NULL, 0, 0, NULL, 0);
    note(160, 7, NULL, 0, 0, NULL, 0);
    expect_text(TH_TRACKER_HEAPTRACK, "v 10400 3\n"
                                      "s 3 a.c\n"
                                      "i 1 0 1 1 c\n"
                                      "t 1 0\n"
                                      "a 4b 1\n+ 0\n"
                                      "a 4b 1\n+ 1\n"
                                      "i abc2 0\n"
                                      "t 2 0\n"
                                      "i abc3 0\n"
                                      "t 3 2\n"
                                      "a 1f7 3\n+ 2\n- 2\n"
                                      "a 1f8 3\n+ 3\n- 3\n"
                                      "a 8 3\n+ 4\n"
                                      "s 1 ?\n"
                                      "i 3 0 2 2 0\n"
                                      "t 4 0\n"
                                      "a 4 4\n+ 5\n"
                                      "+ 5\n"
                                      "a 6 4\n+ 6\n"
                                      "i abc3 0\n"
                                      "t 5 0\n"
                                      "s 3 b.c\n"
                                      "i 4 0 3 3 1\n"
                                      "t 6 5\n"
                                      "a 5 6\n+ 7\n"
                                      "s 6 gone.c\n"
                                      "i 5 0 4 4 1\n"
                                      "t 7 0\n"
                                      "a 5 7\n+ 8\n- 8\n");
    stop();
}

static void what_cannot_be_written_is_refused(void) {
    static const th_tracker zeroed;
    text all = {.refused = SIZE_MAX};
    CHECK_EQ(th_tracker_write(NULL, TH_TRACKER_LEAKS, keep, &all), TH_ERR_NULL);
    CHECK_EQ(th_tracker_write(&zeroed, TH_TRACKER_LEAKS, keep, &all), TH_ERR_NULL);
    start(0);
    CHECK_EQ(th_tracker_write(&tracker, TH_TRACKER_LEAKS, NULL, &all), TH_ERR_NULL);
    CHECK_EQ(th_tracker_write(&tracker, (th_tracker_format)6, keep, &all), TH_ERR_CONFIG);
    CHECK_EQ(all.pieces, 0);
    stop();
}

TH_SUITE("tracker_write", TEST(leaks_stand_with_their_sites), TEST(leaks_are_sorted),
         TEST(folded_stacks_have_a_line_for_each_site), TEST(profiles_have_the_sites_with_stacks),
         TEST(samples_are_said_to_be_some), TEST(heaptrack_is_given_the_totals),
         TEST(what_cannot_be_written_is_refused))
