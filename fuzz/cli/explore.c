/* SPDX-License-Identifier: MIT */
/* heaplab explore: every state that a small heap can get into. */
#define _DEFAULT_SOURCE

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli.h"
#include "explore/explore.h"

enum { MESSAGE_BYTES_MAX = 4096 + 512 };

typedef struct explore_settings {
    lab_explore_config config;
    uint32_t guard;
    bool guard_given;
    const char *out;
    bool overwrite;
} explore_settings;

/* The heap and the alphabet of `make explore`; docs/explore.md says why these. */
static const explore_settings defaults = {
    .config = {.dwords = 46,
               .alignment = 4,
               .sizes = {{1, 9, 20}, 3},
               .tags = {{0x1001, 0x1002, 0x4001}, 3},
               .aligned = {{16}, 1},
               .budgets = {{0}, 1}},
    .out = "explore-violation.txt",
};

/* ---- arguments ---------------------------------------------------------------------------- */

typedef enum option_kind { OPTION_NUMBER, OPTION_LIST, OPTION_TEXT, OPTION_LAYOUT } option_kind;

typedef struct option_row {
    const char *name;
    option_kind kind;
    size_t offset; /* in explore_settings */
} option_row;

static const option_row options[] = {
    {"--dwords", OPTION_NUMBER, offsetof(explore_settings, config.dwords)},
    {"--align", OPTION_NUMBER, offsetof(explore_settings, config.alignment)},
    {"--guard", OPTION_NUMBER, offsetof(explore_settings, guard)},
    {"--layout", OPTION_LAYOUT, offsetof(explore_settings, config.layout)},
    {"--sizes", OPTION_LIST, offsetof(explore_settings, config.sizes)},
    {"--tags", OPTION_LIST, offsetof(explore_settings, config.tags)},
    {"--aligned", OPTION_LIST, offsetof(explore_settings, config.aligned)},
    {"--budgets", OPTION_LIST, offsetof(explore_settings, config.budgets)},
    {"--max-states", OPTION_NUMBER, offsetof(explore_settings, config.states_max)},
    {"-j", OPTION_NUMBER, offsetof(explore_settings, config.jobs)},
    {"-o", OPTION_TEXT, offsetof(explore_settings, out)},
};

static const option_row *find_option(const char *name) {
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(name, options[i].name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

/* A number, decimal or with 0x, that ends in a comma or at the end. */
static bool read_number(const char **at, uint32_t *value) {
    char *end;
    if (**at < '0' || **at > '9') {
        return false;
    }
    errno = 0;
    unsigned long long number = strtoull(*at, &end, 0);
    if (errno != 0 || number > UINT32_MAX || (*end != '\0' && *end != ',')) {
        return false;
    }
    *value = (uint32_t)number;
    *at = end;
    return true;
}

/* "1,9,20", or "none". */
static bool read_list(const char *text, lab_explore_list *list) {
    list->count = 0;
    if (strcmp(text, "none") == 0) {
        return true;
    }
    for (;; text++) {
        if (list->count == LAB_EXPLORE_LIST_MAX ||
            !read_number(&text, &list->value[list->count++])) {
            return false;
        }
        if (*text == '\0') {
            return true;
        }
    }
}

static bool read_value(explore_settings *out, const option_row *option, const char *text) {
    unsigned char *at = (unsigned char *)out + option->offset;
    uint32_t number = 0;
    switch (option->kind) {
    case OPTION_LIST:
        return read_list(text, (lab_explore_list *)(void *)at);
    case OPTION_TEXT:
        memcpy(at, &text, sizeof text);
        return true;
    case OPTION_LAYOUT:
        return lab_layout_find(text, (lab_layout *)(void *)at);
    case OPTION_NUMBER:
        break;
    }
    bool read = read_number(&text, &number) && *text == '\0';
    memcpy(at, &number, sizeof number);
    return read;
}

static int read_arguments(int argc, char **argv, explore_settings *out) {
    lab_cli_arguments from = {argc, argv, 1, false};
    const char *argument;
    bool is_option;
    while ((argument = lab_cli_next(&from, &is_option)) != NULL) {
        bool joined = strncmp(argument, "-j", 2) == 0 && argument[2] != '\0'; /* -j2 */
        const option_row *option = find_option(joined ? "-j" : argument);
        if (!is_option) {
            return lab_cli_refuse(argv[0], "unexpected argument", argument);
        }
        if (strcmp(argument, "-f") == 0) {
            out->overwrite = true;
        } else if (strcmp(argument, "--bookkeeping") == 0) {
            out->config.bookkeeping = true;
        } else if (option == NULL) {
            return lab_cli_refuse(argv[0], "unknown option", argument);
        } else {
            const char *value = joined ? argument + 2 : lab_cli_value(&from, argument);
            if (value == NULL) {
                return LAB_CLI_BAD_INPUT;
            }
            out->guard_given = out->guard_given || strcmp(option->name, "--guard") == 0;
            if (!read_value(out, option, value)) {
                return lab_cli_refuse(argv[0], "not understood:", value);
            }
        }
    }
    if (out->config.layout == LAB_LAYOUT_LEAN && !out->guard_given) {
        out->guard = 0;
    }
    out->config.guard = out->guard <= 3 ? (int)out->guard : -1;
    return LAB_CLI_DONE;
}

/* ---- output ------------------------------------------------------------------------------- */

static void print_numbers(const char *name, const lab_explore_list *list, bool hexadecimal) {
    (void)printf("%s", name);
    for (uint32_t i = 0; i < list->count; i++) {
        (void)printf(hexadecimal ? "%s0x%04x" : "%s%u", i == 0 ? "" : ",", list->value[i]);
    }
    (void)printf("%s\n", list->count == 0 ? "none" : "");
}

static void print_subject(const lab_explore_config *config) {
    (void)printf("heap      %u dwords, layout %s, alignment %u, guard level %d%s\n", config->dwords,
                 lab_layout_names[config->layout], config->alignment, config->guard,
                 config->bookkeeping ? ", used memory part of the state" : "");
    print_numbers("sizes     ", &config->sizes, false);
    print_numbers("tags      ", &config->tags, true);
    print_numbers("aligned   ", &config->aligned, false);
    print_numbers("budgets   ", &config->budgets, false);
    (void)fflush(stdout);
}

static double megabytes(uint64_t bytes) {
    return (double)bytes / (1024.0 * 1024.0);
}

static double rate(const lab_explore_counts *counts) {
    return counts->seconds > 0 ? (double)counts->transitions / counts->seconds : 0;
}

static void print_progress(void *context, const lab_explore_counts *counts) {
    lab_cli_progress_show(context,
                          "%.0f s: depth %u, %llu states, %llu to be expanded, %.1f M transitions, "
                          "%.2f M/s, %.0f MiB",
                          counts->seconds, counts->depth, (unsigned long long)counts->states,
                          (unsigned long long)counts->frontier, (double)counts->transitions / 1e6,
                          rate(counts) / 1e6, megabytes(counts->bytes));
}

static bool go_on(void *context) {
    (void)context;
    return lab_cli_interrupt() == 0;
}

static void print_counts(const lab_explore_result *result) {
    struct rusage usage;
    const lab_explore_counts *counts = &result->counts;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("states    %llu\ntransitions %llu\ndepth     %u\n",
                 (unsigned long long)counts->states, (unsigned long long)counts->transitions,
                 result->deepest);
    (void)printf("time      %.1f s, %.2f M transitions/s\nmemory    %.0f MiB\n", counts->seconds,
                 rate(counts) / 1e6, (double)usage.ru_maxrss / 1024.0);
}

/* The violation, its script on standard output and in a file. */
static int print_violation(const char *name, const explore_settings *settings,
                           lab_explore_result *result) {
    char message[MESSAGE_BYTES_MAX];
    lab_failure played;
    lab_runner *runner = lab_runner_new();
    size_t length = result->script.count;
    (void)printf("\nVIOLATION property=%s detail=%s after %zu operations\n%s\n",
                 lab_property_name(result->failure.property), result->failure.detail, length,
                 result->failure.message);
    bool confirmed = runner != NULL && lab_explore_confirm(result, runner, &played);
    lab_runner_destroy(runner);
    lab_script_print(&result->script, stdout);
    if (!lab_script_write_file(&result->script, settings->out, LAB_FORM_TEXT, settings->overwrite,
                               message, sizeof message)) {
        (void)lab_cli_complain(name, message);
    } else if (confirmed) {
        (void)printf("written to %s; heaplab run fails on it: property=%s detail=%s\n",
                     settings->out, lab_property_name(played.property), played.detail);
    } else {
        (void)printf("written to %s; %s\n", settings->out,
                     result->crashed ? "the heap crashed, so it was not tried with heaplab run"
                                     : "heaplab run does not show it");
    }
    return LAB_CLI_FOUND;
}

static int print_end(const char *name, const explore_settings *settings,
                     lab_explore_result *result) {
    switch (result->end) {
    case LAB_EXPLORE_COMPLETE:
        print_counts(result);
        (void)printf("complete\n");
        return LAB_CLI_DONE;
    case LAB_EXPLORE_LIMIT:
        print_counts(result);
        (void)printf("stopped: more than %u states\n", settings->config.states_max);
        return LAB_CLI_BAD_INPUT;
    case LAB_EXPLORE_STOPPED:
        print_counts(result);
        (void)printf("not complete%s: %llu states were not expanded\n", lab_cli_interrupted_by(),
                     (unsigned long long)result->counts.frontier);
        return lab_cli_end_status(LAB_CLI_DONE);
    case LAB_EXPLORE_MEMORY:
        print_counts(result);
        (void)printf("stopped: no memory, or no thread\n");
        return LAB_CLI_BAD_INPUT;
    case LAB_EXPLORE_VIOLATION:
        break;
    }
    print_counts(result);
    return print_violation(name, settings, result);
}

int lab_cli_explore(int argc, char **argv) {
    explore_settings settings = defaults;
    settings.guard = th_guard_max() < 2 ? (uint32_t)th_guard_max() : 2;
    if (read_arguments(argc, argv, &settings) != LAB_CLI_DONE) {
        return LAB_CLI_BAD_INPUT;
    }
    const char *refusal = lab_explore_refusal(&settings.config);
    if (refusal != NULL) {
        return lab_cli_complain(argv[0], refusal);
    }
    const lab_cli_files given = {.out = settings.out, .overwrite = settings.overwrite};
    if (lab_cli_check_out(argv[0], &given) != LAB_CLI_DONE) {
        return LAB_CLI_BAD_INPUT;
    }
    lab_cli_progress progress;
    lab_cli_progress_begin(&progress);
    settings.config.progress = print_progress;
    settings.config.progress_ms = progress.interval_ms;
    settings.config.go_on = go_on;
    settings.config.context = &progress;
    lab_cli_await_interrupt();
    print_subject(&settings.config);
    lab_explore_result result;
    lab_explore(&settings.config, &result);
    lab_cli_progress_end(&progress);
    int end = print_end(argv[0], &settings, &result);
    lab_script_clean_up(&result.script);
    return end;
}
