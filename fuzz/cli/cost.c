/* SPDX-License-Identifier: MIT */
/* heaplab cost: how many instructions single calls of the heap take, at guard level 0, in the build
 * that this is. A child process plays the script and is single-stepped. */
#define _DEFAULT_SOURCE

#include "worst/cost.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cli/cli.h"

enum { SAMPLES_MAX = 1000 };

typedef struct samples {
    uint64_t calls; /* in the script */
    uint32_t counted;
    uint64_t counts[SAMPLES_MAX];
} samples;

/* What the child leaves for us; in memory that both see. */
typedef struct results {
    bool played;
    lab_cost last; /* the last operation that did something */
    samples of[LAB_COST_KINDS];
} results;

typedef struct settings {
    uint64_t samples; /* of each kind; 0: the last operation alone is counted */
    th_heap_index index;
} settings;

typedef struct job {
    settings wanted;
    lab_cost_player *player;
    lab_script script;
    uint8_t *kinds; /* of each operation; what is not to be counted is OTHER */
    results *found;
} job;

/* ---- what is counted ------------------------------------------------------------------------ */

static void note_kind(void *context, const lab_cost *cost) {
    job *j = context;
    j->kinds[cost->op] = (uint8_t)cost->kind;
    if (cost->kind < LAB_COST_KINDS) {
        j->found->of[cost->kind].calls++;
    }
}

/* The last ones of each kind. False: the heap refuses the region. */
static bool choose(job *j) {
    uint64_t chosen[LAB_COST_KINDS] = {0};
    const lab_cost_options options = {.note = note_kind, .context = j};
    memset(j->kinds, LAB_COST_OTHER, j->script.count);
    if (!lab_cost_play(j->player, &j->script, &options)) {
        return false;
    }
    uint64_t most = j->wanted.samples > 0 ? j->wanted.samples : 1;
    for (size_t i = j->script.count; i > 0; i--) {
        uint8_t *kind = &j->kinds[i - 1];
        bool asked_for = j->wanted.samples > 0 || i == j->script.count;
        if (*kind < LAB_COST_KINDS && (!asked_for || chosen[*kind]++ >= most)) {
            *kind = LAB_COST_OTHER;
        }
    }
    return true;
}

static bool is_chosen(void *context, size_t index) {
    return ((const job *)context)->kinds[index] < LAB_COST_KINDS;
}

static void note_count(void *context, const lab_cost *cost) {
    results *found = ((job *)context)->found;
    found->last = *cost;
    if (cost->count > 0 && cost->kind < LAB_COST_KINDS) {
        samples *of = &found->of[cost->kind];
        of->counts[of->counted++] = cost->count;
    }
}

static int play(void *context) {
    job *j = context;
    const lab_cost_options options = {
        .how = LAB_COUNT_STEPS, .chosen = is_chosen, .note = note_count, .context = j};
    j->found->played = lab_cost_play(j->player, &j->script, &options);
    return 0;
}

/* ---- what is printed ------------------------------------------------------------------------ */

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_samples(const char *path, results *found) {
    (void)printf("%s\n  %-10s %9s %9s %9s %9s\n", path, "", "calls", "counted", "median", "most");
    for (int kind = 0; kind < LAB_COST_KINDS; kind++) {
        samples *of = &found->of[kind];
        if (of->counted > 0) {
            qsort(of->counts, of->counted, sizeof of->counts[0], compare);
            (void)printf("  %-10s %9" PRIu64 " %9" PRIu32 " %9" PRIu64 " %9" PRIu64 "\n",
                         lab_cost_name((lab_cost_kind)kind), of->calls, of->counted,
                         of->counts[of->counted / 2], of->counts[of->counted - 1]);
        }
    }
}

static void print_last(const char *path, const lab_cost *last) {
    (void)printf("%s: operation %zu, %s: %" PRIu64 " instructions", path, last->op + 1,
                 lab_cost_name(last->kind), last->count);
    if (last->kind == LAB_COST_ALIGNED_K) {
        (void)printf(", k %" PRIu32, last->k);
    }
    (void)putchar('\n');
}

/* ---- the subcommand ------------------------------------------------------------------------- */

static int count(const char *name, const char *path, job *j) {
    if (j->script.count == 0 || !choose(j)) {
        return lab_cli_complain_of(name, path,
                                   j->script.count == 0 ? "has no operation that could be counted"
                                                        : "the heap refuses its region");
    }
    if (j->wanted.samples == 0 && !is_chosen(j, j->script.count - 1)) {
        return lab_cli_complain_of(name, path,
                                   "its last operation is none that is counted (docs/worst.md); "
                                   "--samples counts others");
    }
    int status = lab_count_stepped(play, j);
    if (status != 0 || !j->found->played) {
        char what[160];
        (void)(status < 0 ? snprintf(what, sizeof what,
                                     "cannot be single-stepped here: %s (is ptrace allowed?)",
                                     strerror(errno))
                          : snprintf(what, sizeof what, "its process ended early, with status %d",
                                     status));
        return lab_cli_complain_of(name, path, what);
    }
    if (j->wanted.samples > 0) {
        print_samples(path, j->found);
    } else {
        print_last(path, &j->found->last);
    }
    return LAB_CLI_DONE;
}

static int count_file(const char *name, const char *path, const lab_cli_files *given, job *j) {
    if (!lab_cli_read(name, path, given, &j->script)) {
        return LAB_CLI_BAD_INPUT;
    }
    j->player = lab_cost_player_new(j->script.config.dwords, j->wanted.index);
    j->kinds = malloc(j->script.count + 1);
    void *shared =
        mmap(NULL, sizeof *j->found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    if (j->player != NULL && j->kinds != NULL && shared != MAP_FAILED) {
        j->found = shared;
        status = count(name, path, j);
    } else {
        status = lab_cli_complain(name, "no memory");
    }
    if (shared != MAP_FAILED) {
        (void)munmap(shared, sizeof *j->found);
    }
    free(j->kinds);
    lab_cost_player_destroy(j->player);
    return status;
}

static int set_option(lab_cli_arguments *from, const char *option, void *context, bool *known) {
    settings *wanted = context;
    if (strcmp(option, "--samples") == 0) {
        return lab_cli_read_uint64(from, option, 1, SAMPLES_MAX,
                                   "no number of samples from 1 to 1000:", &wanted->samples);
    }
    *known = strcmp(option, "--index") == 0;
    return *known ? lab_cli_read_index(from, &wanted->index) : LAB_CLI_DONE;
}

int lab_cli_cost(int argc, char **argv) {
    const lab_cli_syntax syntax = {.many = true, .option = set_option};
    lab_cli_files given;
    job j = {.wanted = {.index = TH_HEAP_INDEX_GIVEN}};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &j.wanted);
    for (int i = 1; status == LAB_CLI_DONE && i <= given.count; i++) {
        status = count_file(argv[0], argv[i], &given, &j);
    }
    lab_script_clean_up(&j.script);
    return status;
}
