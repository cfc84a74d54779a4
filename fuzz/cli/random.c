/* SPDX-License-Identifier: MIT */
/* heaplab random: plays scripts that the mutator makes, on one subject, until one fails or the time
 * is up, or so many were played; or, to keep going, until the time is up, and tells the different
 * failures apart. Known ones are counted, and end nothing. Nothing guides it, so it needs no
 * instrumented build: for allocators that cannot be compiled with it. The same seed makes the same
 * scripts. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "mutate/mutate.h"
#include "mutate/swarm.h"
#include "script/deeds.h"
#include "shrink/known.h"
#include "subjects/subjects.h"

enum {
    POOL = 64, /* scripts that further ones are made from */
    BYTES_MAX = 4096,
    OPS_MAX = (BYTES_MAX - LAB_HEADER_BYTES) / LAB_RECORD_BYTES,
    SECONDS_DEFAULT = 10,
    /* One of so many does something, or the subject is of no use. A profile may be such that none
     * does: several profiles are tried. */
    SCRIPTS_THAT_ACT = 4 * LAB_SWARM_EPOCH,
    FAILURES_MAX = 32 /* different ones; more are counted with the last */
};

typedef struct settings {
    lab_cli_files given;
    uint64_t seconds, scripts, seed; /* `scripts` at the most */
    bool keep_going;
    const char *known; /* the file; NULL: nothing is known */
} settings;

/* Failures with the same signature. */
typedef struct failure {
    char signature[LAB_SIGNATURE_BYTES_MAX];
    uint64_t count;
} failure;

typedef struct run {
    const settings *wanted;
    lab_mutator *mutator;
    lab_trial *trial;
    lab_script script;
    uint8_t bytes[POOL][BYTES_MAX];
    size_t sizes[POOL];
    uint64_t scripts, ops, acted;
    failure failures[FAILURES_MAX];
    unsigned failure_count;
    lab_known known;
    uint64_t known_met;
    int64_t start_ms;
    lab_cli_progress progress;
} run;

static int take_option(lab_cli_arguments *from, const char *option, settings *wanted) {
    if (strcmp(option, "--seconds") == 0) {
        return lab_cli_read_seconds(from, &wanted->seconds);
    }
    if (strcmp(option, "--scripts") == 0) {
        return lab_cli_read_uint64(from, option, 1, UINT64_MAX,
                                   "no number of scripts from 1 up:", &wanted->scripts);
    }
    if (strcmp(option, "--seed") == 0) {
        return lab_cli_read_seed(from, &wanted->seed);
    }
    if (strcmp(option, "-f") == 0) {
        wanted->given.overwrite = true;
        return LAB_CLI_DONE;
    }
    if (strcmp(option, "--keep-going") == 0) {
        wanted->keep_going = true;
        return LAB_CLI_DONE;
    }
    bool is_out = strcmp(option, "-o") == 0;
    bool is_known = strcmp(option, "--known") == 0;
    if (!is_out && !is_known && strcmp(option, "--subject") != 0) {
        return lab_cli_refuse(from->argv[0], "unknown option", option);
    }
    const char *value = lab_cli_value(from, option);
    if (value != NULL && is_out) {
        wanted->given.out = value;
    } else if (value != NULL && is_known) {
        wanted->known = value;
    } else if (value != NULL) {
        wanted->given.subject = lab_cli_subject(from->argv[0], value);
    }
    return value != NULL && (is_out || is_known || wanted->given.subject >= 0) ? LAB_CLI_DONE
                                                                               : LAB_CLI_BAD_INPUT;
}

static int read_arguments(int argc, char **argv, settings *wanted) {
    lab_cli_arguments from = {argc, argv, 1, false};
    bool is_option = false;
    const char *word;
    while ((word = lab_cli_next(&from, &is_option)) != NULL) {
        if (!is_option) {
            return lab_cli_refuse(argv[0], "unexpected argument", word);
        }
        if (take_option(&from, word, wanted) != LAB_CLI_DONE) {
            return LAB_CLI_BAD_INPUT;
        }
    }
    return lab_cli_check_out(argv[0], &wanted->given);
}

/* The next script, in r->script. False: no memory. */
static bool make_script(run *r) {
    size_t at = (size_t)(r->scripts % POOL);
    size_t size = lab_mutate(r->mutator, r->bytes[at], r->sizes[at], BYTES_MAX, r->scripts);
    r->sizes[at] = size;
    bool made = size > 0 && lab_script_decode(&r->script, r->bytes[at], size);
    lab_subject_choose(&r->script.config, (unsigned)r->wanted->given.subject);
    return made;
}

/* Counts the failure; true: it is the first of its kind, and not known. */
static bool note_failure(run *r, const char *signature) {
    unsigned at = 0;
    if (lab_known_meet(&r->known, signature)) {
        r->known_met++;
        return false;
    }
    while (at < r->failure_count && strcmp(r->failures[at].signature, signature) != 0) {
        at++;
    }
    bool is_new = at == r->failure_count && at < FAILURES_MAX;
    if (is_new) {
        (void)snprintf(r->failures[at].signature, sizeof r->failures[at].signature, "%s",
                       signature);
        r->failure_count++;
    }
    r->failures[at < FAILURES_MAX ? at : FAILURES_MAX - 1].count++;
    return is_new;
}

/* The first script of its kind; to OUT, if there is one, and it is the first of all. */
static int report(const run *r, const lab_outcome *outcome) {
    const lab_cli_files *given = &r->wanted->given;
    char message[1024];
    bool ended = outcome->op >= r->script.count;
    const char *kind = ended ? "end" : lab_op_word(&r->script.config, &r->script.ops[outcome->op]);
    lab_cli_progress_end(&r->progress);
    (void)printf("script %" PRIu64 " with seed %" PRIu64 " fails: %s (operation %zu of %zu: %s, on "
                 "subject %s)\n",
                 r->scripts, r->wanted->seed, outcome->signature, outcome->op, r->script.count,
                 kind, lab_cli_subject_shown(r->script.config.subject));
    if (outcome->message[0] != '\0') {
        (void)printf("# %s\n", outcome->message);
    }
    if (given->out == NULL || r->failure_count > 1) {
        lab_script_print(&r->script, stdout);
    } else if (lab_script_write_file(&r->script, given->out, LAB_FORM_TEXT, given->overwrite,
                                     message, sizeof message)) {
        (void)printf("written to %s\n", given->out);
    } else {
        lab_script_print(&r->script, stdout); /* or what was found would be lost */
        return lab_cli_complain("random", message);
    }
    (void)fflush(stdout); /* it may be hours to the next one */
    return LAB_CLI_FOUND;
}

/* Has nothing been done yet, and nothing found? */
static bool idle(const run *r) {
    return r->acted == 0 && r->failure_count == 0 && r->known_met == 0;
}

static bool is_over(const run *r, time_t end) {
    bool is_enough = time(NULL) > end || r->scripts >= r->wanted->scripts;
    return lab_cli_interrupt() != 0 || (is_enough && (!idle(r) || r->scripts >= SCRIPTS_THAT_ACT));
}

static void show_progress(run *r) {
    if (lab_cli_progress_is_due(&r->progress)) {
        char known[32] = "";
        if (r->known.count > 0) {
            (void)snprintf(known, sizeof known, ", %" PRIu64 " known", r->known_met);
        }
        lab_cli_progress_show(&r->progress,
                              "random: %" PRId64 " s of %" PRIu64 ": %" PRIu64 " scripts, %" PRIu64
                              " operations, %u different failures%s",
                              (lab_cli_now_ms() - r->start_ms) / 1000, r->wanted->seconds,
                              r->scripts, r->ops, r->failure_count, known);
    }
}

static int summarize(const run *r) {
    if (idle(r) && lab_cli_interrupt() == 0) {
        char message[128];
        (void)snprintf(message, sizeof message,
                       "nothing was tested: create refused all of %" PRIu64 " setups", r->scripts);
        return lab_cli_complain("random", message);
    }
    (void)printf("%" PRIu64 " scripts with seed %" PRIu64 ", %" PRIu64 " operations: %s%s\n",
                 r->scripts, r->wanted->seed, r->ops,
                 r->failure_count > 0 ? "failed"
                 : r->known_met > 0   ? "nothing new"
                 : idle(r)            ? "nothing tested yet"
                                      : "passed",
                 lab_cli_interrupted_by());
    for (unsigned i = 0; i < r->failure_count; i++) {
        (void)printf("%8" PRIu64 " %s\n", r->failures[i].count, r->failures[i].signature);
    }
    for (unsigned i = 0; i < r->known.count; i++) {
        (void)printf("%8" PRIu64 " known%s: %s\n", r->known.met[i],
                     r->known.met[i] == 0 ? ", not met (mended?)" : "", r->known.signature[i]);
    }
    return lab_cli_end_status(r->failure_count > 0 ? LAB_CLI_FOUND : LAB_CLI_DONE);
}

static int play(run *r) {
    time_t end = time(NULL) + (time_t)r->wanted->seconds;
    lab_outcome outcome;
    r->start_ms = lab_cli_now_ms();
    lab_cli_progress_begin(&r->progress);
    lab_cli_await_interrupt();
    while (!is_over(r, end)) {
        show_progress(r);
        if (!make_script(r) || !lab_trial_try(r->trial, &r->script, &outcome)) {
            int error = errno;
            lab_cli_progress_end(&r->progress);
            return lab_cli_complain("random", strerror(error));
        }
        if (outcome.end != LAB_END_PASSED && note_failure(r, outcome.signature) &&
            report(r, &outcome) == LAB_CLI_BAD_INPUT) {
            return LAB_CLI_BAD_INPUT;
        }
        r->scripts++;
        r->ops += r->script.count;
        r->acted += outcome.acted;
        if (r->failure_count > 0 && !r->wanted->keep_going) {
            break;
        }
    }
    lab_cli_progress_end(&r->progress);
    return summarize(r);
}

int lab_cli_random(int argc, char **argv) {
    settings wanted = {
        .given = {.subject = LAB_SUBJECT_HEAP}, .seconds = SECONDS_DEFAULT, .scripts = UINT64_MAX};
    wanted.seed = (uint64_t)time(NULL);
    char message[4096];
    int status = read_arguments(argc, argv, &wanted);
    run *r = status == LAB_CLI_DONE ? calloc(1, sizeof *r) : NULL;
    if (r != NULL && wanted.known != NULL &&
        !lab_known_read(&r->known, wanted.known, message, sizeof message)) {
        free(r);
        return lab_cli_complain(argv[0], message);
    }
    if (r != NULL) {
        r->wanted = &wanted;
        r->mutator = lab_mutator_new(wanted.seed, LAB_MUTATE_SCRIPT, NULL);
        r->trial = lab_trial_new(OPS_MAX);
        bool ready = r->mutator != NULL && r->trial != NULL;
        if (ready) {
            lab_trial_keep_player(r->trial);
        }
        status = ready ? play(r) : lab_cli_complain(argv[0], "no memory");
        lab_mutator_destroy(r->mutator);
        lab_trial_destroy(r->trial);
        lab_script_clean_up(&r->script);
        free(r);
    }
    return status;
}
