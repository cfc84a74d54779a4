/* SPDX-License-Identifier: MIT */
/* Scripts: the text form, its errors with their places, and script files. */
#define _POSIX_C_SOURCE   200809L
#define _FILE_OFFSET_BITS 64

#include "script/script.h"
#include "suite.h"
#include "text_fixture.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- what is accepted --------------------------------------------------------------------- */

static void printed_form_is_as_documented(void) {
    const char *text = "heap dwords=786432 align=16 guard=0 slots=65536 lowmem=1 start=240 locks=0 "
                       "index=0\n"
                       "alloc s65535 tag=0x7ffe bytes=100\n"
                       "aligned s3 tag=0x4001 bytes=half+3 align=2147483648\n"
                       "aligned s3 tag=0xff00 bytes=max-16777215 align=96\n"
                       "resize s3 bytes=200\n"
                       "trim s3\n"
                       "free s3\n"
                       "freetags 0x1000..0x1fff\n"
                       "freetags 0xffff..0xc000\n"
                       "compact veto=0x00\n"
                       "compact veto=0x05 reenter\n"
                       "compact budget=100 veto=0xff reenter\n"
                       "compact budget=max-0 veto=0x00\n"
                       "copy\n"
                       "find byte=123\n"
                       "null bytes=3\n"
                       "init\n"
                       "attack s7 on=canary at=5\n"
                       "attack s7 on=pointer at=max-5\n"
                       "alloc s1 tag=0x0000 bytes=2^32\n"
                       "alloc s1 tag=0x0000 bytes=2^63-131072\n"
                       "aligned s1 tag=0x0000 bytes=2^0+131071 align=9223372036854775808\n"
                       "aligned s1 tag=0x0000 bytes=2^31-1 align=4294967296\n";
    text_prints(text, text);
}

static void heap_line_has_defaults(void) {
    text_prints("heap dwords=750", PLAIN);
    text_prints("heap dwords=750 layout=classic", PLAIN);
    text_prints("heap layout=wide dwords=750",
                "heap dwords=750 align=4 guard=3 slots=16 lowmem=0 start=0 locks=1 index=1 "
                "layout=wide\n");
    text_prints("heap guard=0 layout=lean dwords=750",
                "heap dwords=750 align=4 guard=0 slots=16 lowmem=0 start=0 locks=1 index=1 "
                "layout=lean\n");
    text_prints("heap subject=malloc layout=auto dwords=750",
                "heap dwords=750 align=4 guard=3 slots=16 start=0 variant=0 layout=auto "
                "subject=malloc\n");
    text_prints("heap\tskew=0x2 slots=8 dwords=0x2eE lowmem=1 align=8 guard=00",
                "heap dwords=750 align=8 guard=0 slots=8 lowmem=1 start=16 locks=1 index=0\n");
}

/* The lowest skew is taken that agrees with what is given. */
static void skew_is_said_by_what_it_means(void) {
    static const struct {
        const char *keys;
        unsigned skew;
    } lines[] = {
        {"", 0},
        {"locks=0", 1},
        {"index=0", 2},
        {"locks=0 index=0", 3},
        {"locks=0 index=1", 1},
        {"start=20", 5},
        {"start=80 align=16", 5},
        {"start=24 locks=1 index=0", 6},
        {"skew=7", 7},
        {"skew=7 start=28 locks=0 index=0", 7},
        {"start=8 subject=pool", 2},
        {"variant=15 subject=pool", 15},
        {"start=120 align=8 variant=15 subject=plugin", 15},
    };
    lab_script script = {0};
    char text[128];
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        (void)snprintf(text, sizeof text, "heap dwords=9 %s\n", lines[i].keys);
        text_parse(&script, text);
        CHECK_EQ(script.config.skew, lines[i].skew);
    }
    lab_script_clean_up(&script);
}

static void layout_of_the_text_is_free(void) {
    text_prints("\n  # one\r\n\n\theap  dwords=750\t# two\r\n\r\nfree s1#three\r\n \n copy \r",
                PLAIN "free s1\ncopy\n");
    text_prints("# \xc3\xa9\theap\nheap dwords=750\ncopy", PLAIN "copy\n");
    text_prints(PLAIN "alloc bytes=0x10 tag=16 s0x0F\n", PLAIN "alloc s15 tag=0x0010 bytes=16\n");
    text_prints(PLAIN "aligned align=0x40 s1 tag=1 bytes=half+0x1f",
                PLAIN "aligned s1 tag=0x0001 bytes=half+31 align=64\n");
    text_prints(PLAIN "null bytes=2^0x20+0x10\nnull bytes=2^5-0\n",
                PLAIN "null bytes=2^32+16\nnull bytes=2^5\n");
    text_prints(PLAIN "compact\ncompact reenter\ncompact reenter budget=1\n",
                PLAIN "compact veto=0x00\ncompact veto=0x00 reenter\n"
                      "compact budget=1 veto=0x00 reenter\n");
}

static void lines_are_cut_to_capacity(void) {
    lab_script script = {0};
    char line[LAB_OP_LINE_BYTES_MAX];
    text_parse(&script, PLAIN "alloc s3 tag=0x1001 bytes=100\n");
    CHECK_EQ(lab_op_format(&script.config, script.ops, line, sizeof line), 29);
    CHECK(strcmp(line, "alloc s3 tag=0x1001 bytes=100") == 0);
    CHECK_EQ(lab_op_format(&script.config, script.ops, line, 9), 8);
    CHECK(strcmp(line, "alloc s3") == 0);
    CHECK_EQ(lab_op_format(&script.config, script.ops, line, 1), 0);
    CHECK(strcmp(line, "") == 0);
    lab_script_clean_up(&script);
}

static void parse_replaces_what_was_there(void) {
    lab_script script = {0};
    lab_text_error error;
    text_parse(&script, "heap dwords=1\ncopy\ncopy\n");
    text_parse(&script, "heap dwords=2\ninit\n");
    CHECK_EQ(script.config.dwords, 2);
    CHECK_EQ(script.count, 1);
    CHECK_EQ(script.ops[0].kind, LAB_OP_INIT);
    CHECK(!lab_script_parse(&script, "heap dwords=2\ninit\nfree\n", 24, &error));
    CHECK_EQ(script.count, 0);
    CHECK_EQ(script.config.dwords, 0);
    CHECK(!lab_script_parse(&script, NULL, 0, &error));
    lab_script_clean_up(&script);
}

/* ---- what is refused ---------------------------------------------------------------------- */

#define NO_HEAP_LINE "expected the heap line (heap dwords=N ...); found "

#define DWORDS "expected dwords=N, N up to 0xc0000; found "
#define TAG    "expected tag=N, N up to 0x7fff or 0xff00 to 0xffff; found "
#define BYTES  "expected bytes=N, half+N, max-N, N up to 0xffffff, or 2^K, 2^K+N, 2^K-N; found "
#define ALIGN  "expected align=N, a power of two or 0, 3, 5, 6, 12, 24, 48, 96; found "
#define TAGS   "expected LOW..HIGH, LOW a tag, HIGH up to 0xffff; found "
#define ON     "expected on=WHAT, one that `heaplab operations` lists; found "
#define SLOT   "expected sN, N less than the heap's slots; found "

#define TOGETHER                                                                                   \
    "expected start=N, N / align = K from 0 to 15, locks=1 iff K is even, index=1 iff K modulo 4 " \
    "is 0 or 1"

static void heap_line_errors_are_located(void) {
    static const text_refusal refusals[] = {
        {"", 1, 1, NO_HEAP_LINE "the end"},
        {"\n# x\n", 3, 1, NO_HEAP_LINE "the end"},
        {" # x", 1, 5, NO_HEAP_LINE "the end"},
        {"\n copy", 2, 2, NO_HEAP_LINE "\"copy\""},
        {"heapdwords=1", 1, 1, NO_HEAP_LINE "\"heapdwords=1\""},
        {"\n heap align=8\ncopy", 2, 2, "expected dwords=N after heap; found the end of the line"},
        {"heap dwords=786433", 1, 6, DWORDS "\"dwords=786433\""},
        {"heap dwords=", 1, 6, DWORDS "\"dwords=\""},
        {"heap dwords=-1", 1, 6, DWORDS "\"dwords=-1\""},
        {"heap dwords=0x", 1, 6, DWORDS "\"dwords=0x\""},
        {"heap dwords=12a", 1, 6, DWORDS "\"dwords=12a\""},
        {"heap dwords=18446744073709551617", 1, 6, DWORDS "\"dwords=18446744073709551617\""},
        {"heap dwords=4294967297", 1, 6, DWORDS "\"dwords=4294967297\""},
        {"heap dwords=1 dwords=1", 1, 15, "expected one dwords=; found another: \"dwords=1\""},
        {"heap dwords=1 align=12", 1, 15, "expected align=4, 8 or 16; found \"align=12\""},
        {"heap dwords=1 align=2", 1, 15, "expected align=4, 8 or 16; found \"align=2\""},
        {"heap dwords=1 align=0", 1, 15, "expected align=4, 8 or 16; found \"align=0\""},
        {"heap dwords=1 guard=4", 1, 15, "expected guard=0 to 3; found \"guard=4\""},
        {"heap dwords=1 lowmem=2", 1, 15, "expected lowmem=0 or 1; found \"lowmem=2\""},
        {"heap dwords=1 skew=16", 1, 15, "expected skew=0 to 15; found \"skew=16\""},
        {"heap dwords=1 slots=32", 1, 15,
         "expected slots=8, 16, 64, 256, 1024, 4096, 16384, 65536; found \"slots=32\""},
        {"heap dwords=1 layout=thin", 1, 15,
         "expected layout=classic, lean, wide or auto; found \"layout=thin\""},
        {"heap dwords=1 layout=2", 1, 15,
         "expected layout=classic, lean, wide or auto; found \"layout=2\""},
        {"\n heap layout=lean dwords=1", 2, 2,
         "expected guard=0 beside layout=lean, which has no guards"},
        {"heap guard=1 layout=lean dwords=1", 1, 1,
         "expected guard=0 beside layout=lean, which has no guards"},
        {"heap dwords=1 slots=24", 1, 15,
         "expected slots=8, 16, 64, 256, 1024, 4096, 16384, 65536; found \"slots=24\""},
        {"heap x dwords=1", 1, 6,
         "expected dwords=, align=, guard=, slots=, lowmem=, start=, locks=, index=, variant=, "
         "layout=, subject= or family=; found \"x\""},
        {"heap dwords=1 start=241", 1, 15,
         "expected start=N, N up to 15 x align; found \"start=241\""},
        {"heap dwords=1 index=2", 1, 15, "expected index=0 or 1; found \"index=2\""},
        {"heap dwords=1 locks=2", 1, 15, "expected locks=0 or 1; found \"locks=2\""},
        {"heap dwords=1 variant=16 subject=pool", 1, 15,
         "expected variant=0 to 15; found \"variant=16\""},
        {"heap dwords=1 start=2", 1, 1, TOGETHER},
        {"heap dwords=1 start=64", 1, 1, TOGETHER},
        {"heap dwords=1 start=4 locks=1", 1, 1, TOGETHER},
        {"heap dwords=1 start=4 index=0", 1, 1, TOGETHER},
        {"heap dwords=1 skew=3 start=8", 1, 1, TOGETHER},
        {"heap dwords=1 variant=3", 1, 1, "expected variant= beside another subject than the heap"},
        {"heap dwords=1 locks=1 subject=pool", 1, 1,
         "expected locks= and index= beside no subject but the heap"},
        {"heap dwords=1 index=1 subject=pool", 1, 1,
         "expected locks= and index= beside no subject but the heap"},
        {"heap dwords=1 start=8 variant=1 subject=pool", 1, 1,
         "expected start=N, N / align from 0 to 15, and variant= the same"},
        {"heap dwords=1 skew=2 variant=1 subject=pool", 1, 1,
         "expected start=N, N / align from 0 to 15, and variant= the same"},
        {"heap dwords=1 family=marks", 1, 1, "expected family= beside subject=plugin only"},
        {"heap dwords=1 family=heap subject=plugin", 1, 15,
         "expected family=blocks, marks, frames or tags; found \"family=heap\""},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        text_is_refused(&refusals[i], strlen(refusals[i].text));
    }
}

static void operation_errors_are_located(void) {
    static const text_refusal refusals[] = {
        {PLAIN "frobnicate s1", 2, 1, OPS "\"frobnicate\""},
        {PLAIN "frees s1", 2, 1, OPS "\"frees\""},
        {PLAIN "fre s1", 2, 1, OPS "\"fre\""},
        {PLAIN "compacts", 2, 1, OPS "\"compacts\""},
        {PLAIN "\n" PLAIN, 3, 1, OPS "\"heap\""},
        {PLAIN " Alloc", 2, 2, OPS "\"Alloc\""},
        {PLAIN "al\"\\\x80", 2, 1, OPS "\"al\\\"\\\\\\x80\""},
        {PLAIN "0123456789012345678901234567890123456789", 2, 1,
         OPS "\"012345678901234567890123456789012345678...\""},
        {PLAIN "free s16", 2, 6, SLOT "\"s16\""},
        {PLAIN "free s", 2, 6, SLOT "\"s\""},
        {PLAIN "free s1x", 2, 6, SLOT "\"s1x\""},
        {PLAIN "free s-1", 2, 6, SLOT "\"s-1\""},
        {PLAIN "free", 2, 1, "expected sN after free; found the end of the line"},
        {PLAIN "free s1 s1", 2, 9, "expected one sN; found another: \"s1\""},
        {PLAIN "free s1 bytes=1", 2, 9, "expected sN after free; found \"bytes=1\""},
        {PLAIN "attack s1 on=all at=1", 2, 11, ON "\"on=all\""},
        {PLAIN "attack s1 on= at=1", 2, 11, ON "\"on=\""},
        {PLAIN "attack s1 at=1", 2, 1, "expected on=WHAT after attack; found the end of the line"},
        {PLAIN "attack s1 tag=1", 2, 11, "expected sN on=WHAT at=N after attack; found \"tag=1\""},
        {PLAIN "attack s1 on=canary at=x", 2, 21,
         "expected at=N, half+N, max-N, N up to 0xffffff, or 2^K, 2^K+N, 2^K-N; found \"at=x\""},
        {PLAIN "copy now", 2, 6, "expected nothing after copy; found \"now\""},
        {PLAIN "init s1", 2, 6, "expected nothing after init; found \"s1\""},
        {PLAIN "alloc s1 bytes=1", 2, 1, "expected tag=N after alloc; found the end of the line"},
        {PLAIN "alloc", 2, 1, "expected sN tag=N bytes=N after alloc; found the end of the line"},
        {PLAIN "aligned s1 tag=1 bytes=1", 2, 1,
         "expected align=N after aligned; found the end of the line"},
        {PLAIN "alloc s1 tag=1 bytes=1 align=4", 2, 24,
         "expected sN tag=N bytes=N after alloc; found \"align=4\""},
        {PLAIN "alloc s1 tag=1 tag=2 bytes=1", 2, 16,
         "expected one tag=N; found another: \"tag=2\""},
        {PLAIN "alloc s1 tag=0x8000 bytes=1", 2, 10, TAG "\"tag=0x8000\""},
        {PLAIN "alloc s1 tag=0xfeff bytes=1", 2, 10, TAG "\"tag=0xfeff\""},
        {PLAIN "alloc s1 tag=0x10000 bytes=1", 2, 10, TAG "\"tag=0x10000\""},
        {PLAIN "alloc s1 tag=0X1 bytes=1", 2, 10, TAG "\"tag=0X1\""},
        {PLAIN "resize s1 bytes=16777216", 2, 11, BYTES "\"bytes=16777216\""},
        {PLAIN "resize s1 bytes=half", 2, 11, BYTES "\"bytes=half\""},
        {PLAIN "resize s1 bytes=half-1", 2, 11, BYTES "\"bytes=half-1\""},
        {PLAIN "resize s1 bytes=max-", 2, 11, BYTES "\"bytes=max-\""},
        {PLAIN "resize s1 bytes=half+max-1", 2, 11, BYTES "\"bytes=half+max-1\""},
        {PLAIN "resize s1 byte=1", 2, 11, "expected sN bytes=N after resize; found \"byte=1\""},
        {PLAIN "find byte=x", 2, 6,
         "expected byte=N, half+N, max-N, N up to 0xffffff, or 2^K, 2^K+N, 2^K-N; found "
         "\"byte=x\""},
        {PLAIN "compact budget=x", 2, 9,
         "expected budget=N, half+N, max-N, N up to 0xffffff, or 2^K, 2^K+N, 2^K-N; found "
         "\"budget=x\""},
        {PLAIN "aligned s1 tag=1 bytes=1 align=7", 2, 26, ALIGN "\"align=7\""},
        {PLAIN "aligned s1 tag=1 bytes=1 align=4294967297", 2, 26, ALIGN "\"align=4294967297\""},
        {PLAIN "aligned s1 tag=1 bytes=1 align=18446744073709551616", 2, 26,
         ALIGN "\"align=18446744073709551616\""},
        {PLAIN "resize s1 bytes=2^64", 2, 11, BYTES "\"bytes=2^64\""},
        {PLAIN "resize s1 bytes=2^", 2, 11, BYTES "\"bytes=2^\""},
        {PLAIN "resize s1 bytes=2^32+", 2, 11, BYTES "\"bytes=2^32+\""},
        {PLAIN "resize s1 bytes=2^32+131072", 2, 11, BYTES "\"bytes=2^32+131072\""},
        {PLAIN "resize s1 bytes=2^32-131073", 2, 11, BYTES "\"bytes=2^32-131073\""},
        {PLAIN "resize s1 bytes=2^+1", 2, 11, BYTES "\"bytes=2^+1\""},
        {PLAIN "freetags", 2, 1, "expected LOW..HIGH after freetags; found the end of the line"},
        {PLAIN "freetags 1", 2, 10, TAGS "\"1\""},
        {PLAIN "freetags 1..", 2, 10, TAGS "\"1..\""},
        {PLAIN "freetags ..1", 2, 10, TAGS "\"..1\""},
        {PLAIN "freetags 1...2", 2, 10, TAGS "\"1...2\""},
        {PLAIN "freetags 1 .. 2", 2, 10, TAGS "\"1\""},
        {PLAIN "freetags 0x8000..0x9000", 2, 10, TAGS "\"0x8000..0x9000\""},
        {PLAIN "freetags 0..0x10000", 2, 10, TAGS "\"0..0x10000\""},
        {PLAIN "freetags 1..2 3..4", 2, 15, "expected one LOW..HIGH; found another: \"3..4\""},
        {PLAIN "compact veto=0x100", 2, 9, VETO "\"veto=0x100\""},
        {PLAIN "compact reenter=1", 2, 9, "expected reenter; found \"reenter=1\""},
        {PLAIN "compact veto=1 veto=1", 2, 16, "expected one veto=N; found another: \"veto=1\""},
        {PLAIN "compact s1", 2, 9, "expected budget=N veto=N reenter after compact; found \"s1\""},
        {PLAIN "copy\r\n\tcopy\rcopy", 3, 6, "expected text; found the control byte \"\\x0d\""},
        {PLAIN "copy # \x01", 2, 8, "expected text; found the control byte \"\\x01\""},
        {PLAIN "copy\x7f", 2, 5, "expected text; found the control byte \"\\x7f\""},
        {PLAIN "\vcopy", 2, 1, "expected text; found the control byte \"\\x0b\""},
    };
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        text_is_refused(&refusals[i], strlen(refusals[i].text));
    }
    const text_refusal with_nul = {PLAIN "copy\nfree s1\0", 3, 8,
                                   "expected text; found the control byte \"\\x00\""};
    text_is_refused(&with_nul, sizeof(PLAIN "copy\nfree s1\0") - 1);
}

/* ---- files -------------------------------------------------------------------------------- */

/* A folder of its own for a test's files. */
static char folder[64];

static void open_folder(void) {
    strcpy(folder, "/tmp/test_script_XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

static const char *path_of(const char *name) {
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Deletes the folder, which must hold `expected` files: nothing temporary is left over. */
static void close_folder(unsigned expected) {
    unsigned count = 0;
    DIR *entries = opendir(folder);
    CHECK(entries != NULL);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (entry->d_name[0] != '.') {
            CHECK_EQ(unlink(path_of(entry->d_name)), 0);
            count++;
        }
    }
    CHECK_EQ(closedir(entries), 0);
    CHECK_EQ(rmdir(folder), 0);
    CHECK_EQ(count, expected);
}

static void store(const char *name, const char *bytes, size_t size) {
    FILE *file = fopen(path_of(name), "wb");
    CHECK(file != NULL);
    CHECK_EQ(fwrite(bytes, 1, size, file), size);
    CHECK_EQ(fclose(file), 0);
}

/* The message must be the path, then `rest`. */
static void check_complaint(const char *message, const char *path, const char *rest) {
    size_t size = strlen(path);
    if (strncmp(message, path, size) != 0 || strcmp(message + size, rest) != 0) {
        th_check_failed(__FILE__, __LINE__, message);
    }
}

static void unreadable_files_are_refused(void) {
    lab_script script = {0};
    char message[256];
    open_folder();
    CHECK(!lab_script_read_file(&script, path_of("none"), message, sizeof message));
    check_complaint(message, path_of("none"), ": cannot be opened: No such file or directory");
    CHECK(!lab_script_read_file(&script, folder, message, sizeof message));
    check_complaint(message, folder, ": is a folder, not a script file");
    store("empty", "", 0);
    CHECK(!lab_script_read_file(&script, path_of("empty"), message, sizeof message));
    check_complaint(message, path_of("empty"), ": is empty, not a script file");
    const char *text = "\nheap dwords=1\n free\n";
    store("wrong.txt", text, strlen(text));
    CHECK(!lab_script_read_file(&script, path_of("wrong.txt"), message, sizeof message));
    check_complaint(message, path_of("wrong.txt"),
                    ":3:2: expected sN after free; found the end of the line");
    CHECK_EQ(script.count, 0);
    CHECK(!lab_script_read_file(&script, path_of("none"), message, 4));
    CHECK_EQ(strlen(message), 3);
    close_folder(2);
    lab_script_clean_up(&script);
}

static void both_forms_are_read(void) {
    lab_script script = {0};
    lab_script expected = {0};
    char message[256];
    open_folder();
    text_parse(&expected, "heap dwords=750\ncopy\ninit\n");
    const char *text = "# a comment\nheap dwords=750\ncopy\ninit\n";
    store("text", text, strlen(text));
    CHECK(lab_script_read_file(&script, path_of("text"), message, sizeof message));
    CHECK(lab_script_equal(&script, &expected));
    const char bytes[24] = {0, (char)0xEE, 2, 0, 29, 0, 0, 0, 0, 0, 0, 0, 0, 0, (char)0xA5};
    store("bytes", bytes, sizeof bytes);
    CHECK(lab_script_read_file(&script, path_of("bytes"), message, sizeof message));
    CHECK(lab_script_equal(&script, &expected));
    close_folder(2);
    lab_script_clean_up(&script);
    lab_script_clean_up(&expected);
}

/* More than one piece of reading and of growing. */
static void long_files_are_read(void) {
    lab_script script = {0};
    lab_script again = {0};
    char message[256];
    open_folder();
    text_parse(&script, "heap dwords=750 slots=65536\n");
    lab_op op;
    memset(&op, 0, sizeof op);
    op.kind = LAB_OP_FREE;
    for (unsigned slot = 0; slot < 65536; slot++) {
        op.slot = (uint16_t)slot;
        CHECK(lab_script_append(&script, op));
    }
    CHECK(lab_script_write_file(&script, path_of("text"), LAB_FORM_TEXT, false, message,
                                sizeof message));
    CHECK(lab_script_write_file(&script, path_of("bytes"), LAB_FORM_BYTES, false, message,
                                sizeof message));
    CHECK(lab_script_read_file(&again, path_of("text"), message, sizeof message));
    CHECK(lab_script_equal(&script, &again));
    CHECK(lab_script_read_file(&again, path_of("bytes"), message, sizeof message));
    CHECK(lab_script_equal(&script, &again));
    close_folder(2);
    lab_script_clean_up(&script);
    lab_script_clean_up(&again);
}

static void forms_are_told_apart(void) {
    static const struct {
        const char *bytes;
        bool text;
    } cases[] = {{"heap", true},
                 {"heap\tx", true},
                 {"heap#", true},
                 {"heapx", false},
                 {"hea", false},
                 {" \r\n\theap ", true},
                 {"#", true},
                 {"\n#x\n\x01", true},
                 {"# \xc3\xa9\n", true},
                 {"#\x01", false},
                 {"# x\x7f\n", false},
                 {" #\xc3\xa9", false},
                 {"   \n# \xc3\xa9", true},
                 {"", false},
                 {" \n", false},
                 {"alloc s1", false},
                 {"# a\r\n\x01", true},
                 {"\x01heap ", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK_EQ(lab_script_is_text((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes)),
                 cases[i].text);
    }
}

static void check_file(const char *name, const char *expected, size_t size) {
    char bytes[256];
    FILE *file = fopen(path_of(name), "rb");
    CHECK(file != NULL);
    CHECK_EQ(fread(bytes, 1, sizeof bytes, file), size);
    CHECK_EQ(fclose(file), 0);
    CHECK(memcmp(bytes, expected, size) == 0);
}

static void writing_keeps_existing_files(void) {
    lab_script script = {0};
    char message[256];
    open_folder();
    text_parse(&script, "heap dwords=750\ncopy\n");
    store("old", "precious", 8);
    CHECK(!lab_script_write_file(&script, path_of("old"), LAB_FORM_TEXT, false, message,
                                 sizeof message));
    check_complaint(message, path_of("old"), ": exists already, and is not overwritten");
    check_file("old", "precious", 8);
    CHECK(lab_script_write_file(&script, path_of("old"), LAB_FORM_TEXT, true, message,
                                sizeof message));
    check_file("old", PLAIN "copy\n", strlen(PLAIN "copy\n"));
    CHECK(!lab_script_write_file(&script, folder, LAB_FORM_TEXT, true, message, sizeof message));
    check_complaint(message, folder, ": is no regular file, and is not replaced");
    CHECK(!lab_script_write_file(&script, path_of("no/where"), LAB_FORM_TEXT, true, message,
                                 sizeof message));
    check_complaint(message, path_of("no/where"), ": cannot be written: No such file or directory");
    close_folder(1);
    lab_script_clean_up(&script);
}

/* A disk that is full in the middle of the file: the limit on file sizes stands in for it. */
static void full_disk_loses_nothing(void) {
    lab_script script = {0};
    char message[256];
    struct rlimit before;
    open_folder();
    text_parse(&script, "heap dwords=750\ncopy\n");
    store("old", "precious", 8);
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tight = before;
    tight.rlim_cur = 5;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    bool done[2];
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
    done[0] = lab_script_write_file(&script, path_of("old"), LAB_FORM_TEXT, true, message,
                                    sizeof message);
    done[1] = lab_script_write_file(&script, path_of("new"), LAB_FORM_BYTES, false, message,
                                    sizeof message);
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, handler);
    CHECK(!done[0] && !done[1]);
    check_complaint(message, path_of("new"), ": cannot be written: File too large");
    check_file("old", "precious", 8);
    close_folder(1);
    lab_script_clean_up(&script);
}

TH_SUITE("script_text", TEST(printed_form_is_as_documented), TEST(heap_line_has_defaults),
         TEST(layout_of_the_text_is_free), TEST(lines_are_cut_to_capacity),
         TEST(parse_replaces_what_was_there), TEST(heap_line_errors_are_located),
         TEST(operation_errors_are_located), TEST(skew_is_said_by_what_it_means),
         TEST(unreadable_files_are_refused), TEST(both_forms_are_read), TEST(long_files_are_read),
         TEST(forms_are_told_apart), TEST(writing_keeps_existing_files),
         TEST(full_disk_loses_nothing))
