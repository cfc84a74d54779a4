/* SPDX-License-Identifier: MIT */
/* Property: whatever a program writes where nothing of it is, at guard level 3 no payload is handed
 * out over a live one or outside the region, and none is changed, before that is reported
 * (fuzz/synthesis). The input says what is called and written. */
#include <stdio.h>
#include <stdlib.h>

#include "mutate/mutate.h"
#include "synthesis/play.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_BYTES;

enum { LEVEL = 3 };

static void print_script(const lab_synthesis_script *script) {
    char text[LAB_SYNTHESIS_TEXT_MAX];
    lab_synthesis_encode(script, text);
    (void)fprintf(stderr, "%s\n%s\n", text, lab_synthesis_describe_heap(script));
    for (uint32_t i = 0; i < script->count; i++) {
        (void)fprintf(stderr, "%s\n", lab_synthesis_describe(&script->ops[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static lab_world *world;
    lab_synthesis_script script;
    lab_synthesis_result result;
    if (world == NULL && (world = lab_world_new(false)) == NULL) {
        (void)fputs("fuzz target synthesis: out of memory\n", stderr);
        abort();
    }
    lab_synthesis_decode(&script, bytes, size);
    th_heap_layout layout = script.wide ? TH_HEAP_LAYOUT_WIDE : TH_HEAP_LAYOUT_CLASSIC;
    if (lab_synthesis_play(world, &script, LEVEL, layout, false, &result) &&
        lab_synthesis_escaped(result.end)) {
        (void)fprintf(stderr, "FAILURE property=synthesis detail=%s\n",
                      lab_synthesis_end_name(result.end));
        print_script(&script);
        abort();
    }
    return 0;
}
