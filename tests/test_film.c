/* SPDX-License-Identifier: MIT */
/* Films: every frame that is read is what the heap's walk, or the contract model, showed when it
 * was taken; damaged and cut streams end what is read, and nothing else; pages and pictures hold
 * what they must, escaped. */
#define _POSIX_C_SOURCE 200809L

#include "film/film.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "film/page.h"
#include "film/shots.h"
#include "runner/runner.h"
#include "subjects/subjects.h"
#include "suite.h"
#include "text_fixture.h"

enum { STREAM_BYTES_MAX = 1 << 16, BLOCKS_MAX = 64, FRAMES_MAX = 64 };

/* Where a film goes, and beside it what was seen when each frame was taken. */
typedef struct recording {
    lab_film_writer writer;
    uint8_t stream[STREAM_BYTES_MAX];
    size_t size;
    size_t room; /* of the stream; what does not fit is refused */
    struct {
        lab_film_block blocks[BLOCKS_MAX];
        size_t count;
        bool counted; /* the figures, too */
        uint64_t figures[LAB_FILM_FIGURES];
    } seen[FRAMES_MAX];
    size_t frames;
} recording;

static bool keep(void *context, const uint8_t *bytes, size_t size) {
    recording *r = context;
    if (r->size + size > r->room) {
        return false;
    }
    memcpy(r->stream + r->size, bytes, size);
    r->size += size;
    return true;
}

static recording *fresh(void) {
    static recording one;
    memset(&one, 0, sizeof one);
    one.room = sizeof one.stream;
    one.writer.sink = keep;
    one.writer.context = &one;
    return &one;
}

static void see(recording *r, lab_film_block block) {
    r->seen[r->frames].blocks[r->seen[r->frames].count++] = block;
}

static bool equal(const lab_film_block *a, const lab_film_block *b) {
    return a->at == b->at && a->bytes == b->bytes && a->requested == b->requested &&
           a->kind == b->kind && a->tag == b->tag && a->owner == b->owner;
}

/* Everything that was seen is read, and nothing else. */
static lab_film_mark read_all(const recording *r) {
    lab_film_reader reader;
    lab_film_open(&reader, r->stream, r->size);
    while (lab_film_next(&reader)) {
        size_t frame = reader.frames - 1;
        CHECK_EQ(reader.state.count, r->seen[frame].count);
        CHECK(!r->seen[frame].counted ||
              memcmp(reader.figures, r->seen[frame].figures, sizeof reader.figures) == 0);
        for (size_t i = 0; i < r->seen[frame].count; i++) {
            bool found = false;
            for (size_t j = 0; j < reader.state.count; j++) {
                found = found || equal(&r->seen[frame].blocks[i], &reader.state.blocks[j]);
            }
            CHECK(found);
        }
    }
    lab_film_mark end = reader.end;
    CHECK_EQ(reader.frames, r->frames);
    lab_film_reader_clean_up(&reader);
    return end;
}

/* ---- of heaps and subjects ---------------------------------------------------------------- */

static void see_heap(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    recording *r = context;
    th_heap_block b;
    (void)op;
    (void)index;
    lab_film_shoot_heap(&r->writer, heap, NULL);
    for (bool more = th_heap_first(heap, &b); more; more = th_heap_next(heap, &b)) {
        size_t payload = (size_t)((unsigned char *)b.payload - heap->base);
        see(r, (lab_film_block){
                   .at = b.offset * 4u,
                   .bytes = payload - b.offset * 4u + b.size_dwords * 4u,
                   .requested = b.requested_bytes,
                   .kind = b.tag == heap->tag_free            ? LAB_FILM_FREE
                           : b.tag > (heap->tag_free - 1) / 2 ? LAB_FILM_TAIL
                                                              : LAB_FILM_HEAD,
                   .tag = b.tag,
                   .owner = b.site,
               });
    }
    const th_heap_stats stats = th_heap_get_stats(heap);
    uint64_t *figures_seen = r->seen[r->frames].figures;
    for (size_t i = 0; i < r->seen[r->frames].count; i++) {
        figures_seen[LAB_FILM_REQUESTED] += r->seen[r->frames].blocks[i].requested;
    }
    figures_seen[LAB_FILM_USED] = stats.used_bytes;
    figures_seen[LAB_FILM_UNUSED] = stats.free_bytes;
    figures_seen[LAB_FILM_LARGEST] = stats.largest_free_bytes;
    r->seen[r->frames].counted = true;
    r->frames++;
}

static void film_heap(recording *r, const char *text) {
    lab_script script = {0};
    lab_failure failure;
    lab_run_options options = {.guard = -1, .after_op = see_heap, .context = r};
    lab_runner *runner = lab_runner_new();
    text_parse(&script, text);
    CHECK(lab_runner_play(runner, &script, &options, &failure, NULL));
    lab_film_end(&r->writer, LAB_FILM_PASSED, &failure);
    lab_runner_destroy(runner);
    lab_script_clean_up(&script);
}

#define OPERATIONS                                                                                 \
    "alloc s0 tag=0x1001 bytes=100\n"                                                              \
    "aligned s1 tag=0x1002 bytes=24 align=64\n"                                                    \
    "alloc s2 tag=0x1003 bytes=201\n"                                                              \
    "alloc s3 tag=0x4001 bytes=64\n"                                                               \
    "free s0\n"                                                                                    \
    "free s0\n"                                                                                    \
    "resize s2 bytes=300\n"                                                                        \
    "compact veto=0x02\n"                                                                          \
    "copy\n"                                                                                       \
    "alloc s4 tag=0x4002 bytes=90\n"                                                               \
    "freetags 0x1000..0x1FFF\n"

static void frames_are_what_the_walk_shows(void) {
    static const char *const lines[] = {
        "heap dwords=400 align=4 guard=3\n" OPERATIONS,
        "heap dwords=500 align=16 guard=0\n" OPERATIONS,
        "heap dwords=400 align=8 guard=0 layout=lean\n" OPERATIONS,
        "heap dwords=500 align=8 guard=1 layout=wide\n" OPERATIONS,
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        recording *r = fresh();
        film_heap(r, lines[i]);
        CHECK_EQ(r->frames, 12u);
        CHECK_EQ(read_all(r), LAB_FILM_PASSED);
        lab_film_writer_clean_up(&r->writer);
    }
}

static void film_subject(recording *r, const char *text) {
    lab_script script = {0};
    lab_failure failure;
    lab_contract_runner *runner = lab_contract_runner_new();
    text_parse(&script, text);
    CHECK(lab_contract_runner_begin(runner, lab_subject_at(script.config.subject), &script, NULL,
                                    &failure));
    for (size_t i = 0; i < script.count; i++) {
        CHECK(lab_contract_runner_step(runner, i));
        lab_film_shoot_subject(&r->writer, runner);
        const lab_contract *contract = lab_contract_runner_contract(runner);
        const lab_backing *backing = lab_contract_runner_look(runner).backing;
        uintptr_t start = (uintptr_t)backing->region + backing->start;
        for (size_t j = 0; j < backing->count; j++) {
            see(r, (lab_film_block){.at = (uintptr_t)backing->blocks[j].at - start,
                                    .bytes = backing->blocks[j].bytes,
                                    .kind = LAB_FILM_MEMORY});
        }
        for (uint32_t j = 0; j < contract->slots_used; j++) {
            const lab_contract_block *b = &contract->slots[j];
            bool inside = (uintptr_t)b->at - start < LAB_BACKING_REGION_BYTES;
            if (b->at != NULL) {
                see(r, (lab_film_block){.at = (uintptr_t)b->at - (inside ? start : 0),
                                        .bytes = b->extent,
                                        .requested = b->bytes,
                                        .kind = inside ? LAB_FILM_BLOCK : LAB_FILM_ELSEWHERE,
                                        .tag = b->tag,
                                        .owner = j + 1});
            }
        }
        r->frames++;
    }
    CHECK(lab_contract_runner_end(runner, NULL));
    lab_film_end(&r->writer, LAB_FILM_PASSED, NULL);
    lab_contract_runner_destroy(runner);
    lab_script_clean_up(&script);
}

static void frames_are_what_a_subject_has(void) {
    static const char *const names[] = {"arena", "malloc", "buddy", "pool"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[512];
        (void)snprintf(text, sizeof text,
                       "heap dwords=4000 align=8 subject=%s\n"
                       "alloc s0 bytes=100\nalloc s3 bytes=24\nalloc s1 bytes=200\nfree s0\n"
                       "resize s1 bytes=300\nalloc s0 bytes=17\n",
                       names[i]);
        recording *r = fresh();
        film_subject(r, text);
        CHECK_EQ(r->frames, 6u);
        CHECK_EQ(read_all(r), LAB_FILM_PASSED);
        lab_film_writer_clean_up(&r->writer);
    }
}

/* ---- streams ------------------------------------------------------------------------------ */

static const uint64_t figures[LAB_FILM_FIGURES] = {1, 127, 128, UINT64_MAX};

static void numbers_of_each_length(void) {
    recording *r = fresh();
    lab_film_reader reader;
    lab_film_begin(&r->writer, 24, UINT64_MAX);
    for (unsigned bit = 0; bit < 60; bit++) {
        uint64_t at = (uint64_t)1 << bit;
        lab_film_block block = {at, at + 1, at - 1, LAB_FILM_HEAD, UINT32_MAX, (uint32_t)bit};
        lab_film_add(&r->writer, &block);
        see(r, block);
    }
    lab_film_frame(&r->writer, figures);
    r->frames = 1;
    CHECK_EQ(read_all(r), 0);
    lab_film_open(&reader, r->stream, r->size);
    CHECK_EQ(reader.header_bytes, 24u);
    CHECK(reader.memory_bytes == UINT64_MAX);
    CHECK(lab_film_next(&reader));
    CHECK(memcmp(reader.figures, figures, sizeof figures) == 0);
    lab_film_reader_clean_up(&reader);
    lab_film_writer_clean_up(&r->writer);
}

static void a_frame_without_changes_is_short(void) {
    recording *r = fresh();
    static const uint64_t nothing[LAB_FILM_FIGURES] = {0};
    const lab_film_block block = {96, 40, 12, LAB_FILM_TAIL, 0x4001, 3};
    lab_film_begin(&r->writer, 24, 400);
    size_t begun = r->size;
    lab_film_add(&r->writer, &block);
    lab_film_frame(&r->writer, nothing);
    size_t first = r->size;
    CHECK_EQ(first - begun, 1u + LAB_FILM_FIGURES + 1u + 8u); /* 0x4001 takes three bytes */
    lab_film_add(&r->writer, &block);
    lab_film_frame(&r->writer, nothing);
    CHECK_EQ(r->size - first, 1u + LAB_FILM_FIGURES + 1u);
    first = r->size;
    lab_film_frame(&r->writer, nothing); /* the block is gone: 0, layer, place */
    CHECK_EQ(r->size - first, 1u + LAB_FILM_FIGURES + 1u + 3u);
    lab_film_writer_clean_up(&r->writer);
}

static void frames_may_have_many_blocks(void) {
    enum { MANY = 1000 };
    recording *r = fresh();
    lab_film_reader reader;
    lab_film_begin(&r->writer, 0, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        lab_film_block block = {i * 8u, 8, 8, LAB_FILM_BLOCK, 0, i};
        lab_film_add(&r->writer, &block);
    }
    lab_film_frame(&r->writer, figures);
    lab_film_open(&reader, r->stream, r->size);
    CHECK(lab_film_next(&reader));
    CHECK_EQ(reader.state.count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        CHECK_EQ(reader.state.blocks[i].owner, i);
    }
    lab_film_reader_clean_up(&reader);
    lab_film_writer_clean_up(&r->writer);
}

static void each_field_is_a_change(void) {
    static const lab_film_block block = {96, 40, 12, LAB_FILM_TAIL, 0x4001, 3};
    for (int field = 0; field < 5; field++) {
        recording *r = fresh();
        lab_film_block other = block;
        other.bytes += field == 0;
        other.requested += field == 1;
        other.kind = field == 2 ? LAB_FILM_HEAD : other.kind;
        other.tag += field == 3;
        other.owner += field == 4;
        lab_film_begin(&r->writer, 24, 400);
        lab_film_add(&r->writer, &block);
        see(r, block);
        lab_film_frame(&r->writer, figures);
        r->frames++;
        lab_film_add(&r->writer, &other);
        see(r, other);
        lab_film_frame(&r->writer, figures);
        r->frames++;
        CHECK_EQ(read_all(r), 0);
        lab_film_writer_clean_up(&r->writer);
    }
}

static void blocks_come_in_any_order(void) {
    recording *r = fresh();
    lab_film_begin(&r->writer, 0, 0);
    static const lab_film_block blocks[] = {
        {500, 8, 8, LAB_FILM_BLOCK, 0, 1},         {100, 8, 8, LAB_FILM_BLOCK, 0, 2},
        {0x7000, 8, 8, LAB_FILM_ELSEWHERE, 0, 3},  {100, 800, 0, LAB_FILM_MEMORY, 0, 0},
        {100, 8, 8, LAB_FILM_EXPECTED_HEAD, 0, 2},
    };
    enum { COUNT = sizeof blocks / sizeof blocks[0] };
    for (size_t frame = 0; frame < COUNT; frame++) {
        for (size_t i = 0; i < COUNT; i++) {
            if (i != frame) { /* another one is missing each time */
                lab_film_add(&r->writer, &blocks[i]);
                see(r, blocks[i]);
            }
        }
        lab_film_frame(&r->writer, figures);
        r->frames++;
    }
    CHECK_EQ(read_all(r), 0);
    lab_film_writer_clean_up(&r->writer);
}

static void a_failure_is_read(void) {
    recording *r = fresh();
    lab_film_reader reader;
    lab_failure failure = {LAB_PROPERTY_BLOCKS, 300, "size", "expected 1, found 2"};
    lab_film_end(&r->writer, LAB_FILM_FAILED, &failure);
    lab_film_open(&reader, r->stream, r->size);
    CHECK(!lab_film_next(&reader));
    CHECK_EQ(reader.end, LAB_FILM_FAILED);
    CHECK(reader.failed_op == 300);
    CHECK(strcmp(reader.failure, "property=blocks detail=size: expected 1, found 2") == 0);
    CHECK(!lab_film_next(&reader));
    lab_film_reader_clean_up(&reader);
    lab_film_writer_clean_up(&r->writer);
}

static void cut_and_damaged_streams_end_early(void) {
    recording *r = fresh();
    film_heap(r, "heap dwords=400 align=4 guard=1\n" OPERATIONS);
    size_t whole = r->size;
    size_t frames = 0;
    uint8_t *copy = malloc(whole);
    CHECK(copy != NULL);
    for (size_t size = 0; size < whole; size++) {
        lab_film_reader reader;
        uint8_t *part = malloc(size + 1); /* so that tools see what is read after it */
        CHECK(part != NULL);
        memcpy(part, r->stream, size);
        lab_film_open(&reader, part, size);
        while (lab_film_next(&reader)) {
        }
        CHECK(reader.frames >= frames);
        CHECK(reader.end == 0);
        frames = reader.frames;
        lab_film_reader_clean_up(&reader);
        free(part);
    }
    CHECK_EQ(frames, r->frames);
    for (size_t at = 0; at < whole; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            lab_film_reader reader;
            memcpy(copy, r->stream, whole);
            copy[at] = (uint8_t)(copy[at] ^ (1u << bit));
            lab_film_open(&reader, copy, whole);
            while (lab_film_next(&reader)) {
            }
            CHECK(reader.next <= whole);
            lab_film_reader_clean_up(&reader);
        }
    }
    free(copy);
    lab_film_writer_clean_up(&r->writer);
}

static void a_sink_that_is_full_is_noticed(void) {
    recording *r = fresh();
    r->room = 8;
    lab_film_begin(&r->writer, 24, 400);
    CHECK(!r->writer.broken);
    lab_film_frame(&r->writer, figures);
    CHECK(r->writer.broken);
    lab_film_writer_clean_up(&r->writer);
}

/* ---- what is made of them ----------------------------------------------------------------- */

static char *text_of(FILE *file, char **text) {
    CHECK(file != NULL && fclose(file) == 0);
    return *text;
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

static void a_picture_shows_each_block(void) {
    recording *r = fresh();
    lab_film_reader reader;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    /* Eight rows of 100 bytes. The TAIL block reaches into a second row. */
    static const lab_film_block blocks[] = {{0, 50, 20, LAB_FILM_HEAD, 0, 1},
                                            {50, 640, 0, LAB_FILM_FREE, 0x7FFF, 0},
                                            {690, 110, 86, LAB_FILM_TAIL, 0x4001, 2}};
    lab_film_begin(&r->writer, 24, 800);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        lab_film_add(&r->writer, &blocks[i]);
    }
    lab_film_frame(&r->writer, figures);
    lab_film_open(&reader, r->stream, r->size);
    CHECK(lab_film_next(&reader));
    lab_picture_print(&reader, "a <b> & \"c\"\n", file);
    text_of(file, &text);
    CHECK(strstr(text, "<title>a &#60;b&#62; &#38; &#34;c&#34;?</title>") != NULL);
    CHECK(strstr(text, "<rect x=\"72.00\" y=\"30\" width=\"500.00\" height=\"30\" fill=") != NULL);
    CHECK(strstr(text, "<rect x=\"72.00\" y=\"30\" width=\"240.00\" height=\"30\" "
                       "class=\"header\"") != NULL);
    CHECK(strstr(text, "<rect x=\"512.00\" y=\"30\" width=\"60.00\" height=\"30\" "
                       "class=\"slack\"") != NULL);
    CHECK_EQ(count_of(text, "height=\"30\" fill=\"hsl(5 "), 2u);
    CHECK_EQ(count_of(text, "height=\"30\" class=\"free\""), 7u);
    CHECK_EQ(count_of(text, "height=\"30\" class=\"slack\""), 1u);
    CHECK(strstr(text, "viewBox=\"0 0 1080 360\"") != NULL);
    /* The second row, and the legend under the last one. */
    CHECK(strstr(text, "<rect x=\"72\" y=\"68\" width=\"1000\" height=\"30\" class=\"none\"") !=
          NULL);
    CHECK(strstr(text, "<rect x=\"72\" y=\"338\" width=\"14\"") != NULL);
    lab_film_reader_clean_up(&reader);
    lab_film_writer_clean_up(&r->writer);
    free(text);
}

static void a_page_holds_film_and_words(void) {
    recording *r = fresh();
    lab_script script = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    const char *line = "heap dwords=400 align=4 guard=1\nalloc s0 tag=0x1001 bytes=100\nfree s0\n";
    film_heap(r, line);
    text_parse(&script, line);
    const lab_page page = {.script = &script,
                           .path = "</script><b>\"",
                           .subject = "heap",
                           .film = r->stream,
                           .size = r->size};
    lab_page_print(&page, file);
    text_of(file, &text);
    CHECK(strstr(text, "<b>") == NULL);
    CHECK(strstr(text, "<!-- @") == NULL);
    CHECK(strstr(text, "{\"path\":\"\\u003c/script\\u003e\\u003cb\\u003e\\u0022\",\"subject\":"
                       "\"heap\",\"heap\":true,\"alignment\":4,\"guard\":1,\"end\":"
                       "\"The script passed.\"}") != NULL);
    CHECK(strstr(text, "2 operations, 2 played. The script passed.") != NULL);
    CHECK(strstr(text, "<li>alloc s0 tag=0x1001 bytes=100</li>\n<li>free s0</li>") != NULL);
    CHECK(strstr(text, "id=\"film\">\nTEYx") != NULL); /* "LF1" in base64 */
    CHECK_EQ(count_of(text, "<svg"), 1u);
    lab_script_clean_up(&script);
    lab_film_writer_clean_up(&r->writer);
    free(text);
}

/* Each length of the last group: 0, 1 or 2 bytes are missing. */
static void base64_ends_as_it_must(void) {
    static const char *const wanted[] = {"TEYxGA==\n", "TEYxGAA=\n", "TEYxGAAB\n"};
    for (size_t i = 0; i < 3; i++) {
        lab_script script = {0};
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);
        static const uint8_t bytes[] = {'L', 'F', '1', 24, 0, 1};
        text_parse(&script, "heap dwords=100\n");
        const lab_page page = {
            .script = &script, .path = "", .subject = "", .film = bytes, .size = 4 + i};
        lab_page_print(&page, file);
        text_of(file, &text);
        char *film = strstr(text, "id=\"film\">\n");
        CHECK(film != NULL);
        CHECK(strncmp(film + strlen("id=\"film\">\n"), wanted[i], strcspn(wanted[i], "\n")) == 0);
        lab_script_clean_up(&script);
        free(text);
    }
}

TH_SUITE("film", TEST(frames_are_what_the_walk_shows), TEST(frames_are_what_a_subject_has),
         TEST(numbers_of_each_length), TEST(a_frame_without_changes_is_short),
         TEST(frames_may_have_many_blocks), TEST(each_field_is_a_change),
         TEST(blocks_come_in_any_order), TEST(a_failure_is_read),
         TEST(cut_and_damaged_streams_end_early), TEST(a_sink_that_is_full_is_noticed),
         TEST(a_picture_shows_each_block), TEST(a_page_holds_film_and_words),
         TEST(base64_ends_as_it_must))
