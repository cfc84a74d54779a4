/* SPDX-License-Identifier: MIT */
/* heaplab draw: the heap after each operation, one line of block map each.
 *
 *   a-z  HEAD payload, the letter is the slot     .  free     |  where a block's header begins
 *   A-Z  TAIL payload                             A cell stands for the dwords that fit the width.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "runner/runner.h"

enum { DONE = 0, FOUND = 1, BAD_INPUT = 2 };
enum { LABEL_COLUMNS = 40, MAP_COLUMNS_MIN = 20, MAP_COLUMNS_MAX = 400, DEFAULT_COLUMNS = 110 };

typedef struct drawing {
    int columns; /* of the map */
    bool colour;
} drawing;

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

static void print_map(const char *map, const drawing *d) {
    char last = 0;
    for (int i = 0; i < d->columns; i++) {
        char kind = map[i] == '.' || map[i] == '|' ? '.' : map[i] >= 'a' ? 'a' : 'A';
        if (d->colour && kind != last) {
            (void)fputs(kind == '.' ? "\033[0m" : kind == 'a' ? "\033[32m" : "\033[36m", stdout);
        }
        last = kind;
        (void)putchar(map[i]);
    }
    (void)fputs(d->colour ? "\033[0m\n" : "\n", stdout);
}

static void draw_op(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    const drawing *d = context;
    char label[LAB_OP_LINE_BYTES_MAX + 16];
    char map[MAP_COLUMNS_MAX];
    if (op == NULL) {
        (void)snprintf(label, sizeof label, "      (fresh)");
    } else {
        int at = snprintf(label, sizeof label, "%5zu ", index);
        (void)lab_op_format(op, label + at, sizeof label - (size_t)at);
    }
    fill_map(heap, map, d->columns);
    (void)printf("%-*.*s ", LABEL_COLUMNS, LABEL_COLUMNS, label);
    print_map(map, d);
}

static int columns_of_terminal(void) {
    const char *text = getenv("COLUMNS");
    long columns = text != NULL ? strtol(text, NULL, 10) : 0;
    if (columns <= 0) {
        columns = DEFAULT_COLUMNS;
    }
    columns -= LABEL_COLUMNS + 1;
    return columns < MAP_COLUMNS_MIN   ? MAP_COLUMNS_MIN
           : columns > MAP_COLUMNS_MAX ? MAP_COLUMNS_MAX
                                       : (int)columns;
}

int lab_cli_draw(int argc, char **argv) {
    drawing d = {.columns = columns_of_terminal()};
    int file = 1;
    if (argc > 1 && strcmp(argv[1], "--colour") == 0) {
        d.colour = true;
        file = 2;
    }
    if (argc != file + 1 || argv[file][0] == '-') {
        (void)fprintf(stderr, "heaplab draw: usage: heaplab draw [--colour] FILE\n");
        return BAD_INPUT;
    }
    lab_script script = {0};
    char message[512];
    if (!lab_script_read_file(&script, argv[file], message, sizeof message)) {
        (void)fprintf(stderr, "heaplab draw: %s\n", message);
        return BAD_INPUT;
    }
    lab_runner *runner = lab_runner_new();
    if (runner == NULL) {
        lab_script_clean_up(&script);
        (void)fprintf(stderr, "heaplab draw: no memory for the runner\n");
        return BAD_INPUT;
    }
    lab_run_options options = {.guard = -1, .after_op = draw_op, .context = &d};
    lab_failure failure;
    bool passed = lab_runner_play(runner, &script, &options, &failure, NULL);
    if (!passed) {
        (void)printf("FAILURE property=%s detail=%s op=%zu: %s\n",
                     lab_property_name(failure.property), failure.detail, failure.op,
                     failure.message);
    }
    lab_runner_destroy(runner);
    lab_script_clean_up(&script);
    return passed ? DONE : FOUND;
}
