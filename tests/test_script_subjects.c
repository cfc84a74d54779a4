/* SPDX-License-Identifier: MIT */
/* Scripts for other subjects than the heap: the text form says what is done there. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script/script.h"
#include "suite.h"
#include "text_fixture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#define OF(subject) "heap dwords=9 align=8 guard=3 slots=16 start=0 variant=0 subject=" subject "\n"

static void subjects_have_words_of_their_own(void) {
    const char *marks = OF("arena") "alloc s0 bytes=100\n"
                                    "alloc s0 bytes=100 check-end\n"
                                    "zeroed s1 bytes=half+1 use-all\n"
                                    "array s2 bytes=2^32 check-end use-all\n"
                                    "duplicate s3 bytes=9\n"
                                    "aligned s4 bytes=9 align=96\n"
                                    "resize s4 bytes=0\n"
                                    "halve s1\n"
                                    "free s1\n"
                                    "mark\n"
                                    "rollback\n"
                                    "reset\n"
                                    "batch count=7 bytes=2097152\n"
                                    "batch count=0 bytes=1\n"
                                    "find byte=max-5\n"
                                    "refusals bytes=5\n"
                                    "init\n"
                                    "overflow s1 at=5\n"
                                    "free-inside s1 at=5\n"
                                    "use-after-free s1 at=5\n"
                                    "double-free s1\n"
                                    "skip attack s1 on=below at=7\n"
                                    "skip attack s1 on=link at=half+7\n"
                                    "skip retag s1 tag=0x0007\n";
    const char *frames = OF("frame") "end-frame\nreset\nskip copy\n";
    const char *blocks = OF("pool") "reset\nskip compact veto=0x01 reenter\nskip copy\n";
    const char *plugin = OF("plugin family=marks") "mark\nrollback\nreset\n";
    const char *tags = OF("tagged-moves") "alloc s0 tag=0x4001 bytes=100\n"
                                          "zeroed s0 tag=0xff00 bytes=100\n"
                                          "aligned s0 tag=0x4001 bytes=100 align=3\n"
                                          "resize s4 bytes=0\n"
                                          "freetags 0x1000..0x1fff\n"
                                          "compact veto=0x05\n"
                                          "compact veto=0x05 reenter\n"
                                          "compact-some bytes=max-0 veto=0x00\n"
                                          "reset\n"
                                          "halve s1\n"
                                          "double-free s1\n"
                                          "skip retag s1 tag=0x0007\n";
    text_prints(marks, marks);
    text_prints(frames, frames);
    text_prints(blocks, blocks);
    text_prints(plugin, plugin);
    text_prints(tags, tags);
    text_prints(OF("tagged-moves") "compact\ncompact-some bytes=1\n",
                OF("tagged-moves") "compact veto=0x00\ncompact-some bytes=1 veto=0x00\n");
    text_prints("heap dwords=9 align=8 subject=plugin family=blocks\nreset",
                OF("plugin") "reset\n");
    text_prints(OF("arena") "batch bytes=3 count=2\nzeroed use-all check-end bytes=1 s3",
                OF("arena") "batch count=2 bytes=3\nzeroed s3 bytes=1 check-end use-all\n");
}

/* What the heap would make of an operation and the subject does not is kept. */
static void what_means_nothing_is_kept(void) {
    const char *text = OF("arena") "alloc s0 bytes=1 unused tag=0x1008\n"
                                   "alloc s0 bytes=1 use-all unused tag=0x000c\n"
                                   "array s0 bytes=1 check-end unused tag=0xff20\n"
                                   "aligned s0 bytes=1 align=8 unused tag=0x0001\n"
                                   "mark unused veto=0x04\n"
                                   "mark unused reenter\n"
                                   "rollback unused 0x0000..0x7fff\n"
                                   "batch count=1 bytes=2 unused budget=half+0 veto=0x01 reenter\n"
                                   "batch count=1 bytes=2 unused budget=2^0\n"
                                   "double-free s0 unused at=5\n";
    text_prints(text, text);
    text_prints(OF("arena") "mark unused veto=0x00", OF("arena") "mark\n");
}

/* Every operation there is, on a subject of every family, and what its tag may be. */
static void every_operation_is_said_on_every_subject(void) {
    static const uint8_t subjects[] = {LAB_SUBJECT_HEAP, LAB_SUBJECT_PLUGIN, LAB_SUBJECT_PLUGIN,
                                       LAB_SUBJECT_PLUGIN, LAB_SUBJECT_PLUGIN};
    lab_script script = {.config = {9, 4, 0, 3, 0, 16, 0, 0, 0}};
    lab_script again = {0};
    lab_text_error error;
    for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
        for (unsigned tag = 0; tag <= UINT16_MAX; tag += tag < 128 ? 1 : 1021) {
            uint8_t record[LAB_HEADER_BYTES + LAB_RECORD_BYTES] = {0, 9, 0, 0, (uint8_t)byte};
            record[5] = (uint8_t)(tag * 7);
            record[8] = (uint8_t)tag;
            record[9] = (uint8_t)(tag >> 8);
            record[10] = (uint8_t)(tag * 5);
            record[11] = (uint8_t)(tag * 3);
            record[13] = (uint8_t)tag;
            lab_script one = {0};
            CHECK(lab_script_decode(&one, record, sizeof record));
            CHECK(lab_script_append(&script, one.ops[0]));
            lab_script_clean_up(&one);
        }
    }
    for (unsigned family = 0; family < COUNT_OF(subjects); family++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        script.config.subject = subjects[family];
        script.config.plugin_family =
            (uint8_t)(subjects[family] == LAB_SUBJECT_PLUGIN ? family - 1 : 0);
        CHECK(lab_script_is_valid(&script));
        lab_script_print(&script, out);
        CHECK_EQ(fclose(out), 0);
        CHECK(lab_script_parse(&again, text, size, &error));
        CHECK(lab_script_equal(&script, &again));
        free(text);
    }
    lab_script_clean_up(&script);
    lab_script_clean_up(&again);
}

#define DEEDS                                                                                      \
    "expected alloc, zeroed, array, duplicate, aligned, resize, halve, free, reset, batch, find, " \
    "refusals, init, overflow, free-inside, use-after-free, double-free, skip; found "
#define OPEN "expected after unused what the other words leave open"

/* A word of the heap's gets those of the subject's for an answer. */
static void errors_on_subjects_say_the_word(void) {
    static const text_refusal refusals[] = {
        {OF("pool") "frobnicate s1", 2, 1, DEEDS "\"frobnicate\""},
        {OF("pool") "mark", 2, 1, DEEDS "\"mark\""},
        {OF("arena") "compact", 2, 1, "expected mark, batch on this subject; found \"compact\""},
        {OF("arena") "freetags 0..1", 2, 1,
         "expected rollback on this subject; found \"freetags\""},
        {OF("arena") "copy", 2, 1, "expected reset on this subject; found \"copy\""},
        {OF("frame") "compact", 2, 1,
         "expected end-frame, batch on this subject; found \"compact\""},
        {OF("pool") "compact", 2, 1, "expected batch on this subject; found \"compact\""},
        {OF("pool") "copy", 2, 1,
         "expected skip before what the subject does not do; found \"copy\""},
        {OF("pool") "trim s1", 2, 1, "expected halve on this subject; found \"trim\""},
        {OF("pool") "attack s1 on=canary at=1", 2, 1,
         "expected overflow, free-inside, use-after-free, double-free on this subject; found "
         "\"attack\""},
        {OF("pool") "alloc s1 tag=0x0001 bytes=4", 2, 10,
         "expected alloc, zeroed, array, duplicate without a tag; found \"tag=0x0001\""},
        {OF("pool") "aligned s1 tag=1 bytes=4 align=4", 2, 12,
         "expected aligned without a tag; found \"tag=1\""},
        {OF("pool") "alloc s1 align=4", 2, 10,
         "expected sN bytes=N check-end use-all after alloc; found \"align=4\""},
        {OF("pool") "alloc s1", 2, 1, "expected bytes=N after alloc; found the end of the line"},
        {OF("pool") "alloc check-end s1 check-end", 2, 20,
         "expected one check-end; found another: \"check-end\""},
        {OF("pool") "alloc check-ends", 2, 7, "expected check-end; found \"check-ends\""},
        {OF("pool") "alloc use-alls", 2, 7, "expected use-all; found \"use-alls\""},
        {OF("pool") "batch count=8 bytes=1", 2, 7,
         "expected count=N, N up to 7; found \"count=8\""},
        {OF("pool") "batch count=1 bytes=0", 2, 15,
         "expected bytes=N, N from 1 to 2097152; found \"bytes=0\""},
        {OF("pool") "batch count=1 bytes=2097153", 2, 15,
         "expected bytes=N, N from 1 to 2097152; found \"bytes=2097153\""},
        {OF("pool") "batch count=1", 2, 1,
         "expected bytes=N after batch; found the end of the line"},
        {OF("tagged-moves") "alloc s1 bytes=1", 2, 1,
         "expected tag=N after alloc; found the end of the line"},
        {OF("tagged-moves") "free s1 tag=1", 2, 9, "expected free without a tag; found \"tag=1\""},
        {OF("tagged-moves") "compact unused veto=1", 2, 16,
         "expected nothing after unused; found \"veto=1\""},
        {OF("tagged-moves") "compact budget=1", 2, 9,
         "expected veto=N reenter after compact; found \"budget=1\""},
        {OF("pool") "skip", 2, 1, "expected an operation after skip; found the end of the line"},
        {OF("pool") "skip reset", 2, 6, OPS "\"reset\""},
        {OF("pool") "skip freetags 0..1", 2, 1,
         "expected reset, which the subject does; found \"skip\""},
        {OF("pool") "skip compact budget=1", 2, 1,
         "expected batch, which the subject does; found \"skip\""},
        {OF("pool") "skip copy unused", 2, 11, "expected nothing after copy; found \"unused\""},
        {OF("pool") "skip \x01", 2, 6, "expected text; found the control byte \"\\x01\""},
        {OF("pool") "free s1 unused", 2, 9, OPEN},
        {OF("pool") "free s1 unused s1", 2, 16, "expected nothing after unused; found \"s1\""},
        {OF("arena") "mark unused veto=1 unused", 2, 6, OPEN},
        {OF("arena") "mark unused veto=256", 2, 13, VETO "\"veto=256\""},
        {OF("arena") "mark veto=1", 2, 6, "expected nothing after mark; found \"veto=1\""},
        {OF("pool") "alloc s1 bytes=1 unused tag=0x0001", 2, 18, OPEN},
        {OF("pool") "alloc s1 bytes=1 unused tag=0x0004", 2, 18, OPEN},
        {OF("pool") "alloc s1 bytes=1 unused tag=0x0010", 2, 18, OPEN},
        {OF("pool") "alloc s1 bytes=1 check-end unused tag=0x0008", 2, 28, OPEN},
        {OF("pool") "alloc s1 bytes=1 use-all unused tag=0x0020", 2, 26, OPEN},
        {OF("pool") "batch count=1 bytes=1 unused budget=8", 2, 23, OPEN},
        {PLAIN "mark", 2, 1, OPS "\"mark\""},
        {PLAIN "copy unused", 2, 6, "expected nothing after copy; found \"unused\""},
        {PLAIN "skip copy", 2, 1, OPS "\"skip\""},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        text_is_refused(&refusals[i], strlen(refusals[i].text));
    }
}

TH_SUITE("script_subjects", TEST(subjects_have_words_of_their_own),
         TEST(what_means_nothing_is_kept), TEST(every_operation_is_said_on_every_subject),
         TEST(errors_on_subjects_say_the_word))
