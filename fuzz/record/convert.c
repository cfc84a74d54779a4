/* SPDX-License-Identifier: MIT */
/* labconvert: turns a trace of the recorder into a script in its text form, prints the trace, makes
 * an empty one, or cuts it to what it holds. scripts/record calls it; docs/recording.md describes
 * its options and the comment lines at the head of the script. Exit status: 0, or 2 for bad input.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "record/history.h"
#include "record/plan.h"
#include "script/script.h"

#define BAD_INPUT     2
#define LABELS_MAX    8
#define LINE_CAPACITY 512

typedef enum deed {
    DEED_CONVERT,
    DEED_CHECK,
    DEED_DUMP,
    DEED_CREATE,
    DEED_CUT,
} deed;

typedef struct arguments {
    lab_plan_options plan;
    const char *trace;
    const char *out; /* NULL: standard output */
    const char *labels[LABELS_MAX];
    size_t label_count;
    bool force;
    deed deed;
    uint64_t limit; /* CREATE */
} arguments;

static const char usage[] =
    "usage: labconvert [options] TRACE\n"
    "  -o FILE           write the script there (default: standard output)\n"
    "  -f                replace FILE if it exists\n"
    "  --dump            print the trace instead, one line for each record\n"
    "  --check           only look at the options; needs no trace\n"
    "  --create N        make TRACE, empty, with room for N operations\n"
    "  --cut             cut TRACE to what it holds, and say how many operations that are,\n"
    "                    and why the recording stopped, if it did\n"
    "  --label TEXT      a comment line for the head of the script (up to 8)\n"
    "  --ops N           operations in the window (1000)\n"
    "  --window START:N  the window: N operations from START on\n"
    "  --dwords N        region size (default: what everything fits into)\n"
    "  --slots N         one of " LAB_SLOT_COUNTS_TEXT
    "\n                    (default: what it takes)\n"
    "  --align N         4, 8 or 16 (4)\n"
    "  --low-memory      set lowmem=1 in the script\n"
    "  --max-size BYTES  drop larger requests (65536)\n"
    "  --carry N         most untouched blocks from before the window (256)\n"
    "  --long N          blocks that live more than N operations are long-lived\n"
    "                    (default: a quarter of the window)\n"
    "  --epoch N         operations with the same HEAD tag; 0: one tag, no freetags (64)\n"
    "  --compact N       operations between compactions; 0: none (250)\n";

/* ---- options -------------------------------------------------------------------------------- */

/* False with a line on stderr if `text` is no number from `low` to `high`. */
static bool parse_number(const char *option, const char *text, uint64_t low, uint64_t high,
                         uint64_t *value) {
    char *end = NULL;
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, 10);
    bool digits = *text >= '0' && *text <= '9';
    if (!digits || *end != '\0' || errno != 0 || parsed < low || parsed > high) {
        fprintf(stderr, "labconvert: %s %s: give a number from %llu to %llu\n", option, text,
                (unsigned long long)low, (unsigned long long)high);
        return false;
    }
    *value = parsed;
    return true;
}

static bool parse_window(lab_plan_options *plan, const char *text) {
    char start[24];
    const char *colon = strchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof start) {
        fprintf(stderr, "labconvert: --window %s: give START:N\n", text);
        return false;
    }
    memcpy(start, text, (size_t)(colon - text));
    start[colon - text] = '\0';
    uint64_t first = 0, ops = 0;
    if (!parse_number("--window", start, 0, UINT32_MAX, &first) ||
        !parse_number("--window", colon + 1, 1, UINT32_MAX, &ops)) {
        return false;
    }
    plan->start = (size_t)first;
    plan->ops = (size_t)ops;
    return true;
}

static bool is_choice(const char *option, uint64_t value, const uint32_t *choices, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (choices[i] == value) {
            return true;
        }
    }
    fprintf(stderr, "labconvert: %s %llu: not one of the sizes that a script can have\n", option,
            (unsigned long long)value);
    return false;
}

/* The options that take a number. */
static bool parse_numeric(lab_plan_options *plan, const char *option, const char *text,
                          bool *known) {
    static const uint32_t alignments[] = {4, 8, 16};
    const struct {
        const char *name;
        uint64_t low, high;
        uint32_t *to;
    } fields[] = {
        {"--dwords", 1, LAB_DWORDS_MAX, &plan->dwords},
        {"--max-size", 1, LAB_SIZE_VALUE_MAX, &plan->max_size},
        {"--carry", 0, UINT32_MAX, &plan->carry},
        {"--long", 1, UINT32_MAX, &plan->long_ops},
        {"--epoch", 0, UINT32_MAX, &plan->epoch_ops},
        {"--compact", 0, UINT32_MAX, &plan->compact_every},
        {"--slots", 8, LAB_SLOTS_MAX, &plan->slots},
    };
    uint64_t value = 0;
    *known = true;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(option, fields[i].name) == 0) {
            bool ok = parse_number(option, text, fields[i].low, fields[i].high, &value) &&
                      (fields[i].to != &plan->slots ||
                       is_choice(option, value, lab_slot_counts, LAB_SLOT_COUNTS_COUNT));
            *fields[i].to = (uint32_t)value;
            return ok;
        }
    }
    if (strcmp(option, "--ops") == 0) {
        bool ok = parse_number(option, text, 1, UINT32_MAX, &value);
        plan->ops = (size_t)value;
        return ok;
    }
    if (strcmp(option, "--align") == 0) {
        bool ok = parse_number(option, text, 4, 16, &value) &&
                  is_choice(option, value, alignments, sizeof alignments / sizeof alignments[0]);
        plan->alignment = (uint8_t)value;
        return ok;
    }
    *known = false;
    return false;
}

static bool parse_valued(arguments *a, const char *option, const char *text) {
    if (strcmp(option, "-o") == 0) {
        a->out = text;
        return true;
    }
    if (strcmp(option, "--window") == 0) {
        return parse_window(&a->plan, text);
    }
    if (strcmp(option, "--create") == 0) {
        a->deed = DEED_CREATE;
        return parse_number(option, text, 1, LAB_TRACE_RECORDS_MAX, &a->limit);
    }
    if (strcmp(option, "--label") == 0) {
        if (a->label_count == LABELS_MAX) {
            fprintf(stderr, "labconvert: --label: at most %d\n", LABELS_MAX);
            return false;
        }
        a->labels[a->label_count++] = text;
        return true;
    }
    bool known = false;
    bool ok = parse_numeric(&a->plan, option, text, &known);
    if (!known) {
        fprintf(stderr, "labconvert: unknown option %s (labconvert --help)\n", option);
    }
    return ok;
}

static bool parse_arguments(arguments *a, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-') {
            if (a->trace != NULL) {
                fprintf(stderr, "labconvert: %s: one trace at a time\n", word);
                return false;
            }
            a->trace = word;
        } else if (strcmp(word, "-f") == 0) {
            a->force = true;
        } else if (strcmp(word, "--dump") == 0) {
            a->deed = DEED_DUMP;
        } else if (strcmp(word, "--check") == 0) {
            a->deed = DEED_CHECK;
        } else if (strcmp(word, "--cut") == 0) {
            a->deed = DEED_CUT;
        } else if (strcmp(word, "--low-memory") == 0) {
            a->plan.low_memory = 1;
        } else if (i + 1 == argc) {
            fprintf(stderr, "labconvert: %s: unknown, or its value is missing\n", word);
            return false;
        } else if (!parse_valued(a, word, argv[++i])) {
            return false;
        }
    }
    if (a->trace == NULL && a->deed != DEED_CHECK) {
        fputs("labconvert: give a trace (labconvert --help)\n", stderr);
        return false;
    }
    return true;
}

/* ---- output --------------------------------------------------------------------------------- */

/* A label must not be able to end its comment. */
static void print_label(FILE *out, const char *label) {
    fputs("# ", out);
    for (; *label != '\0'; label++) {
        unsigned char c = (unsigned char)*label;
        fputc(c < 0x20 || c > 0x7E ? '?' : c, out);
    }
    fputc('\n', out);
}

typedef struct conversion {
    const arguments *a;
    lab_trace trace;
    lab_trace_history history;
    lab_script script;
    lab_plan_report report;
} conversion;

static void print_dropped(FILE *out, const conversion *c) {
    const lab_trace_history *history = &c->history;
    if (c->report.not_carried > 0) {
        fprintf(out, "# left out: %zu blocks from before the window that it does not touch\n",
                c->report.not_carried);
    }
    if (c->report.too_large > 0) {
        fprintf(out, "# dropped: %zu operations on requests over %u bytes\n", c->report.too_large,
                (unsigned)c->a->plan.max_size);
    }
    if (c->report.no_slot > 0) {
        fprintf(out, "# dropped: %zu operations for want of a slot\n", c->report.no_slot);
    }
    if (history->failed + history->foreign + history->lost > 0) {
        fprintf(out,
                "# in the whole trace: %zu failed requests, %zu blocks from before the "
                "recording, %zu frees not seen\n",
                history->failed, history->foreign, history->lost);
    }
}

static void print_report(FILE *out, const conversion *c) {
    const lab_plan_report *report = &c->report;
    char stop[LINE_CAPACITY];
    lab_trace_stop_format(&c->trace.header, stop, sizeof stop);
    fprintf(out, "# operations: %zu recorded%s%s; window %zu:%zu\n", c->history.ops,
            stop[0] == '\0' ? "" : ", stopped ", stop, report->window_start,
            report->window_end - report->window_start);
    fprintf(out, "# kept: %zu allocations, %zu resizes, %zu frees; %zu blocks freed by tag\n",
            report->births, report->resizes, report->frees, report->freed_early);
    fprintf(out, "# put in: %zu blocks from before the window, %zu compactions, %zu freetags\n",
            report->carried, report->compactions, report->tag_frees);
    print_dropped(out, c);
    fprintf(out, "# choices: long-lived beyond %zu operations, epochs of %u, compaction every %u\n",
            report->long_ops, (unsigned)c->a->plan.epoch_ops, (unsigned)c->a->plan.compact_every);
    if (report->shift > 0) {
        fprintf(out, "# sizes: divided by %lu to fit the largest region\n", 1ul << report->shift);
    }
    fprintf(out, "# peak: %" PRIu64 " dwords in %u blocks\n", report->peak_dwords,
            (unsigned)report->peak_blocks);
    if (report->idle > 0) {
        fprintf(out, "# the region is too small: %zu of %zu operations do nothing\n", report->idle,
                c->script.count);
    }
}

static bool print_script(FILE *out, const void *what) {
    const conversion *c = what;
    if (c->a->label_count == 0) {
        print_label(out, "recorded run");
    }
    for (size_t i = 0; i < c->a->label_count; i++) {
        print_label(out, c->a->labels[i]);
    }
    print_report(out, c);
    lab_script_print(&c->script, out);
    return true;
}

static bool refuse(char *message, size_t capacity, const char *about, const char *what) {
    (void)snprintf(message, capacity, "%s: %s", about, what);
    return false;
}

/* Ends the standard output. False, with a message, if not all of it was written. */
static bool finish(char *message, size_t capacity) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return true;
    }
    return refuse(message, capacity, "standard output: cannot be written",
                  errno != 0 ? strerror(errno) : "an error before");
}

/* ---- deeds ---------------------------------------------------------------------------------- */

static bool write_script(const conversion *c, char *message, size_t capacity) {
    if (c->a->out != NULL) {
        return lab_file_write(print_script, c, c->a->out, c->a->force, message, capacity);
    }
    return print_script(stdout, c) && finish(message, capacity);
}

static bool convert(conversion *c, char *message, size_t capacity) {
    char why[LINE_CAPACITY / 2] = "";
    if (!lab_trace_history_build(&c->history, &c->trace)) {
        return refuse(message, capacity, c->a->trace, "too large for the memory of this machine");
    }
    bool ok = lab_plan_make(&c->history, &c->a->plan, &c->script, &c->report, why, sizeof why)
                  ? write_script(c, message, capacity)
                  : refuse(message, capacity, c->a->trace, why);
    lab_script_clean_up(&c->script);
    lab_trace_history_clean_up(&c->history);
    return ok;
}

/* Reads the trace, for one of the deeds that need all of it. */
static bool read_and_do(const arguments *a, char *message, size_t capacity) {
    conversion c = {.a = a};
    if (!lab_trace_read(&c.trace, a->trace, message, capacity)) {
        return false;
    }
    bool ok;
    if (a->deed == DEED_DUMP) {
        lab_trace_print(&c.trace, stdout);
        ok = finish(message, capacity);
    } else {
        ok = convert(&c, message, capacity);
    }
    lab_trace_clean_up(&c.trace);
    return ok;
}

static bool cut(const arguments *a, char *message, size_t capacity) {
    lab_trace_header header;
    char stop[LINE_CAPACITY];
    if (!lab_trace_cut(a->trace, &header, message, capacity)) {
        return false;
    }
    lab_trace_stop_format(&header, stop, sizeof stop);
    printf("%" PRIu64 "\n%s\n", header.count, stop);
    return finish(message, capacity);
}

static bool perform(const arguments *a, char *message, size_t capacity) {
    switch (a->deed) {
    case DEED_CHECK:
        return true;
    case DEED_CREATE:
        return lab_trace_create(a->trace, a->limit, message, capacity);
    case DEED_CUT:
        return cut(a, message, capacity);
    case DEED_CONVERT:
    case DEED_DUMP:
        break;
    }
    return read_and_do(a, message, capacity);
}

int main(int argc, char **argv) {
    arguments a = {.plan = lab_plan_defaults()};
    char message[LINE_CAPACITY] = "";
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like others */
    if (!parse_arguments(&a, argc, argv)) {
        return BAD_INPUT;
    }
    if (!perform(&a, message, sizeof message)) {
        fprintf(stderr, "labconvert: %s\n", message);
        return BAD_INPUT;
    }
    return 0;
}
