/* SPDX-License-Identifier: MIT */
/* heaplab synthesis: looks for writes that no guard reports before they do harm. */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "explore/trap.h"
#include "script/words.h"
#include "synthesis/escapes.h"
#include "synthesis/search.h"

enum {
    CELLS_MAX = 16,
    SLICE_MS = 50,
    SCRIPT_BYTES_MAX = 4096,
    SHARE_LEVEL_3 = 8, /* of the time, where another level has 1 */
    LEVEL_0_OF =
        16 /* of so many runs it has one: most end in a crash or a hang, which takes long */
};

typedef struct cell {
    const lab_synthesis_layout *layout;
    int level;
    uint64_t used_ms, runs_max;
    lab_synthesis_search search;
} cell;

typedef struct synthesis {
    uint64_t seconds, runs, seed;
    int level;          /* -1: each */
    const char *layout; /* NULL: each */
    const char *text;   /* of --script */
    bool table, rows;
    lab_world *world;
    cell cells[CELLS_MAX];
    unsigned cell_count;
    unsigned failed;
    int silent, shown; /* standard error below level 3, where assertions fail; and else */
} synthesis;

static int take_layout(lab_cli_arguments *from, const char *option, synthesis *s) {
    s->layout = lab_cli_value(from, option);
    if (s->layout == NULL) {
        return LAB_CLI_BAD_INPUT;
    }
    for (unsigned i = 0; i < LAB_SYNTHESIS_LAYOUTS; i++) {
        if (strcmp(s->layout, lab_synthesis_layouts[i].name) == 0) {
            return LAB_CLI_DONE;
        }
    }
    return lab_cli_refuse("synthesis", "no layout (classic, lean, wide):", s->layout);
}

static int take_option(lab_cli_arguments *from, const char *option, synthesis *s) {
    if (strcmp(option, "--seconds") == 0) {
        return lab_cli_read_seconds(from, &s->seconds);
    }
    if (strcmp(option, "--runs") == 0) {
        return lab_cli_read_uint64(from, option, 1, UINT32_MAX, "no number of runs:", &s->runs);
    }
    if (strcmp(option, "--seed") == 0) {
        return lab_cli_read_seed(from, &s->seed);
    }
    if (strcmp(option, "--layout") == 0) {
        return take_layout(from, option, s);
    }
    if (strcmp(option, "--guard") == 0 || strcmp(option, "--script") == 0) {
        const char *value = lab_cli_value(from, option);
        if (value == NULL) {
            return LAB_CLI_BAD_INPUT;
        }
        if (strcmp(option, "--guard") == 0) {
            return lab_cli_read_guard("synthesis", value, &s->level);
        }
        s->text = value;
        return LAB_CLI_DONE;
    }
    s->table = s->table || strcmp(option, "--table") == 0;
    s->rows = s->rows || strcmp(option, "--rows") == 0;
    return strcmp(option, "--table") == 0 || strcmp(option, "--rows") == 0
               ? LAB_CLI_DONE
               : lab_cli_refuse("synthesis", "unknown option", option);
}

static int read_arguments(int argc, char **argv, synthesis *s) {
    lab_cli_arguments from = {argc, argv, 1, false};
    const char *argument;
    bool is_option;
    while ((argument = lab_cli_next(&from, &is_option)) != NULL) {
        if (!is_option) {
            return lab_cli_refuse(argv[0], "unexpected argument", argument);
        }
        int status = take_option(&from, argument, s);
        if (status != LAB_CLI_DONE) {
            return status;
        }
    }
    if (s->text != NULL && strlen(s->text) > SCRIPT_BYTES_MAX) {
        return lab_cli_complain(argv[0], "--script: it is longer than any script");
    }
    return LAB_CLI_DONE;
}

/* ---- scripts in words --------------------------------------------------------------------- */

static void print_script(const lab_synthesis_script *script) {
    (void)printf("    %s\n", lab_synthesis_describe_heap(script));
    for (uint32_t i = 0; i < script->count; i++) {
        (void)printf("    %s\n", lab_synthesis_describe(&script->ops[i]));
    }
}

/* What is called by the library's assertions on standard error is not shown. */
static void be_silent(const synthesis *s, int level) {
    (void)fflush(stderr);
    (void)dup2(level >= 3 ? s->shown : s->silent, STDERR_FILENO);
}

static bool play(const synthesis *s, const lab_synthesis_script *script, int level,
                 th_heap_layout layout, lab_synthesis_result *result) {
    be_silent(s, level);
    bool played = lab_synthesis_play(s->world, script, level, layout, true, result);
    be_silent(s, 3);
    return played;
}

static int play_text(synthesis *s) {
    lab_synthesis_script script;
    bool escaped = false;
    lab_synthesis_decode(&script, (const uint8_t *)s->text, strlen(s->text));
    print_script(&script);
    for (unsigned i = 0; i < LAB_SYNTHESIS_LAYOUTS; i++) {
        const lab_synthesis_layout *layout = &lab_synthesis_layouts[i];
        for (int level = 0; level <= layout->level_max; level++) {
            lab_synthesis_result result;
            if (play(s, &script, level, layout->layout, &result)) {
                (void)printf(
                    "%s, level %d: %s%s%s, %u operations\n", layout->name, level,
                    lab_synthesis_end_name(result.end), result.end == LAB_END_REPORTED ? ": " : "",
                    result.end == LAB_END_REPORTED ? th_fault_name(result.fault) : "", result.ops);
                escaped = escaped || (level == 3 && lab_synthesis_escaped(result.end));
            }
        }
    }
    return escaped ? LAB_CLI_FOUND : LAB_CLI_DONE;
}

/* ---- what is known ------------------------------------------------------------------------ */

/* A column for each level that a layout has. */
static void print_table_line(lab_synthesis_what most) {
    (void)printf("| %s |", lab_synthesis_class_name(most));
    for (unsigned i = 0; i < LAB_SYNTHESIS_LAYOUTS; i++) {
        const lab_synthesis_layout *layout = &lab_synthesis_layouts[i];
        for (int level = 0; level <= layout->level_max; level++) {
            bool trusted = most == LAB_SYNTHESIS_CONTROL && level < 3;
            bool known = lab_escape_find(layout->layout, level, most) != NULL;
            (void)printf(" %s |", trusted ? "trusted" : known ? "escapes" : "-");
        }
    }
    (void)printf("\n");
}

static void print_known(const lab_known_escape *row) {
    lab_synthesis_script script;
    lab_synthesis_decode(&script, (const uint8_t *)row->text, strlen(row->text));
    const char *name = row->layout == TH_HEAP_LAYOUT_CLASSIC ? "classic"
                       : row->layout == TH_HEAP_LAYOUT_LEAN  ? "lean"
                                                             : "wide";
    (void)printf("%s, level %d, %s:  [%s]\n", name, row->level,
                 lab_synthesis_class_name(lab_synthesis_class(&script)), row->text);
    print_script(&script);
}

static int print_table(void) {
    (void)printf("| attack |");
    for (unsigned i = 0; i < LAB_SYNTHESIS_LAYOUTS; i++) {
        for (int level = 0; level <= lab_synthesis_layouts[i].level_max; level++) {
            (void)printf(" %s %d |", lab_synthesis_layouts[i].name, level);
        }
    }
    (void)printf("\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (unsigned most = 0; most < LAB_SYNTHESIS_WHATS; most++) {
        if (lab_synthesis_is_attack((lab_synthesis_what)most)) {
            print_table_line((lab_synthesis_what)most);
        }
    }
    (void)printf("\n```\n");
    for (unsigned i = 0; i < lab_known_escape_count; i++) {
        print_known(&lab_known_escapes[i]);
    }
    (void)printf("```\n");
    return LAB_CLI_DONE;
}

/* Those that are known escape, and no higher than is known. */
static void replay_known(synthesis *s) {
    unsigned played = 0;
    for (unsigned i = 0; i < lab_known_escape_count && !s->rows; i++) {
        const lab_known_escape *row = &lab_known_escapes[i];
        if (row->level <= th_guard_max() && th_heap_has_layout(row->layout)) {
            be_silent(s, 0);
            const char *wrong = lab_escape_check(s->world, row);
            be_silent(s, 3);
            played++;
            if (wrong != NULL) {
                (void)printf("FAILURE of what is known, %s:\n", wrong);
                print_known(row);
                s->failed++;
            }
        }
    }
    (void)printf("%u known escapes replayed, %u not as known\n", played, s->failed);
}

/* ---- the search --------------------------------------------------------------------------- */

static bool make_cells(synthesis *s) {
    for (unsigned i = 0; i < LAB_SYNTHESIS_LAYOUTS; i++) {
        const lab_synthesis_layout *layout = &lab_synthesis_layouts[i];
        bool asked = s->layout == NULL || strcmp(s->layout, layout->name) == 0;
        for (int level = 0; level <= layout->level_max && level <= th_guard_max(); level++) {
            if (!asked || (s->level >= 0 && s->level != level) ||
                !th_heap_has_layout(layout->layout)) {
                continue;
            }
            cell *c = &s->cells[s->cell_count++];
            c->layout = layout;
            c->level = level;
            c->runs_max = level == 0 ? s->runs / LEVEL_0_OF : s->runs;
            if (!lab_synthesis_search_init(&c->search, s->world, level, layout->layout, s->seed)) {
                return false;
            }
        }
    }
    return true;
}

/* The cell that has had the least of its share, and has runs left. */
static cell *choose_cell(synthesis *s) {
    cell *least = NULL;
    for (unsigned i = 0; i < s->cell_count; i++) {
        cell *c = &s->cells[i];
        if (s->runs > 0 && c->search.runs >= c->runs_max) {
            continue;
        }
        uint64_t share = c->level >= 3 ? SHARE_LEVEL_3 : 1;
        uint64_t least_share = least != NULL && least->level >= 3 ? SHARE_LEVEL_3 : 1;
        if (least == NULL || c->used_ms * least_share < least->used_ms * share) {
            least = c;
        }
    }
    return least;
}

static void run_slice(synthesis *s, cell *c) {
    int64_t begin = lab_cli_now_ms();
    int64_t now = begin;
    be_silent(s, c->level);
    while (now < begin + SLICE_MS && (s->runs == 0 || c->search.runs < c->runs_max)) {
        (void)lab_synthesis_search_step(&c->search);
        now = lab_cli_now_ms();
    }
    be_silent(s, 3);
    c->used_ms += (uint64_t)(now - begin) + 1;
}

static void tell(synthesis *s, lab_cli_progress *progress) {
    uint64_t runs = 0, level_3 = 0, escaped = 0;
    for (unsigned i = 0; i < s->cell_count; i++) {
        const cell *c = &s->cells[i];
        runs += c->search.runs;
        level_3 += c->level >= 3 ? c->search.runs : 0;
        escaped += c->level >= 3 ? c->search.escaped : 0;
    }
    lab_cli_progress_show(progress,
                          "synthesis: %" PRIu64 " runs, %" PRIu64 " at level 3, of which %" PRIu64
                          " escaped",
                          runs, level_3, escaped);
}

static void search(synthesis *s) {
    lab_cli_progress progress;
    int64_t end = lab_cli_now_ms() + (int64_t)s->seconds * 1000;
    lab_cli_progress_begin(&progress);
    cell *c;
    while ((s->runs > 0 || lab_cli_now_ms() < end) && lab_cli_interrupt() == 0 &&
           (c = choose_cell(s)) != NULL) {
        run_slice(s, c);
        if (lab_cli_progress_is_due(&progress)) {
            tell(s, &progress);
        }
    }
    lab_cli_progress_end(&progress);
}

/* ---- the summary -------------------------------------------------------------------------- */

static void print_row(const cell *c, const lab_synthesis_escape *escape) {
    char text[LAB_SYNTHESIS_TEXT_MAX];
    char name[16];
    lab_synthesis_encode(&escape->script, text);
    (void)snprintf(name, sizeof name, "%s",
                   c->layout->layout == TH_HEAP_LAYOUT_CLASSIC ? "CLASSIC"
                   : c->layout->layout == TH_HEAP_LAYOUT_LEAN  ? "LEAN"
                                                               : "WIDE");
    (void)printf("LAB_ESCAPE(%s, %d, \"", name, c->level);
    for (const char *at = text; *at != '\0'; at++) {
        (void)printf("%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
    }
    (void)printf("\") /* %s: %s */\n",
                 lab_synthesis_class_name(lab_synthesis_class(&escape->script)),
                 lab_synthesis_end_name(escape->end));
}

/* What escaped, and was not known to: at level 3, anything. */
static void print_findings(synthesis *s, const cell *c) {
    for (unsigned most = 0; most < LAB_SYNTHESIS_WHATS; most++) {
        const lab_synthesis_escape *escape = &c->search.escapes[most];
        if (escape->found && s->rows) {
            print_row(c, escape);
        } else if (escape->found &&
                   lab_escape_find(c->layout->layout, c->level, (lab_synthesis_what)most) == NULL) {
            char text[LAB_SYNTHESIS_TEXT_MAX];
            lab_synthesis_encode(&escape->script, text);
            (void)printf("FAILURE %s, level %d: %s, and nobody says so: %s\n", c->layout->name,
                         c->level, lab_synthesis_end_name(escape->end),
                         lab_synthesis_class_name((lab_synthesis_what)most));
            print_script(&escape->script);
            (void)printf("replay: heaplab synthesis --script '%s'\n", text);
            s->failed++;
        }
    }
}

static void summarize(synthesis *s) {
    (void)printf(
        "layout   level         runs      attacks     reported     harmless      escaped\n");
    for (unsigned i = 0; i < s->cell_count; i++) {
        const cell *c = &s->cells[i];
        const lab_synthesis_search *found = &c->search;
        (void)printf("%-8s %5d %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64
                     "\n",
                     c->layout->name, c->level, found->runs, found->attacks, found->reported,
                     found->harmless, found->escaped);
    }
    for (unsigned i = 0; i < s->cell_count; i++) {
        print_findings(s, &s->cells[i]);
    }
}

static int run(synthesis *s) {
    if (s->text != NULL) {
        return play_text(s);
    }
    replay_known(s);
    if (!make_cells(s)) {
        return lab_cli_complain("synthesis", "no memory for the search");
    }
    if (s->cell_count == 0) {
        return lab_cli_complain("synthesis", "this build has no such heap; another --guard or "
                                             "--layout?");
    }
    lab_cli_await_interrupt();
    (void)printf("seed %" PRIu64 "\n", s->seed);
    search(s);
    summarize(s);
    (void)printf("%u findings%s\n", s->failed, lab_cli_interrupted_by());
    return lab_cli_end_status(s->failed > 0 ? LAB_CLI_FOUND : LAB_CLI_DONE);
}

int lab_cli_synthesis(int argc, char **argv) {
    static synthesis s;
    s = (synthesis){.seconds = 10, .seed = (uint64_t)time(NULL), .level = -1};
    int status = read_arguments(argc, argv, &s);
    if (status != LAB_CLI_DONE) {
        return status;
    }
    if (s.table) {
        return print_table();
    }
    if (!lab_world_contains()) {
        return lab_cli_complain(argv[0],
                                "a 32-bit build cannot contain what is done below level 3");
    }
    s.world = lab_world_new(true);
    s.silent = open("/dev/null", O_WRONLY);
    s.shown = dup(STDERR_FILENO);
    if (s.world == NULL || s.silent < 0 || s.shown < 0) {
        lab_world_destroy(s.world);
        return lab_cli_complain(argv[0], "no 16 GiB of address space for the region; ulimit -v?");
    }
    lab_trap_install();
    status = run(&s);
    lab_trap_remove();
    for (unsigned i = 0; i < s.cell_count; i++) {
        lab_synthesis_search_clean_up(&s.cells[i].search);
    }
    lab_world_destroy(s.world);
    (void)close(s.silent);
    (void)close(s.shown);
    return status;
}
