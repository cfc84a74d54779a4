/* SPDX-License-Identifier: MIT */
/* heaplab run: plays script files. */
#include <string.h>

#include "bare/bare.h"
#include "cli/cli.h"
#include "player/player.h"

typedef struct run_settings {
    lab_run_options options;
    bool verbose;
    bool bare;
} run_settings;

static int set_option(lab_cli_arguments *from, const char *option, void *settings, bool *known) {
    const char *name = from->argv[0];
    run_settings *out = settings;
    if (strcmp(option, "-v") == 0) {
        out->verbose = true;
        return LAB_CLI_DONE;
    }
    if (strcmp(option, "--bare") == 0) {
        out->bare = true;
        return LAB_CLI_DONE;
    }
    *known = strcmp(option, "--guard") == 0;
    if (!*known) {
        return LAB_CLI_DONE;
    }
    const char *value = lab_cli_value(from, option);
    return value != NULL ? lab_cli_read_guard(name, value, &out->options.guard) : LAB_CLI_BAD_INPUT;
}

/* What plays the scripts, kept from one to the next. */
typedef struct players {
    lab_player *player;
    lab_bare *bare; /* NULL: the player */
} players;

static void note_operation(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    (void)heap;
    lab_cli_at_operation(context, op == NULL ? 0 : index + 1);
}

static bool play(const players *with, lab_script *script, const run_settings *settings,
                 lab_failure *failure, lab_run_counts *counts) {
    lab_run_options options = settings->options;
    options.after_op = note_operation;
    options.context = script;
    return with->bare != NULL
               ? lab_bare_play(with->bare, script, settings->options.guard, failure, counts)
               : lab_player_play(with->player, script, &options, failure, counts);
}

/* Did create refuse every setup? What was made is looked at once more in the end, whatever the
 * operations did; without it there is a look at the beginning, and after each init. (That the heap
 * refuses a region is a test.) */
static bool tested_nothing(const lab_script *script, const lab_run_counts *counts) {
    uint64_t inits = counts->by_kind[LAB_OP_INIT];
    return script->config.subject != LAB_SUBJECT_HEAP && counts->acted == inits &&
           counts->checked <= inits + 1;
}

/* *untested is left alone, or becomes true. */
static int run_file(const players *with, const char *path, const lab_cli_files *given,
                    const run_settings *settings, bool *untested) {
    lab_script script = {0};
    lab_failure failure;
    lab_run_counts counts = {0};
    int status = LAB_CLI_DONE;
    if (!lab_cli_read("run", path, given, &script)) {
        lab_script_clean_up(&script);
        return LAB_CLI_BAD_INPUT;
    }
    if (!lab_cli_has_subject("run", path, script.config.subject)) {
        lab_script_clean_up(&script);
        return LAB_CLI_BAD_INPUT;
    }
    if (with->bare != NULL && script.config.subject != 0) {
        lab_script_clean_up(&script);
        return lab_cli_complain_of("run", path, "is for another subject; --bare plays the heap");
    }
    lab_cli_playing("run", path, lab_cli_subject_shown(script.config.subject), true);
    bool passed = play(with, &script, settings, &failure, &counts);
    lab_cli_played();
    if (!passed) {
        (void)printf("%s: ", path);
        lab_failure_print(&failure, &script, stdout);
        status = LAB_CLI_FOUND;
    } else if (tested_nothing(&script, &counts)) {
        *untested = true;
        if (settings->verbose) {
            (void)printf("%s: nothing tested, the subject could not be made\n", path);
        }
    } else if (settings->verbose) {
        (void)printf("%s: passed, %llu operations, %llu acted, %llu moves", path,
                     (unsigned long long)counts.ops, (unsigned long long)counts.acted,
                     (unsigned long long)counts.moves);
        if (counts.failed_allocs > 0) {
            (void)printf(", %llu found no room", (unsigned long long)counts.failed_allocs);
        }
        (void)printf("\n");
    }
    (void)fflush(stdout); /* the next script may end the process */
    lab_script_clean_up(&script);
    return status;
}

/* count[]: files, by what came of them; untested: of those that are done. */
static int summarize(const char *name, const int *count, int untested, int status) {
    int passed = count[LAB_CLI_DONE] - untested;
    if (untested > 0 && passed + count[LAB_CLI_FOUND] == 0) {
        char message[128];
        (void)snprintf(message, sizeof message,
                       "nothing was tested: create refused the subject of %d script%s", untested,
                       untested == 1 ? "" : "s");
        return lab_cli_complain(name, message);
    }
    if (passed + count[LAB_CLI_FOUND] > 0) {
        (void)printf("%d script%s passed, %d failed", passed, passed == 1 ? "" : "s",
                     count[LAB_CLI_FOUND]);
        if (untested > 0) {
            (void)printf(", %d tested nothing: the subject could not be made", untested);
        }
        if (count[LAB_CLI_BAD_INPUT] > 0) {
            (void)printf(", %d could not be read", count[LAB_CLI_BAD_INPUT]);
        }
        (void)printf("\n");
    }
    return status;
}

int lab_cli_run(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.many = true, .option = set_option};
    run_settings settings = {.options = {.guard = -1, .comparison = LAB_COMPARE_BOTH}};
    lab_cli_files given;
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &settings);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    const players with = {.player = lab_player_new(),
                          .bare = settings.bare ? lab_bare_new() : NULL};
    if (with.player == NULL || (settings.bare && with.bare == NULL)) {
        return lab_cli_complain(argv[0], "no memory for the runner");
    }
    int count[LAB_CLI_BAD_INPUT + 1] = {0};
    int untested = 0;
    for (int i = 1; i <= given.count; i++) {
        bool nothing = false;
        int one = run_file(&with, argv[i], &given, &settings, &nothing);
        untested += nothing;
        status = one > status ? one : status;
        count[one]++;
    }
    lab_player_destroy(with.player);
    lab_bare_destroy(with.bare);
    return summarize(argv[0], count, untested, status);
}
