/* SPDX-License-Identifier: MIT */
/* What counts single calls: which kind a call turns out to be, which blocks an aligned request
 * passes, combs, and instructions counted by single-stepping. (The search needs a build that counts
 * basic blocks: tests/scripts/test_worst.py.) */
#define _DEFAULT_SOURCE

#include "worst/search.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "suite.h"

enum { OPS_MAX = 100000 };

static lab_script script;
static lab_cost_player *player;
static lab_cost seen[OPS_MAX];
static size_t seen_count;

static void note(void *context, const lab_cost *cost) {
    (void)context;
    seen[seen_count++] = *cost;
}

/* Whichever test is the first one. */
static void begin(void) {
    if (player == NULL) {
        player = lab_cost_player_new(LAB_DWORDS_MAX, TH_HEAP_INDEX_GIVEN);
        CHECK(player != NULL);
    }
}

static bool play(const lab_cost_options *options) {
    begin();
    seen_count = 0;
    return lab_cost_play(player, &script, options);
}

static const lab_cost_options uncounted = {.note = note};

static void play_text(const char *text) {
    lab_text_error error;
    CHECK(lab_script_parse(&script, text, strlen(text), &error));
    CHECK(play(&uncounted));
}

static void expect_kinds(const lab_cost_kind *kinds, size_t count) {
    CHECK_EQ(seen_count, count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(seen[i].kind, kinds[i]);
        CHECK_EQ(seen[i].count, 0);
    }
}

#define EXPECT_KINDS(...)                                                                          \
    expect_kinds((const lab_cost_kind[]){__VA_ARGS__},                                             \
                 sizeof((const lab_cost_kind[]){__VA_ARGS__}) / sizeof(lab_cost_kind))

static void calls_are_told_apart(void) {
    play_text("heap dwords=400\n"
              "alloc s0 tag=0x1001 bytes=100\n"
              "alloc s1 tag=0x4001 bytes=100\n"
              "alloc s2 tag=0x1001 bytes=100\n"
              "free s2\n"
              "resize s0 bytes=200\n"
              "resize s0 bytes=8\n"
              "trim s0\n"
              "resize s0 bytes=20000\n"
              "alloc s3 tag=0x1001 bytes=20000\n"
              "aligned s4 tag=0x1001 bytes=8 align=64\n");
    EXPECT_KINDS(LAB_COST_ALLOC, LAB_COST_ALLOC, LAB_COST_ALLOC, LAB_COST_FREE, LAB_COST_GROW,
                 LAB_COST_OTHER, LAB_COST_TRIM, LAB_COST_FAILED, LAB_COST_FAILED, LAB_COST_ALIGNED);
    CHECK_EQ(seen[9].op, 9);
}

/* Malformed requests, moves and frees by resize are looked at by nobody; nor is what is skipped,
 * and operations that their slots do not suit are not even told of. */
static void other_calls_are_no_kind(void) {
    play_text("heap dwords=400\n"
              "alloc s0 tag=0x1001 bytes=100\n"
              "alloc s0 tag=0x1001 bytes=100\n"
              "alloc s1 tag=0x1001 bytes=100\n"
              "free s5\n"
              "resize s0 bytes=300\n"
              "resize s0 bytes=0\n"
              "free s0\n"
              "alloc s2 tag=0x7fff bytes=4\n"
              "alloc s2 tag=0x1001 bytes=0\n"
              "aligned s2 tag=0x1001 bytes=4 align=3\n"
              "compact veto=0x00\n"
              "freetags 0x0000..0x7fff\n"
              "free s1\n");
    EXPECT_KINDS(LAB_COST_ALLOC, LAB_COST_ALLOC, LAB_COST_OTHER, LAB_COST_OTHER, LAB_COST_OTHER,
                 LAB_COST_OTHER, LAB_COST_OTHER, LAB_COST_FREE);
    CHECK_EQ(seen[7].op, 12);
}

/* Regions begin at a multiple of 64 KiB; headers have 24 bytes. */
static void passed_blocks_are_counted(void) {
    /* Holes of 136 bytes at 0 and 320; in neither a place at a multiple of 4096. */
    static const char holes[] = "heap dwords=4000\n"
                                "alloc s0 tag=0x1001 bytes=136\n"
                                "alloc s1 tag=0x1001 bytes=136\n"
                                "alloc s2 tag=0x1001 bytes=136\n"
                                "alloc s3 tag=0x1001 bytes=4\n"
                                "free s0\n"
                                "free s2\n";
    char text[1024];
    (void)snprintf(text, sizeof text, "%saligned s4 tag=0x1001 bytes=100 align=4096\n", holes);
    play_text(text);
    CHECK_EQ(seen[6].kind, LAB_COST_ALIGNED_K);
    CHECK_EQ(seen[6].k, 2); /* the rest, in which it was placed, is not among them */
    (void)snprintf(text, sizeof text, "%saligned s4 tag=0x1001 bytes=137 align=4096\n", holes);
    play_text(text);
    CHECK_EQ(seen[6].kind, LAB_COST_ALIGNED);
    CHECK_EQ(seen[6].k, 0);
    (void)snprintf(text, sizeof text, "%saligned s4 tag=0x1001 bytes=100 align=65536\n", holes);
    play_text(text);
    CHECK_EQ(seen[6].kind, LAB_COST_ALIGNED_K); /* refused, having passed the rest, too */
    CHECK_EQ(seen[6].k, 3);
}

/* The same from above: 16,000 bytes, whose last 24 are LAST's header. */
static void blocks_passed_from_above_are_counted(void) {
    static const char holes[] = "heap dwords=4000\n"
                                "alloc s0 tag=0x4001 bytes=136\n"
                                "alloc s1 tag=0x4001 bytes=136\n"
                                "alloc s2 tag=0x4001 bytes=136\n"
                                "alloc s3 tag=0x4001 bytes=4\n"
                                "free s0\n"
                                "free s2\n";
    char text[1024];
    (void)snprintf(text, sizeof text, "%saligned s4 tag=0x4001 bytes=100 align=4096\n", holes);
    play_text(text);
    CHECK_EQ(seen[6].kind, LAB_COST_ALIGNED_K);
    CHECK_EQ(seen[6].k, 2); /* not what is left above it, nor the gap below */
    (void)snprintf(text, sizeof text,
                   "%salloc s5 tag=0x1001 bytes=8\naligned s4 tag=0x4001 bytes=100 align=65536\n",
                   holes);
    play_text(text);
    CHECK_EQ(seen[7].kind, LAB_COST_ALIGNED_K);
    CHECK_EQ(seen[7].k, 3);
    (void)snprintf(text, sizeof text,
                   "%saligned s5 tag=0x1001 bytes=15232 align=128\nfree s1\n"
                   "aligned s4 tag=0x1001 bytes=100 align=65536\n",
                   holes);
    play_text(text);
    CHECK_EQ(seen[8].k, 0); /* TAIL blocks and what lies between them are out of reach */
}

/* A growth that finds no room passes blocks as a request of the block's alignment does; without an
 * alignment of its own it passes none. More than 32 is no kind. */
static void what_growths_and_long_searches_pass(void) {
    static const char holes[] = "heap dwords=400\n"
                                "alloc s0 tag=0x1001 bytes=300\n"
                                "alloc s1 tag=0x1001 bytes=4\n"
                                "%s s2 tag=0x1001 bytes=8 %s\n"
                                "alloc s3 tag=0x1001 bytes=1000\n"
                                "free s0\n"
                                "resize s2 bytes=200\n";
    char text[4096];
    (void)snprintf(text, sizeof text, holes, "aligned", "align=512");
    play_text(text);
    CHECK_EQ(seen[5].kind, LAB_COST_ALIGNED_K);
    CHECK_EQ(seen[5].k, 1);
    (void)snprintf(text, sizeof text, holes, "alloc", "");
    play_text(text);
    CHECK_EQ(seen[5].kind, LAB_COST_OTHER); /* it moves */
    for (unsigned count = 32; count <= 33; count++) {
        int length = snprintf(text, sizeof text, "heap dwords=4000 slots=256\n");
        for (unsigned i = 0; i < count * 2; i++) {
            length += snprintf(text + length, sizeof text - (size_t)length,
                               "alloc s%u tag=0x1001 bytes=40\n", i);
        }
        for (unsigned i = 0; i < count; i++) {
            length += snprintf(text + length, sizeof text - (size_t)length, "free s%u\n", i * 2);
        }
        (void)snprintf(text + length, sizeof text - (size_t)length,
                       "aligned s200 tag=0x1001 bytes=40 align=8192\n");
        play_text(text);
        CHECK_EQ(seen[seen_count - 1].k, count);
        CHECK_EQ(seen[seen_count - 1].kind, count <= 32 ? LAB_COST_ALIGNED_K : LAB_COST_OTHER);
    }
}

static uint32_t count_free(void) {
    uint32_t count = 0;
    for (size_t i = 0; i < seen_count; i++) {
        count += seen[i].kind == LAB_COST_FREE;
    }
    return count;
}

/* Every comb made by hand is a script of the language, plays, and ends with the call that it is
 * made for, or nearly: what is meant to find room may find none. */
static void combs_are_scripts(void) {
    static const uint32_t sizes[] = {64, 512, 8192};
    begin();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned as_meant = 0;
        for (int kind = 0; kind < LAB_COST_KINDS; kind++) {
            lab_comb comb;
            for (unsigned n = 0; lab_comb_made_by_hand((lab_cost_kind)kind, n, sizes[i], &comb);
                 n += 3) {
                CHECK(lab_comb_script(&comb, player, &script));
                CHECK(lab_script_is_valid(&script));
                CHECK(play(&uncounted));
                as_meant += seen_count > 0 && seen[seen_count - 1].op == script.count - 1 &&
                            seen[seen_count - 1].kind == (lab_cost_kind)kind;
            }
        }
        CHECK(as_meant > 100 || sizes[i] == 64);
    }
}

/* Of the same comb, a larger region has room for more. */
static void a_full_comb_fills_the_region(void) {
    lab_comb comb = {.dwords = 1024,
                     .alignment = 4,
                     .filled = true,
                     .last = LAB_COST_FAILED,
                     .bytes = 64,
                     .runs_count = 1,
                     .runs = {{false, LAB_COMB_FULL, 1, 16}}};
    begin();
    CHECK(lab_comb_script(&comb, player, &script));
    CHECK(play(&uncounted));
    CHECK_EQ(count_free(), (1024 - 6) / (7 + 10));
    CHECK_EQ(seen[seen_count - 1].kind, LAB_COST_FAILED);
    comb.dwords = 4096;
    CHECK(lab_comb_script(&comb, player, &script));
    CHECK(play(&uncounted));
    CHECK_EQ(count_free(), (4096 - 6) / (7 + 10));
    comb.dwords = 5;
    CHECK(!lab_comb_script(&comb, player, &script));
}

static void mutated_combs_are_scripts(void) {
    lab_random random = {th_test_seed(7)};
    lab_comb comb;
    begin();
    CHECK(lab_comb_made_by_hand(LAB_COST_ALLOC, 0, 1024, &comb));
    for (int i = 0; i < 300; i++) {
        lab_comb_mutate(&comb, &random);
        CHECK(lab_comb_script(&comb, player, &script));
        CHECK(lab_script_is_valid(&script));
        CHECK(play(&uncounted));
    }
}

static void an_ordinary_load_has_every_kind_but_one(void) {
    lab_random random = {1};
    unsigned by_kind[LAB_COST_KINDS + 1] = {0};
    begin();
    CHECK(lab_comb_ordinary(4096, LAB_LAYOUT_CLASSIC, 2000, &random, player, &script));
    CHECK(lab_script_is_valid(&script));
    CHECK(play(&uncounted));
    for (size_t i = 0; i < seen_count; i++) {
        by_kind[seen[i].kind]++;
    }
    for (int kind = 0; kind < LAB_COST_KINDS; kind++) {
        CHECK(by_kind[kind] > 10 || kind == LAB_COST_ALIGNED_K);
    }
}

/* ---- single-stepping ------------------------------------------------------------------------ */

typedef struct stepped {
    lab_cost_options options;
    uint64_t counts[2]; /* of the last call, in two plays */
} stepped;

static bool is_last(void *context, size_t index) {
    (void)context;
    return index + 1 == script.count;
}

static int play_stepped(void *context) {
    stepped *s = context;
    for (int i = 0; i < 2; i++) {
        if (!play(&s->options)) {
            return 1;
        }
        s->counts[i] = seen[seen_count - 1].count;
        for (size_t other = 0; other + 1 < seen_count; other++) {
            if (seen[other].count != 0) {
                return 2;
            }
        }
    }
    return 40 + (int)seen_count;
}

/* The same each time, and more for a walk, without an index, that passes more blocks. */
static void instructions_are_counted(void) {
    if (TH_TRACK_VALGRIND) {
        return; /* what is counted would be Valgrind's own instructions */
    }
    stepped *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(s != MAP_FAILED);
    lab_cost_player_destroy(player);
    player = lab_cost_player_new(LAB_DWORDS_MAX, TH_HEAP_INDEX_NONE);
    CHECK(player != NULL);
    s->options = (lab_cost_options){.how = LAB_COUNT_STEPS, .chosen = is_last, .note = note};
    play_text("heap dwords=400\n"
              "alloc s0 tag=0x1001 bytes=100\n"
              "free s0\n"
              "alloc s0 tag=0x1001 bytes=100\n");
    int status = lab_count_stepped(play_stepped, s);
    if (status == -1) { /* qemu's emulation of single programs has no ptrace, and that is said */
        CHECK_EQ(errno, ENOSYS);
        return;
    }
    CHECK_EQ(status, 43);
    uint64_t near = s->counts[1];
    CHECK(near > 20);
    CHECK(near < 1000000);
    play_text("heap dwords=400\n"
              "alloc s0 tag=0x1001 bytes=4\n"
              "alloc s1 tag=0x1001 bytes=4\n"
              "free s0\n"
              "alloc s2 tag=0x1001 bytes=100\n");
    CHECK_EQ(lab_count_stepped(play_stepped, s), 44);
    CHECK(s->counts[1] > near);
    lab_cost_player_destroy(player);
    player = NULL;
    (void)munmap(s, sizeof *s);
}

static int end_itself(void *context) {
    (void)context;
    (void)raise(SIGKILL);
    return 0;
}

static void how_the_process_ends_is_told(void) {
    int status = lab_count_stepped(end_itself, NULL);
    CHECK(status == 128 + SIGKILL || (status == -1 && errno == ENOSYS));
}

static void clean_up(void) {
    lab_cost_player_destroy(player);
    lab_script_clean_up(&script);
}

TH_SUITE("worst", TEST(calls_are_told_apart), TEST(other_calls_are_no_kind),
         TEST(passed_blocks_are_counted), TEST(blocks_passed_from_above_are_counted),
         TEST(what_growths_and_long_searches_pass), TEST(combs_are_scripts),
         TEST(a_full_comb_fills_the_region), TEST(mutated_combs_are_scripts),
         TEST(an_ordinary_load_has_every_kind_but_one), TEST(instructions_are_counted),
         TEST(how_the_process_ends_is_told), TEST(clean_up))
