/* SPDX-License-Identifier: MIT */
#include "export/replay.h"

#include <stdio.h>
#include <string.h>

#include "player/player.h"
#include "shrink/trial.h"

enum { REPRODUCED = 1, NOT_REPRODUCED = 0, ANOTHER = 2 };

static int tell(const char *found, const char *wanted) {
    if (found[0] == '\0') {
        (void)puts("not reproduced: the subject does as it should");
        return NOT_REPRODUCED;
    }
    bool same = strcmp(found, wanted) == 0;
    (void)printf(same ? "reproduced: %s\n" : "fails differently: %s\n", found);
    return same ? REPRODUCED : ANOTHER;
}

static int play_here(const lab_script *script, const char *wanted) {
    lab_failure failure;
    char signature[LAB_SIGNATURE_BYTES_MAX] = "";
    lab_player *player = lab_player_new();
    if (player == NULL) {
        return ANOTHER;
    }
    if (!lab_player_play(player, script, NULL, &failure, NULL)) {
        lab_failure_print(&failure, script, stdout);
        lab_failure_signature(failure.property, failure.detail, signature);
    }
    lab_player_destroy(player);
    return tell(signature, wanted);
}

static int play_in_child(const lab_script *script, const char *wanted) {
    lab_outcome outcome;
    lab_trial *trial = lab_trial_new(script->count);
    bool played = trial != NULL && lab_trial_try(trial, script, &outcome);
    lab_trial_destroy(trial);
    if (!played) {
        (void)fprintf(stderr,
                      "the script cannot be played: the subject is not there, or there is no "
                      "memory\n");
        return ANOTHER;
    }
    return tell(outcome.signature, wanted);
}

int lab_replay(int argc, const char *text, const char *signature) {
    lab_script script = {0};
    lab_text_error error;
    int status = ANOTHER;
    if (lab_script_parse(&script, text, strlen(text), &error)) {
        status = argc > 1 ? play_here(&script, signature) : play_in_child(&script, signature);
    } else {
        (void)fprintf(stderr, "the script cannot be read\n");
    }
    lab_script_clean_up(&script);
    return status;
}
