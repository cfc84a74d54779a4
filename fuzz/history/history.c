/* SPDX-License-Identifier: MIT */
#include "history/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_START = 64 };

bool lab_history_add(lab_history *history, const lab_call_record *call) {
    if (history->count == history->capacity) {
        size_t capacity = history->capacity == 0 ? CAPACITY_START : 2 * history->capacity;
        lab_call_record *calls = realloc(history->calls, capacity * sizeof *calls);
        if (calls == NULL) {
            return false;
        }
        history->calls = calls;
        history->capacity = capacity;
    }
    history->calls[history->count++] = *call;
    return true;
}

void lab_history_clean_up(lab_history *history) {
    free(history->calls);
    *history = (lab_history){0};
}

static int by_invocation(const void *one, const void *other) {
    const lab_call_record *a = one, *b = other;
    return a->invoked < b->invoked ? -1 : a->invoked > b->invoked;
}

void lab_history_print(const lab_history *history, const lab_sequential *model,
                       const lab_call_record *stuck) {
    enum { TEXT_BYTES = 128 };
    if (history->count > 0) {
        qsort(history->calls, history->count, sizeof *history->calls, by_invocation);
    }
    for (size_t i = 0; i < history->count; i++) {
        const lab_call_record *call = &history->calls[i];
        char text[TEXT_BYTES];
        model->print(call, text, sizeof text);
        bool is_stuck = stuck != NULL && memcmp(call, stuck, sizeof *call) == 0;
        (void)printf("%s %6" PRIu64 " .. %-6" PRIu64 " actor %" PRIu32 "  %s\n",
                     is_stuck ? ">" : " ", call->invoked, call->returned, call->actor, text);
    }
}
