/* SPDX-License-Identifier: MIT */
#include "mutate/mutate.h"

#include <string.h>

bool lab_trim_start(lab_trim *trim, const uint8_t *bytes, size_t size) {
    trim->steps = 0;
    trim->at = 0;
    if (!lab_script_decode(&trim->script, bytes, size) || trim->script.count < 2) {
        return false;
    }
    trim->length = trim->script.count / 2;
    return true;
}

/* To the next range that begins inside the script; shorter ones when all of a length were tried. */
static void find_range(lab_trim *trim) {
    if (trim->at >= trim->script.count) {
        trim->at = 0;
        trim->length /= 2;
    }
    while (trim->length > 1 && trim->length >= trim->script.count) {
        trim->length /= 2;
    }
}

bool lab_trim_is_done(const lab_trim *trim) {
    return trim->length == 0 || trim->script.count < 2 || trim->steps >= LAB_TRIM_STEPS_MAX;
}

size_t lab_trim_next(lab_trim *trim, uint8_t *bytes, size_t capacity) {
    if (lab_trim_is_done(trim) || !lab_script_copy(&trim->candidate, &trim->script)) {
        return 0;
    }
    lab_script *script = &trim->candidate;
    size_t rest = script->count - trim->at;
    size_t length = trim->length < rest ? trim->length : rest;
    memmove(&script->ops[trim->at], &script->ops[trim->at + length],
            (rest - length) * sizeof *script->ops);
    script->count -= length;
    trim->steps++;
    size_t size = lab_script_encode(script, bytes, capacity);
    return size <= capacity ? size : 0;
}

void lab_trim_answer(lab_trim *trim, bool same) {
    if (same) { /* the range after it is now at the same place */
        lab_script shorter = trim->candidate;
        trim->candidate = trim->script;
        trim->script = shorter;
    } else {
        trim->at += trim->length;
    }
    find_range(trim);
}

void lab_trim_clean_up(lab_trim *trim) {
    lab_script_clean_up(&trim->script);
    lab_script_clean_up(&trim->candidate);
}
