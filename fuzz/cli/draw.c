/* SPDX-License-Identifier: MIT */
/* heaplab draw: the heap after each operation, one line of block map each.
 *
 *   a-z  HEAD payload, the letter is the slot     .  free     |  where a block's header begins
 *   A-Z  TAIL payload                             A cell stands for the dwords that fit the width.
 *
 * Other subjects: draw_subject.c. */
#define _DEFAULT_SOURCE

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/drawing.h"
#include "runner/runner.h"

enum { MAP_COLUMNS_MIN = 20, DEFAULT_COLUMNS = 110 };

static char letter(const th_heap_block *block) {
    if (block->tag == TH_TAG_FREE) {
        return '.';
    }
    return (char)((block->tag >= TH_TAG_TAIL_MIN ? 'A' : 'a') + (block->site - 1) % 26);
}

/* Draws every block over the cells it reaches; where several share a cell, the mark of a header
 * wins over payload, and payload over free memory. */
static void fill_map(const th_heap *heap, char *map, int columns) {
    size_t dwords = th_heap_region_bytes(heap) / 4;
    th_heap_block block;
    memset(map, '.', (size_t)columns);
    for (bool more = th_heap_first(heap, &block); more; more = th_heap_next(heap, &block)) {
        size_t header = ((size_t)((unsigned char *)block.payload - heap->base)) / 4;
        size_t first = (size_t)block.offset * (size_t)columns / dwords;
        size_t from = header * (size_t)columns / dwords;
        size_t to = (header + block.size_dwords) * (size_t)columns / dwords;
        if (block.next_offset == 0) {
            continue;
        }
        for (size_t i = from; i < to && block.tag != TH_TAG_FREE; i++) {
            map[i] = letter(&block);
        }
        if (block.tag != TH_TAG_FREE || map[first] == '.') {
            map[first] = '|';
        }
    }
}

static void draw_op(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    lab_drawing *d = context;
    char map[LAB_DRAWING_COLUMNS_MAX];
    fill_map(heap, map, d->columns);
    lab_drawing_line(d, op, index, map);
}

static long terminal_columns(void) {
    const char *text = getenv("COLUMNS");
    struct winsize window;
    if (text != NULL && strtol(text, NULL, 10) > 0) {
        return strtol(text, NULL, 10);
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
        return window.ws_col;
    }
    return DEFAULT_COLUMNS;
}

static int map_columns(void) {
    long columns = terminal_columns() - (LAB_DRAWING_LABEL_COLUMNS + 1);
    return columns < MAP_COLUMNS_MIN           ? MAP_COLUMNS_MIN
           : columns > LAB_DRAWING_COLUMNS_MAX ? LAB_DRAWING_COLUMNS_MAX
                                               : (int)columns;
}

static int set_option(lab_cli_arguments *from, const char *option, void *settings, bool *known) {
    lab_drawing *d = settings;
    uint64_t operations = 0;
    if (strcmp(option, "--svg") == 0) {
        d->svg = true;
        return LAB_CLI_DONE;
    }
    if (strcmp(option, "--at") == 0) {
        int status = lab_cli_read_uint64(from, option, 0, INT64_MAX,
                                         "no number of operations:", &operations);
        d->operations = (int64_t)operations;
        return status;
    }
    *known = strcmp(option, "--colour") == 0;
    d->colour = d->colour || *known;
    return LAB_CLI_DONE;
}

static int draw_script(lab_runner *runner, const lab_script *script, lab_drawing *d) {
    lab_run_options options = {.guard = -1, .after_op = draw_op, .context = d};
    lab_failure failure;
    if (!lab_runner_play(runner, script, &options, &failure, NULL)) {
        return lab_drawing_failure(&failure);
    }
    if (d->lines == 0) {
        (void)printf("      (the heap refuses this region, so there is nothing to draw)\n");
    }
    return LAB_CLI_DONE;
}

int lab_cli_draw(int argc, char **argv) {
    static const lab_cli_syntax syntax = {.out = LAB_CLI_OUT_OPTIONAL, .option = set_option};
    lab_cli_files given;
    lab_script script = {0};
    lab_drawing d = {.columns = map_columns(), .config = &script.config, .operations = -1};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &d);
    if (status == LAB_CLI_DONE && !d.svg && (given.out != NULL || d.operations >= 0)) {
        return lab_cli_refuse(argv[0], "goes with --svg:", given.out != NULL ? "-o" : "--at");
    }
    if (status == LAB_CLI_DONE) {
        status = lab_cli_check_out(argv[0], &given);
    }
    if (status == LAB_CLI_DONE && !lab_cli_read(argv[0], given.in, &given, &script)) {
        status = LAB_CLI_BAD_INPUT;
    }
    if (status == LAB_CLI_DONE && d.svg) {
        status = lab_drawing_of_moment(argv[0], &given, &script, d.operations);
    } else if (status == LAB_CLI_DONE && script.config.subject != LAB_SUBJECT_HEAP) {
        status = lab_drawing_of_subject(argv[0], &given, &script, &d);
    } else if (status == LAB_CLI_DONE) {
        lab_runner *runner = lab_runner_new();
        status = runner != NULL ? draw_script(runner, &script, &d)
                                : lab_cli_complain(argv[0], "no memory for the runner");
        lab_runner_destroy(runner);
    }
    lab_script_clean_up(&script);
    return status;
}
