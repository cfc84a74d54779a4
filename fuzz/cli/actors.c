/* SPDX-License-Identifier: MIT */
/* heaplab actors: several scripts at once, each FILE an actor's. Every order of their operations,
 * or by real threads. */
#include "actors/actors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "subjects/subjects.h"

enum {
    ORDERS_MOST = 1000000,
    ROUNDS_MOST = 1000000,
    CONFIGURATIONS_MOST = 200000 /* of one history */
};

typedef struct settings {
    uint64_t most;   /* orders */
    uint64_t rounds; /* of threads; 0: orders */
} settings;

static int set_option(lab_cli_arguments *from, const char *option, void *into, bool *known) {
    settings *s = into;
    if (strcmp(option, "--threads") == 0) {
        return lab_cli_read_uint64(from, option, 1, ROUNDS_MOST,
                                   "no number of rounds from 1 to 1000000:", &s->rounds);
    }
    *known = strcmp(option, "--most") == 0;
    return *known ? lab_cli_read_uint64(from, option, 1, UINT64_MAX,
                                        "no number of orders from 1:", &s->most)
                  : LAB_CLI_DONE;
}

static bool is_going(void *context, uint64_t orders) {
    lab_cli_progress *progress = context;
    lab_cli_still_playing();
    if (lab_cli_progress_is_due(progress)) {
        lab_cli_progress_show(progress, "actors: %" PRIu64 " orders", orders);
    }
    return lab_cli_interrupt() == 0;
}

/* "0 1 1 0": whose turn it was. */
static void print_order(const lab_interleaving *result) {
    (void)printf("order:");
    for (size_t i = 0; i < result->script.count; i++) {
        (void)printf(" %d", result->order[i]);
    }
    (void)printf("\n");
}

static int play_orders(const char *name, const lab_actors *actors, const settings *s) {
    lab_cli_progress progress;
    lab_interleaving result;
    uint64_t orders = lab_actors_orders(actors);
    if (orders > s->most) {
        char message[128];
        (void)snprintf(message, sizeof message,
                       "there are %" PRIu64 "%s orders, more than %" PRIu64
                       ": shorten the scripts, or say --most",
                       orders, orders == UINT64_MAX ? " or more" : "", s->most);
        return lab_cli_complain(name, message);
    }
    lab_player *player = lab_player_new();
    const lab_run_options options = {.guard = -1, .comparison = LAB_COMPARE_TOUCHED};
    lab_cli_progress_begin(&progress);
    lab_cli_await_interrupt();
    bool played = player != NULL &&
                  lab_actors_interleave(actors, player, &options, is_going, &progress, &result);
    lab_cli_progress_end(&progress);
    lab_player_destroy(player);
    if (!played) {
        return lab_cli_complain(name, "no memory for the orders");
    }
    bool failed = result.failure.property != LAB_PROPERTY_NONE;
    if (failed) {
        print_order(&result);
        lab_failure_print(&result.failure, &result.script, stdout);
    }
    (void)printf("actors %" PRIu32 ", orders %" PRIu64 " of %" PRIu64 ", operations %" PRIu64
                 ", violations %d%s\n",
                 actors->count, result.orders, orders, result.operations, failed,
                 lab_cli_interrupted_by());
    lab_interleaving_clean_up(&result);
    return lab_cli_end_status(failed ? LAB_CLI_FOUND : LAB_CLI_DONE);
}

/* What the rounds came to. */
typedef struct tally {
    uint64_t rounds, calls, configurations, unknown;
} tally;

/* One round on a subject of its own. */
static int play_round(const char *name, const lab_actors *actors, tally *all) {
    const char *why;
    lab_history history = {0};
    lab_failure failure;
    lab_linear_result linear;
    lab_shared *shared = lab_shared_new(&actors->scripts[0]->config, &why);
    if (shared == NULL) {
        return lab_cli_complain(name, why);
    }
    int status = LAB_CLI_DONE;
    if (!lab_actors_thread(actors, shared, &history, &failure)) {
        status = lab_cli_complain(name, "no memory, or no threads, for the actors");
    } else {
        bool passed = failure.property == LAB_PROPERTY_NONE &&
                      lab_actors_verify(shared, &history, CONFIGURATIONS_MOST, &linear, &failure);
        all->rounds++;
        all->calls += history.count;
        if (passed) {
            all->configurations += linear.configurations;
            all->unknown += linear.answer == LAB_LINEAR_UNKNOWN;
        } else {
            const lab_sequential model = lab_actors_model(shared);
            lab_history_print(&history, &model, NULL);
            (void)printf("FAILURE property=%s detail=%s: %s\n", lab_property_name(failure.property),
                         failure.detail, failure.message);
            status = LAB_CLI_FOUND;
        }
    }
    lab_history_clean_up(&history);
    lab_shared_destroy(shared);
    return status;
}

static int play_threads(const char *name, const lab_actors *actors, const settings *s) {
    tally all = {0};
    int status = LAB_CLI_DONE;
    lab_cli_await_interrupt();
    for (uint64_t i = 0; i < s->rounds && status == LAB_CLI_DONE && lab_cli_interrupt() == 0; i++) {
        lab_cli_still_playing();
        status = play_round(name, actors, &all);
    }
    if (status != LAB_CLI_BAD_INPUT) {
        (void)printf("threads %" PRIu32 ", rounds %" PRIu64 ", calls %" PRIu64
                     ", configurations %" PRIu64 ", histories not decided %" PRIu64
                     ", violations %d%s\n",
                     actors->count, all.rounds, all.calls, all.configurations, all.unknown,
                     status == LAB_CLI_FOUND, lab_cli_interrupted_by());
    }
    return lab_cli_end_status(status);
}

static int read_all(int argc, char **argv, const lab_cli_files *given, lab_script *scripts,
                    lab_actors *actors) {
    (void)argc;
    if (given->count > LAB_ACTORS_MAX) {
        return lab_cli_refuse(argv[0], "more than 8 actors, from", argv[LAB_ACTORS_MAX + 1]);
    }
    for (int i = 0; i < given->count; i++) {
        const char *path = argv[1 + i];
        if (!lab_cli_read(argv[0], path, given, &scripts[i])) {
            return LAB_CLI_BAD_INPUT;
        }
        if (scripts[i].config.slots > scripts[0].config.slots ||
            scripts[i].config.subject != scripts[0].config.subject) {
            return lab_cli_complain_of(argv[0], path,
                                       "is for another subject, or more slots, than the first");
        }
        if (!lab_cli_has_subject(argv[0], path, scripts[i].config.subject)) {
            return LAB_CLI_BAD_INPUT;
        }
        actors->scripts[actors->count++] = &scripts[i];
    }
    return LAB_CLI_DONE;
}

int lab_cli_actors(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.many = true, .option = set_option};
    static lab_script scripts[LAB_ACTORS_MAX];
    settings s = {.most = ORDERS_MOST};
    lab_cli_files given;
    lab_actors actors = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &s);
    if (status == LAB_CLI_DONE) {
        status = read_all(argc, argv, &given, scripts, &actors);
    }
    if (status == LAB_CLI_DONE) {
        lab_cli_playing(argv[0], given.in, lab_cli_subject_shown(scripts[0].config.subject), true);
        status =
            s.rounds > 0 ? play_threads(argv[0], &actors, &s) : play_orders(argv[0], &actors, &s);
        lab_cli_played();
    }
    for (uint32_t i = 0; i < LAB_ACTORS_MAX; i++) {
        lab_script_clean_up(&scripts[i]);
    }
    return status;
}
