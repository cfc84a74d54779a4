/* SPDX-License-Identifier: MIT */
/* Property: whatever a script does, the allocator that it is played on keeps the contract. The
 * input's first byte is the subject's number, the rest a script. A program that a plug-in
 * (lab_subject_export) is linked into plays everything on that. */
#include <stdio.h>
#include <stdlib.h>

#include "engines/run_stats.h"
#include "mutate/mutate.h"
#include "player/player.h"
#include "subjects/subjects.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

const lab_mutate_form lab_target_form = LAB_MUTATE_NUMBERED;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static lab_player *player;
    static lab_script script;
    static lab_run_counts counts;
    lab_failure failure;

    if (player == NULL) {
        player = lab_player_new();
        lab_run_stats_name();
    }
    if (player == NULL || !lab_script_decode_numbered(&script, bytes, size)) {
        (void)fputs("fuzz target subjects: out of memory\n", stderr);
        abort();
    }
    if (lab_subject_at(LAB_SUBJECT_PLUGIN) != NULL) {
        lab_subject_choose(&script.config, LAB_SUBJECT_PLUGIN);
    } else if (script.config.subject == LAB_SUBJECT_PLUGIN) {
        return 0;
    }
    const lab_subject *subject = lab_subject_at(script.config.subject);
    if (subject != NULL && subject->missing != NULL) {
        return 0; /* a peer: not instrumented, and not ours to mend (docs/peers.md) */
    }
    bool passed = lab_player_play(player, &script, NULL, &failure, &counts);
    lab_run_stats_end(&counts, passed ? NULL : &failure, &script);
    return 0;
}
