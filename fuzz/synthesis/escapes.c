/* SPDX-License-Identifier: MIT */
#include "synthesis/escapes.h"

#include <string.h>

#define LAB_ESCAPE(layout, level, text) {TH_HEAP_LAYOUT_##layout, level, text},
const lab_known_escape lab_known_escapes[] = {
#include "synthesis/escapes.def"
};
#undef LAB_ESCAPE

const unsigned lab_known_escape_count = sizeof lab_known_escapes / sizeof lab_known_escapes[0];

const lab_synthesis_layout lab_synthesis_layouts[LAB_SYNTHESIS_LAYOUTS] = {
    {TH_HEAP_LAYOUT_CLASSIC, "classic", 3},
    {TH_HEAP_LAYOUT_LEAN, "lean", 0},
    {TH_HEAP_LAYOUT_WIDE, "wide", 3},
};

static lab_synthesis_script script_of(const lab_known_escape *row) {
    lab_synthesis_script script;
    lab_synthesis_decode(&script, (const uint8_t *)row->text, strlen(row->text));
    return script;
}

const lab_known_escape *lab_escape_find(th_heap_layout layout, int level, lab_synthesis_what most) {
    for (unsigned i = 0; i < lab_known_escape_count; i++) {
        const lab_known_escape *row = &lab_known_escapes[i];
        lab_synthesis_script script = script_of(row);
        if (row->layout == layout && row->level == level && lab_synthesis_class(&script) == most) {
            return row;
        }
    }
    return NULL;
}

static int level_max(th_heap_layout layout) {
    return layout == TH_HEAP_LAYOUT_LEAN ? 0 : th_guard_max();
}

const char *lab_escape_check(lab_world *world, const lab_known_escape *row) {
    lab_synthesis_script script = script_of(row);
    lab_synthesis_what most = lab_synthesis_class(&script);
    for (int level = row->level; level <= level_max(row->layout); level++) {
        lab_synthesis_result result;
        if (!lab_synthesis_play(world, &script, level, row->layout, true, &result)) {
            return "this build has no such heap";
        }
        bool escaped = lab_synthesis_escaped(result.end);
        if (level == row->level && !escaped) {
            return "does not escape any more";
        }
        if (escaped && lab_escape_find(row->layout, level, most) == NULL) {
            return "escapes at a higher level, too";
        }
    }
    return NULL;
}
