/* SPDX-License-Identifier: MIT */
/* heaplab bench: checked operations per second and core, and their cost in a small region against
 * a large one.
 *
 * The same scripts (bytes, decoded each time as a fuzz target does) are played in a region of 750
 * dwords and in one of 75,000: the same blocks, the same operations, only the region differs.
 * Rounds alternate between the two and the best of each counts, so that a busy machine disturbs
 * the ratio little. Times are processor time of this process. With --min-rate and --max-ratio the
 * measurement is a check.
 *
 * What is played and compared does not depend on the machine: instructions can be counted, too
 * (docs/fuzzing.md, "How fast"). */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mutate/random.h"
#include "runner/runner.h"

enum { SCRIPTS = 64, OPS = 256, SLOTS = 32, SMALL_DWORDS = 750, LARGE_DWORDS = 75000 };

enum { ROUNDS = 15, ROUNDS_MAX = 1000, PASSES = 4 };

enum { NUMBER_DIGITS_MAX = 18 };

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

typedef struct census {
    uint64_t live, free, ops;
} census;

typedef struct results {
    census blocks;
    double ns[2]; /* per checked operation, in the small and in the large region */
} results;

typedef struct settings {
    const char *min_rate, *max_ratio; /* decimal numbers; NULL: nothing is demanded */
    unsigned rounds;
    int guard;
    lab_comparison comparison;
} settings;

/* Half of the slots live on average: each operation picks a slot and frees or resizes what is
 * there, or allocates; now and then a compaction, a trim, a range of tags. */
static lab_op random_op(uint64_t *state, bool *live) {
    lab_op op;
    memset(&op, 0, sizeof op);
    uint64_t r = lab_random_step(state);
    uint32_t size = 1 + (uint32_t)(r >> 32) % 60;
    uint16_t slot = (uint16_t)(r % SLOTS);
    unsigned choice = (unsigned)(r >> 8) % 64;
    if (choice == 0) {
        op.kind = LAB_OP_COMPACT;
        op.veto = (uint8_t)(r >> 16 & 0x11);
        return op;
    } else if (choice == 1) {
        op.kind = LAB_OP_COMPACT_SOME;
        op.size.value = size;
        return op;
    } else if (live[slot] && choice < 12) {
        op.kind = LAB_OP_RESIZE;
        op.size.value = size;
    } else if (live[slot] && choice < 16) {
        op.kind = LAB_OP_TRIM;
    } else if (live[slot]) {
        op.kind = LAB_OP_FREE;
        live[slot] = false;
    } else {
        op.kind = choice < 8 ? LAB_OP_ALIGNED : LAB_OP_ALLOC;
        op.align = op.kind == LAB_OP_ALIGNED ? 4 : 0;
        op.tag = (uint16_t)((r >> 16) & 0x7) | (slot % 3 == 0 ? 0x4000 : 0x1000);
        op.size.value = size;
        live[slot] = true;
    }
    op.slot = slot;
    return op;
}

static bool make_script(uint64_t seed, uint32_t dwords, bytes *out) {
    lab_script script = {.config = {.dwords = dwords, .alignment = 8, .guard = 3, .slots = 64}};
    bool live[SLOTS] = {false};
    bool ok = true;
    for (unsigned i = 0; ok && i < OPS; i++) {
        ok = lab_script_append(&script, random_op(&seed, live));
    }
    out->size = lab_script_encode(&script, NULL, 0);
    out->data = ok ? malloc(out->size) : NULL;
    if (out->data != NULL) {
        (void)lab_script_encode(&script, out->data, out->size);
    }
    lab_script_clean_up(&script);
    return out->data != NULL;
}

static void count_blocks(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    census *c = context;
    (void)op;
    (void)index;
    c->live += heap->head_blocks + heap->tail_blocks;
    c->free += heap->free_blocks;
    c->ops++;
}

static bool play_all(lab_runner *runner, lab_script *script, const bytes *scripts,
                     const lab_run_options *options, lab_run_counts *counts) {
    for (unsigned i = 0; i < SCRIPTS; i++) {
        lab_failure failure;
        if (!lab_script_decode(script, scripts[i].data, scripts[i].size) ||
            !lab_runner_play(runner, script, options, &failure, counts)) {
            lab_failure_print(&failure, script, stdout);
            return false;
        }
    }
    return true;
}

static double cpu_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Nanoseconds per checked operation, the best of several passes; negative after a failure. */
static double round_ns(lab_runner *runner, lab_script *script, const bytes *scripts,
                       const settings *wanted) {
    const lab_run_options options = {.guard = wanted->guard, .comparison = wanted->comparison};
    lab_run_counts counts = {0};
    double start = cpu_seconds();
    for (unsigned i = 0; i < PASSES; i++) {
        if (!play_all(runner, script, scripts, &options, &counts)) {
            return -1;
        }
    }
    return (cpu_seconds() - start) * 1e9 / (double)counts.checked;
}

/* Progress, for a person who waits. */
static void show_round(unsigned round, unsigned rounds) {
    if (lab_cli_is_terminal()) {
        if (round < rounds) {
            (void)fprintf(stderr, "\rround %u of %u", round + 1, rounds);
        } else {
            (void)fprintf(stderr, "\r\033[K");
        }
    }
}

static int measure(lab_runner *runner, bytes scripts[2][SCRIPTS], const settings *wanted,
                   results *out) {
    lab_script script = {0};
    lab_run_options options = {.guard = -1, .after_op = count_blocks, .context = &out->blocks};
    bool passed = play_all(runner, &script, scripts[0], &options, NULL);
    for (unsigned round = 0; passed && round < wanted->rounds; round++) {
        show_round(round, wanted->rounds);
        for (unsigned which = 0; passed && which < 2; which++) {
            double ns = round_ns(runner, &script, scripts[which], wanted);
            passed = ns >= 0;
            out->ns[which] = round == 0 || ns < out->ns[which] ? ns : out->ns[which];
        }
    }
    show_round(wanted->rounds, wanted->rounds);
    lab_script_clean_up(&script);
    return passed ? LAB_CLI_DONE : LAB_CLI_FOUND;
}

static void report(const results *r) {
    double ops = (double)r->blocks.ops;
    (void)printf("guard level of this build: %d\n", th_guard_max());
    (void)printf("blocks on average: %.1f live, %.1f free\n", (double)r->blocks.live / ops,
                 (double)r->blocks.free / ops);
    (void)printf("region of %5d dwords: %.0f checked operations/s on one core\n", SMALL_DWORDS,
                 1e9 / r->ns[0]);
    (void)printf("region of %5d dwords: %.0f checked operations/s on one core\n", LARGE_DWORDS,
                 1e9 / r->ns[1]);
    (void)printf("cost per operation, large region / small region: %.3f\n", r->ns[1] / r->ns[0]);
}

/* The rate demanded must be reached in both regions. */
static int check_demands(const results *r, const settings *wanted) {
    double rate = 1e9 / (r->ns[0] > r->ns[1] ? r->ns[0] : r->ns[1]);
    double ratio = r->ns[1] / r->ns[0];
    bool slow = wanted->min_rate != NULL && rate < strtod(wanted->min_rate, NULL);
    bool uneven = wanted->max_ratio != NULL && ratio > strtod(wanted->max_ratio, NULL);
    if (!slow && !uneven) {
        return LAB_CLI_DONE;
    }
    (void)fflush(stdout); /* what was measured comes first */
    (void)fprintf(stderr, "heaplab bench: missed:");
    if (slow) {
        (void)fprintf(stderr, " --min-rate %s (measured %.0f checked operations/s)%s",
                      wanted->min_rate, rate, uneven ? ";" : "");
    }
    if (uneven) {
        (void)fprintf(stderr, " --max-ratio %s (measured %.3f)", wanted->max_ratio, ratio);
    }
    (void)fputc('\n', stderr);
    return LAB_CLI_FOUND;
}

/* A plain decimal number above 0. */
static bool is_positive(const char *text) {
    size_t digits = strspn(text, "0123456789");
    size_t size = digits;
    if (text[size] == '.') {
        size_t more = strspn(text + size + 1, "0123456789");
        size += 1 + more;
        digits += more;
    }
    return digits > 0 && digits <= NUMBER_DIGITS_MAX && text[size] == '\0' &&
           strtod(text, NULL) > 0;
}

static int read_demand(lab_cli_arguments *from, const char *option, const char **demand) {
    const char *value = lab_cli_value(from, option);
    if (value == NULL) {
        return LAB_CLI_BAD_INPUT;
    }
    if (!is_positive(value)) {
        return lab_cli_refuse(from->argv[0], "no positive decimal number:", value);
    }
    *demand = value;
    return LAB_CLI_DONE;
}

static int read_guard(lab_cli_arguments *from, int *guard) {
    const char *value = lab_cli_value(from, "--guard");
    if (value == NULL) {
        return LAB_CLI_BAD_INPUT;
    }
    if (strlen(value) != 1 || value[0] < '0' || value[0] > '3') {
        return lab_cli_refuse(from->argv[0], "no guard level from 0 to 3:", value);
    }
    *guard = value[0] - '0';
    return LAB_CLI_DONE;
}

static int read_option(lab_cli_arguments *from, const char *option, settings *wanted) {
    if (strcmp(option, "--all") == 0) {
        wanted->comparison = LAB_COMPARE_ALL;
        return LAB_CLI_DONE;
    }
    if (strcmp(option, "--every-check") == 0) {
        wanted->comparison = LAB_COMPARE_TOUCHED;
        return LAB_CLI_DONE;
    }
    if (strcmp(option, "--guard") == 0) {
        return read_guard(from, &wanted->guard);
    }
    if (strcmp(option, "--rounds") == 0) {
        return lab_cli_read_number(from, option, ROUNDS_MAX,
                                   "no number of rounds from 1 to 1000:", &wanted->rounds);
    }
    if (strcmp(option, "--min-rate") == 0) {
        return read_demand(from, option, &wanted->min_rate);
    }
    return strcmp(option, "--max-ratio") == 0
               ? read_demand(from, option, &wanted->max_ratio)
               : lab_cli_refuse(from->argv[0], "unknown option", option);
}

static int read_arguments(int argc, char **argv, settings *wanted) {
    lab_cli_arguments from = {argc, argv, 1, false};
    int status = LAB_CLI_DONE;
    const char *argument;
    bool is_option;
    while (status == LAB_CLI_DONE && (argument = lab_cli_next(&from, &is_option)) != NULL) {
        status = is_option ? read_option(&from, argument, wanted)
                           : lab_cli_refuse(argv[0], "unexpected argument", argument);
    }
    return status;
}

int lab_cli_bench(int argc, char **argv) {
    static bytes scripts[2][SCRIPTS];
    settings wanted = {.rounds = ROUNDS, .guard = -1, .comparison = LAB_COMPARE_SPARSE};
    results found = {0};
    int status = read_arguments(argc, argv, &wanted);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    lab_runner *runner = lab_runner_new();
    bool ready = runner != NULL;
    for (unsigned i = 0; ready && i < SCRIPTS; i++) {
        ready = make_script(i, SMALL_DWORDS, &scripts[0][i]) &&
                make_script(i, LARGE_DWORDS, &scripts[1][i]);
    }
    status =
        ready ? measure(runner, scripts, &wanted, &found) : lab_cli_complain(argv[0], "no memory");
    if (status == LAB_CLI_DONE) {
        report(&found);
        status = check_demands(&found, &wanted);
    }
    for (unsigned i = 0; i < SCRIPTS; i++) {
        free(scripts[0][i].data);
        free(scripts[1][i].data);
    }
    lab_runner_destroy(runner);
    return status;
}
