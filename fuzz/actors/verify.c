/* SPDX-License-Identifier: MIT */
/* What is to be said of a history that threads have left. */
#include <inttypes.h>
#include <stdlib.h>

#include "actors/shared.h"

/* A block, from the return of the call that gave it to the invocation of the one that ended it. */
typedef struct lifetime {
    uint64_t at, bytes;
    uint64_t from, to;
} lifetime;

static bool gives(const lab_call_record *call) {
    return (call->kind == LAB_BLOCK_ALLOC || call->kind == LAB_BLOCK_RESIZE) &&
           call->result != LAB_BLOCK_NONE;
}

static bool ends(const lab_call_record *call) {
    return call->kind == LAB_BLOCK_FREE ||
           (call->kind == LAB_BLOCK_RESIZE && call->result != LAB_BLOCK_NONE);
}

/* When the block that the call gave was given back: the next call about that address. */
static uint64_t end_of(const lab_history *history, const lab_call_record *given) {
    uint64_t end = UINT64_MAX;
    for (size_t i = 0; i < history->count; i++) {
        const lab_call_record *call = &history->calls[i];
        if (ends(call) && call->arguments[1] == given->result && call->invoked > given->returned &&
            call->invoked < end) {
            end = call->invoked;
        }
    }
    return end;
}

static bool meet(const lifetime *a, const lifetime *b) {
    return a->from < b->to && b->from < a->to && a->at < b->at + b->bytes &&
           b->at < a->at + a->bytes;
}

/* Of the heap, addresses are dwords. */
static uint64_t units_of(const lab_shared *s, uint64_t bytes) {
    return s->is_heap ? (bytes + 3) / 4 : bytes;
}

static bool find_overlap(const lifetime *lives, size_t count, lab_failure *failure) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (meet(&lives[i], &lives[j])) {
                *failure = (lab_failure){.property = LAB_PROPERTY_BLOCKS, .detail = "overlap"};
                (void)snprintf(failure->message, sizeof failure->message,
                               "blocks at %" PRIx64 " and %" PRIx64 " overlap, at the same time",
                               lives[j].at, lives[i].at);
                return true;
            }
        }
    }
    return false;
}

static bool are_apart(const lab_shared *s, const lab_history *history, lab_failure *failure) {
    lifetime *lives = calloc(history->count + 1, sizeof *lives);
    size_t count = 0;
    if (lives == NULL) {
        *failure = (lab_failure){.property = LAB_PROPERTY_MEMORY, .detail = "history"};
        return false;
    }
    for (size_t i = 0; i < history->count; i++) {
        const lab_call_record *call = &history->calls[i];
        if (gives(call)) {
            lives[count++] = (lifetime){call->result, units_of(s, call->arguments[0]),
                                        call->returned, end_of(history, call)};
        }
    }
    bool apart = !find_overlap(lives, count, failure);
    free(lives);
    return apart;
}

bool lab_actors_verify(const lab_shared *shared, const lab_history *history, uint64_t most,
                       lab_linear_result *linear, lab_failure *failure) {
    *failure = (lab_failure){0};
    *linear = (lab_linear_result){.answer = LAB_LINEAR_UNKNOWN};
    if (!are_apart(shared, history, failure)) {
        return false;
    }
    const lab_sequential model = lab_actors_model(shared);
    *linear = lab_history_check(history, &model, most);
    if (linear->answer == LAB_LINEAR_MEMORY) {
        *failure = (lab_failure){.property = LAB_PROPERTY_MEMORY, .detail = "history"};
    } else if (linear->answer == LAB_NOT_LINEAR) {
        char text[128];
        model.print(&linear->stuck, text, sizeof text);
        *failure = (lab_failure){.property = LAB_PROPERTY_RESULT, .detail = "not linearizable"};
        (void)snprintf(failure->message, sizeof failure->message,
                       "no order of the calls explains actor %" PRIu32 "'s %s; %zu can be placed",
                       linear->stuck.actor, text, linear->placed);
    }
    return failure->property == LAB_PROPERTY_NONE;
}
