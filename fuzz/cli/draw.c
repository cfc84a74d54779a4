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

enum { LABEL_COLUMNS = 40, MAP_COLUMNS_MIN = 20, DEFAULT_COLUMNS = 110 };

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

static void print_map(const char *map, const lab_drawing *d) {
    char last = 0;
    for (int i = 0; i < d->columns; i++) {
        char kind = map[i] >= 'a' && map[i] <= 'z'   ? 'a'
                    : map[i] >= 'A' && map[i] <= 'Z' ? 'A'
                                                     : '.';
        if (d->colour && kind != last) {
            (void)fputs(kind == '.' ? "\033[0m" : kind == 'a' ? "\033[32m" : "\033[36m", stdout);
        }
        last = kind;
        (void)putchar(map[i]);
    }
    (void)fputs(d->colour ? "\033[0m\n" : "\n", stdout);
}

void lab_drawing_line(lab_drawing *d, const lab_op *op, size_t index, const char *map) {
    char label[LAB_OP_LINE_BYTES_MAX + 16];
    if (op == NULL) {
        (void)snprintf(label, sizeof label, "      (fresh)");
    } else {
        int at = snprintf(label, sizeof label, "%5zu ", index);
        (void)lab_op_format(op, label + at, sizeof label - (size_t)at);
    }
    (void)printf("%-*.*s ", LABEL_COLUMNS, LABEL_COLUMNS, label);
    print_map(map, d);
    d->lines++;
}

int lab_drawing_failure(const lab_failure *failure) {
    (void)printf("FAILURE property=%s detail=%s op=%zu: %s\n", lab_property_name(failure->property),
                 failure->detail, failure->op, failure->message);
    return LAB_CLI_FOUND;
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
    long columns = terminal_columns() - (LABEL_COLUMNS + 1);
    return columns < MAP_COLUMNS_MIN           ? MAP_COLUMNS_MIN
           : columns > LAB_DRAWING_COLUMNS_MAX ? LAB_DRAWING_COLUMNS_MAX
                                               : (int)columns;
}

static int set_option(lab_cli_arguments *from, const char *option, void *settings, bool *known) {
    lab_drawing *d = settings;
    (void)from;
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
    static const lab_cli_syntax syntax = {.option = set_option};
    lab_drawing d = {.columns = map_columns()};
    lab_cli_files given;
    lab_script script = {0};
    int status = lab_cli_read_arguments(argc, argv, &syntax, &given, &d);
    if (status == LAB_CLI_DONE && !lab_cli_read(argv[0], given.in, &given, &script)) {
        status = LAB_CLI_BAD_INPUT;
    }
    if (status == LAB_CLI_DONE && script.config.subject != LAB_SUBJECT_HEAP) {
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
