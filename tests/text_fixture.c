/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "text_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

void text_parse(lab_script *script, const char *text) {
    lab_text_error error;
    CHECK(lab_script_parse(script, text, strlen(text), &error));
    CHECK(lab_script_is_valid(script));
}

void text_prints(const char *text, const char *printed) {
    lab_script script = {0};
    char *bytes = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&bytes, &size);
    CHECK(out != NULL);
    text_parse(&script, text);
    lab_script_print(&script, out);
    CHECK_EQ(fclose(out), 0);
    CHECK_EQ(size, strlen(printed));
    CHECK(memcmp(bytes, printed, size) == 0);
    free(bytes);
    lab_script_clean_up(&script);
}

static void expand(const char *message, char *text, size_t capacity) {
    static const char *const words[] = {
#define LAB_OP(KIND, name, word, ...) word,
#include "script/ops.def"
    };
    size_t used = 0;
    for (size_t i = 0; message[0] == OPS[0] && i < sizeof words / sizeof words[0]; i++) {
        if (i == 0 || strcmp(words[i], words[i - 1]) != 0) {
            const char *joint = i == 0 ? "expected " : ", ";
            used += (size_t)snprintf(text + used, capacity - used, "%s%s", joint, words[i]);
        }
    }
    bool lists = used > 0;
    used += (size_t)snprintf(text + used, capacity - used, "%s%s", lists ? "; found " : "",
                             message + (lists ? sizeof OPS - 1 : 0));
    CHECK(used < capacity);
}

void text_is_refused(const text_refusal *expected, size_t size) {
    lab_script script = {0};
    lab_text_error error;
    char wanted[512];
    expand(expected->message, wanted, sizeof wanted);
    CHECK(!lab_script_parse(&script, expected->text, size, &error));
    if (strcmp(error.message, wanted) != 0) {
        th_check_failed(__FILE__, __LINE__, error.message);
    }
    CHECK_EQ(error.line, expected->line);
    CHECK_EQ(error.column, expected->column);
    CHECK_EQ(script.count, 0);
    lab_script_clean_up(&script);
}
