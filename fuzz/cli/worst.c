/* SPDX-License-Identifier: MIT */
/* heaplab worst: searches for the dearest call of each kind in a region of one size. It counts
 * basic blocks; what it finds is counted in instructions by heaplab cost (scripts/worst does both).
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "worst/search.h"

enum {
    STEPS_DEFAULT = 2000,
    STEPS_MAX = 1000 * 1000 * 1000,
    PATH_BYTES_MAX = 4096,
    ORDINARY_OPERATIONS = 3000,
    /* What makes a call dear is found sooner in a small region: first in this. */
    FIRST_DWORDS = 2048
};

typedef struct settings {
    uint64_t dwords, steps, seconds, seed;
    th_heap_index index;
    lab_layout layout;
    const char *folder;
    bool overwrite;
    int files; /* argv[1 .. files] */
} settings;

static int take_layout(lab_cli_arguments *from, lab_layout *layout) {
    const char *value = lab_cli_value(from, "--layout");
    return value == NULL ? LAB_CLI_BAD_INPUT
           : lab_layout_find(value, layout)
               ? LAB_CLI_DONE
               : lab_cli_refuse(from->argv[0], "no layout (auto, classic, lean, wide):", value);
}

static int take_option(lab_cli_arguments *from, const char *option, settings *wanted) {
    if (strcmp(option, "--dwords") == 0) {
        return lab_cli_read_uint64(from, option, 1, LAB_DWORDS_MAX,
                                   "no size that scripts can have:", &wanted->dwords);
    }
    if (strcmp(option, "--steps") == 0) {
        return lab_cli_read_uint64(from, option, 0, STEPS_MAX,
                                   "no number of steps:", &wanted->steps);
    }
    if (strcmp(option, "--seconds") == 0) {
        return lab_cli_read_seconds(from, &wanted->seconds);
    }
    if (strcmp(option, "--seed") == 0) {
        return lab_cli_read_seed(from, &wanted->seed);
    }
    if (strcmp(option, "-f") == 0) {
        wanted->overwrite = true;
        return LAB_CLI_DONE;
    }
    if (strcmp(option, "--index") == 0) {
        return lab_cli_read_index(from, &wanted->index);
    }
    if (strcmp(option, "--layout") == 0) {
        return take_layout(from, &wanted->layout);
    }
    if (strcmp(option, "-o") != 0) {
        return lab_cli_refuse(from->argv[0], "unknown option", option);
    }
    wanted->folder = lab_cli_value(from, option);
    return wanted->folder != NULL ? LAB_CLI_DONE : LAB_CLI_BAD_INPUT;
}

static int read_arguments(int argc, char **argv, settings *wanted) {
    lab_cli_arguments from = {argc, argv, 1, false};
    bool is_option = false;
    const char *word;
    while ((word = lab_cli_next(&from, &is_option)) != NULL) {
        if (!is_option) {
            argv[++wanted->files] = argv[from.next - 1];
        } else if (take_option(&from, word, wanted) != LAB_CLI_DONE) {
            return LAB_CLI_BAD_INPUT;
        }
    }
    return wanted->dwords == 0      ? lab_cli_refuse(argv[0], "no --dwords N given", NULL)
           : wanted->folder == NULL ? lab_cli_refuse(argv[0], "no -o OUT given", NULL)
                                    : LAB_CLI_DONE;
}

static bool write_script(const char *name, const settings *wanted, const char *file,
                         const lab_script *script) {
    char path[PATH_BYTES_MAX], message[PATH_BYTES_MAX + 256];
    (void)snprintf(path, sizeof path, "%s/%s.txt", wanted->folder, file);
    if (!lab_script_write_file(script, path, LAB_FORM_TEXT, wanted->overwrite, message,
                               sizeof message)) {
        (void)lab_cli_complain(name, message);
        return false;
    }
    return true;
}

/* What was found, and a line for each kind. */
static int write_all(const char *name, const settings *wanted, lab_search *found) {
    bool written = true;
    for (int kind = 0; written && kind < LAB_COST_KINDS; kind++) {
        const lab_found *kept = found->kept[kind];
        const char *kind_name = lab_cost_name((lab_cost_kind)kind);
        for (int i = 0; written && i < LAB_SEARCH_KEPT && kept[i].cost.count > 0; i++) {
            char file[64];
            (void)snprintf(file, sizeof file, "%s-%d", kind_name, i + 1);
            written = write_script(name, wanted, file, &kept[i].script);
        }
        if (written && kept[0].cost.count > 0) {
            (void)printf("%-10s %8" PRIu64 " blocks entered, %zu operations, %s\n", kind_name,
                         kept[0].cost.count, kept[0].script.count,
                         kept[0].is_comb ? "a comb" : "mutated");
        }
    }
    (void)printf("%" PRIu64 " scripts, %" PRIu64 " calls counted%s\n", found->played,
                 found->counted, lab_cli_interrupted_by());
    return written ? LAB_CLI_DONE : LAB_CLI_BAD_INPUT;
}

/* The ordinary load is written, and what it costs is known to the search. */
static int begin_with_ordinary(const char *name, const settings *wanted, lab_search *found) {
    lab_random random = {wanted->seed};
    lab_script script = {0};
    lab_cost_player *player = lab_cost_player_new((uint32_t)wanted->dwords, wanted->index);
    bool done = player != NULL &&
                lab_comb_ordinary((uint32_t)wanted->dwords, (uint8_t)wanted->layout,
                                  ORDINARY_OPERATIONS, &random, player, &script) &&
                lab_search_add(found, &script);
    int status = !done ? lab_cli_complain(name, "no memory, or no heap has so few dwords")
                 : write_script(name, wanted, "ordinary", &script) ? LAB_CLI_DONE
                                                                   : LAB_CLI_BAD_INPUT;
    lab_cost_player_destroy(player);
    lab_script_clean_up(&script);
    return status;
}

static int begin_with(char **argv, const settings *wanted, lab_search *found) {
    const lab_cli_files given = {.form = LAB_FORM_ANY, .subject = -1};
    lab_script script = {0};
    int status = LAB_CLI_DONE;
    for (int i = 1; status == LAB_CLI_DONE && i <= wanted->files; i++) {
        if (!lab_cli_read(argv[0], argv[i], &given, &script)) {
            status = LAB_CLI_BAD_INPUT;
        } else if (!lab_search_add(found, &script)) {
            status = lab_cli_complain_of(argv[0], argv[i], "cannot be played here");
        }
    }
    lab_script_clean_up(&script);
    return status;
}

typedef struct task {
    const settings *wanted;
    lab_search *found;
    lab_cli_progress progress;
    int64_t start_ms;
    uint64_t steps; /* made so far */
} task;

static void show(task *t, uint64_t dwords) {
    if (lab_cli_progress_is_due(&t->progress)) {
        lab_cli_progress_show(&t->progress,
                              "worst: %" PRIu64 " dwords: %" PRIu64
                              " scripts played, alloc %" PRIu64 ", free %" PRIu64 " blocks entered",
                              dwords, t->found->played,
                              t->found->kept[LAB_COST_ALLOC][0].cost.count,
                              t->found->kept[LAB_COST_FREE][0].cost.count);
    }
}

/* Searches in a region of this size until the part of the budget is spent. */
static bool search_in(task *t, uint64_t dwords, double part) {
    const settings *wanted = t->wanted;
    int64_t end_ms = t->start_ms + (int64_t)((double)wanted->seconds * 1000 * part);
    uint64_t steps = (uint64_t)((double)wanted->steps * part);
    bool more = true;
    bool done = true;
    while (done && more && lab_cli_interrupt() == 0) {
        done = lab_search_by_hand(t->found, &more);
        show(t, dwords);
    }
    while (done && t->steps < steps && lab_cli_interrupt() == 0 &&
           (wanted->seconds == 0 || lab_cli_now_ms() < end_ms)) {
        done = lab_search_step(t->found);
        t->steps++;
        show(t, dwords);
    }
    return done;
}

static int search(char **argv, task *t) {
    const settings *wanted = t->wanted;
    if (wanted->dwords > FIRST_DWORDS &&
        !(search_in(t, FIRST_DWORDS, 0.5) && lab_search_move(t->found, (uint32_t)wanted->dwords))) {
        return lab_cli_complain(argv[0], "no memory");
    }
    int status = begin_with_ordinary(argv[0], wanted, t->found);
    if (status == LAB_CLI_DONE) {
        status = begin_with(argv, wanted, t->found);
    }
    if (status != LAB_CLI_DONE) {
        return status;
    }
    bool done = search_in(t, wanted->dwords, 1);
    for (int kind = 0; done && lab_cli_interrupt() == 0 && kind < LAB_COST_KINDS; kind++) {
        done = lab_search_shorten(t->found, (lab_cost_kind)kind);
    }
    return done ? LAB_CLI_DONE : lab_cli_complain(argv[0], "no memory");
}

static int search_and_write(char **argv, const settings *wanted) {
    const lab_search_heap heap = {
        .dwords = (uint32_t)(wanted->dwords < FIRST_DWORDS ? wanted->dwords : FIRST_DWORDS),
        .index = wanted->index,
        .layout = wanted->layout};
    task t = {.wanted = wanted,
              .found = lab_search_new(&heap, wanted->seed),
              .start_ms = lab_cli_now_ms()};
    if (t.found == NULL) {
        return lab_cli_complain(argv[0], "no memory");
    }
    lab_cli_progress_begin(&t.progress);
    int status = search(argv, &t);
    lab_cli_progress_end(&t.progress);
    if (status == LAB_CLI_DONE) {
        status = write_all(argv[0], wanted, t.found);
    }
    lab_search_destroy(t.found);
    return status;
}

int lab_cli_worst(int argc, char **argv) {
    settings wanted = {
        .steps = STEPS_DEFAULT, .seed = 1, .index = TH_HEAP_INDEX_GIVEN, .layout = LAB_LAYOUT_AUTO};
    int status = read_arguments(argc, argv, &wanted);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    if (!lab_count_has_blocks()) {
        return lab_cli_complain(argv[0], "this build does not count what it enters; use "
                                         "build/worst/heaplab (make build/worst/heaplab)");
    }
    if (mkdir(wanted.folder, 0777) != 0 && errno != EEXIST) {
        return lab_cli_complain_of(argv[0], wanted.folder, strerror(errno));
    }
    lab_cli_await_interrupt();
    return lab_cli_end_status(search_and_write(argv, &wanted));
}
