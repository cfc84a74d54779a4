/* SPDX-License-Identifier: MIT */
/* One play: the script, then a few ordinary calls, so that harm comes out. It ends with the first
 * report, or the first harm. */
#ifndef LAB_SYNTHESIS_PLAY_H
#define LAB_SYNTHESIS_PLAY_H

#include "synthesis/world.h"

#define LAB_SYNTHESIS_LEVELS 4

/* What a search may be led by: how one operation went, beside what was last attacked. */
typedef uint32_t lab_synthesis_feature;
#define LAB_SYNTHESIS_FEATURES (1u << 16)

typedef struct lab_synthesis_result {
    lab_synthesis_end end;
    uint32_t attacks;    /* bytes and fields that attacks have changed */
    uint32_t ops;        /* of the script, those that were done up to the end */
    th_fault_kind fault; /* that was reported */
    uint32_t feature_count;
    lab_synthesis_feature features[LAB_SYNTHESIS_OPS_MAX + 1];
} lab_synthesis_result;

/* False: this build has no heap of that layout or level. With lab_trap_install (explore/trap.h)
 * done and `contained`, a crash or a hang is an end like any other. */
bool lab_synthesis_play(lab_world *world, const lab_synthesis_script *script, int level,
                        th_heap_layout layout, bool contained, lab_synthesis_result *result);

static inline bool lab_synthesis_escaped(lab_synthesis_end end) {
    return end >= LAB_END_OVERLAP;
}

#endif
