/* SPDX-License-Identifier: MIT */
/* The step that makes the configuration plain: a small region, and the defaults. */
#include "shrink/state.h"

enum { DWORDS_MIN = 16 /* the smallest region that a heap accepts */ };

static void set_dwords(lab_script *script, size_t which, uint32_t dwords) {
    (void)which;
    script->config.dwords = dwords;
}

/* A region like those of the examples says more than the least that happens to do. */
static void make_region_small(lab_shrinker *s) {
    static const uint32_t round[] = {64, 100, 128, 250, 256, 512, 750, 1024};
    uint32_t least = DWORDS_MIN;
    if (s->best.config.dwords < DWORDS_MIN) {
        return;
    }
    for (size_t i = 0; i < sizeof round / sizeof round[0]; i++) {
        if (s->best.config.dwords <= round[i]) {
            break;
        }
        set_dwords(lab_shrink_candidate(s), 0, round[i]);
        if (lab_shrink_accept(s)) {
            return;
        }
        least = round[i] + 1;
    }
    lab_shrink_number(s, least, s->best.config.dwords, set_dwords, 0);
}

static void make_slots_few(lab_shrinker *s) {
    static const uint32_t few[] = {8, 16, 64, 256, 1024, 4096, 16384};
    for (size_t i = 0; i < sizeof few / sizeof few[0] && few[i] < s->best.config.slots; i++) {
        lab_shrink_candidate(s)->config.slots = few[i];
        if (lab_shrink_accept(s)) {
            return;
        }
    }
}

/* The lowest values first; skew 1 has no lock hooks, so 0 and 1 differ in more than the place. */
void lab_shrink_config(lab_shrinker *s) {
    s->state.step = "configuration";
    make_region_small(s);
    for (uint8_t layout = 0; layout < s->best.config.layout && !s->stuck; layout++) {
        lab_script *candidate = lab_shrink_candidate(s);
        candidate->config.layout = layout;
        if (lab_config_is_valid(&candidate->config) && lab_shrink_accept(s)) {
            break;
        }
    }
    for (uint8_t guard = 0; guard < s->best.config.guard && !s->stuck; guard++) {
        lab_shrink_candidate(s)->config.guard = guard;
        if (lab_shrink_accept(s)) {
            break;
        }
    }
    for (uint8_t alignment = 4; alignment < s->best.config.alignment && !s->stuck;
         alignment = (uint8_t)(2 * alignment)) {
        lab_shrink_candidate(s)->config.alignment = alignment;
        if (lab_shrink_accept(s)) {
            break;
        }
    }
    for (uint8_t skew = 0; skew < s->best.config.skew && skew < 3 && !s->stuck; skew++) {
        lab_shrink_candidate(s)->config.skew = skew;
        if (lab_shrink_accept(s)) {
            break;
        }
    }
    if (s->best.config.low_memory != 0) {
        lab_shrink_candidate(s)->config.low_memory = 0;
        (void)lab_shrink_accept(s);
    }
    make_slots_few(s);
}
