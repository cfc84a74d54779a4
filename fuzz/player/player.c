/* SPDX-License-Identifier: MIT */
#include "player/player.h"

#include <stdlib.h>
#include <string.h>

#include "contract/play.h"
#include "subjects/subjects.h"

struct lab_player {
    lab_runner *runner;
    lab_contract_runner *contract_runner;
};

lab_player *lab_player_new(void) {
    return calloc(1, sizeof(lab_player));
}

void lab_player_destroy(lab_player *player) {
    if (player != NULL) {
        lab_runner_destroy(player->runner);
        lab_contract_runner_destroy(player->contract_runner);
        free(player);
    }
}

static bool fail_for_want(lab_failure *failure, const char *detail, const char *message) {
    memset(failure, 0, sizeof *failure);
    failure->property = LAB_PROPERTY_MEMORY;
    failure->detail = detail;
    (void)snprintf(failure->message, sizeof failure->message, "%s", message);
    return false;
}

static bool play_subject(lab_contract_runner *contract_runner, const lab_script *script,
                         const lab_run_options *options, lab_failure *failure,
                         lab_run_counts *counts) {
    const lab_subject *subject = lab_subject_at(script->config.subject);
    bool tells = options != NULL && options->after_op != NULL;
    if (subject == NULL) {
        return fail_for_want(failure, "subject", "the script's plug-in is not there");
    }
    if (lab_subject_missing(subject) != NULL) {
        return fail_for_want(failure, "subject", lab_subject_missing(subject));
    }
    bool passed = lab_contract_runner_begin(contract_runner, subject, script, NULL, failure);
    if (passed && tells) {
        options->after_op(options->context, NULL, NULL, 0);
    }
    for (size_t i = 0; passed && i < script->count; i++) {
        passed = lab_contract_runner_step(contract_runner, i);
        if (passed && tells) {
            options->after_op(options->context, NULL, &script->ops[i], i);
        }
    }
    return lab_contract_runner_end(contract_runner, counts);
}

bool lab_player_play(lab_player *player, const lab_script *script, const lab_run_options *options,
                     lab_failure *failure, lab_run_counts *counts) {
    if (script->config.subject == LAB_SUBJECT_HEAP) {
        player->runner = player->runner != NULL ? player->runner : lab_runner_new();
        return player->runner != NULL
                   ? lab_runner_play(player->runner, script, options, failure, counts)
                   : fail_for_want(failure, "runner", "no memory for the runner");
    }
    player->contract_runner =
        player->contract_runner != NULL ? player->contract_runner : lab_contract_runner_new();
    return player->contract_runner != NULL
               ? play_subject(player->contract_runner, script, options, failure, counts)
               : fail_for_want(failure, "contract_runner", "no memory for the contract_runner");
}
