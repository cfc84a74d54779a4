/* SPDX-License-Identifier: MIT */
/* heaplab draw for subjects: all memory that they get of the backing, and after it, where blocks
 * lie elsewhere (mapped pages, malloc), the pages of those, one range after the other.
 *
 *   a-z  a block, the letter is the slot       .  the subject has it, and hands it to nobody
 *   x    a canary in no block                  |  the same, where what it got begins
 *   _    nobody has it
 *
 * Where several share a cell, what holds data wins. The scale is that of the fullest line, so that
 * a script is played twice. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/drawing.h"
#include "contract/play.h"
#include "subjects/subjects.h"

#define PAGE_BYTES ((uintptr_t)4096)

/* Memory that is drawn, from byte `start` of the picture on. */
typedef struct range {
    uintptr_t from, to;
    size_t start;
} range;

typedef struct picture {
    lab_contract_runner *runner;
    lab_drawing *drawing;
    lab_contract_runner_view view; /* now */
    size_t window;                 /* of the backing: bytes, in the fullest line */
    size_t elsewhere;              /* the same of other memory */
    range *ranges;                 /* of other memory, now; owned */
    size_t count, capacity;
    size_t end; /* of the picture's bytes, now */
    bool measures;
} picture;

static uintptr_t window_start(const lab_backing *backing) {
    return (uintptr_t)backing->region + backing->start;
}

static bool is_in_window(const picture *p, uintptr_t at) {
    return lab_backing_contains(p->view.backing, (const void *)at, 1);
}

static int compare_ranges(const void *a, const void *b) {
    uintptr_t one = ((const range *)a)->from;
    uintptr_t other = ((const range *)b)->from;
    return (one > other) - (one < other);
}

/* False: no memory. */
static bool add_range(picture *p, uintptr_t from, uintptr_t to) {
    if (p->count == p->capacity) {
        size_t capacity = p->capacity != 0 ? 2 * p->capacity : 64;
        range *ranges = realloc(p->ranges, capacity * sizeof *ranges);
        if (ranges == NULL) {
            return false;
        }
        p->ranges = ranges;
        p->capacity = capacity;
    }
    p->ranges[p->count++] = (range){.from = from, .to = to};
    return true;
}

/* Finds what lies elsewhere: whole pages, those that touch as one range. False: no memory. */
static bool look_elsewhere(picture *p) {
    const lab_contract *model = lab_contract_runner_contract(p->runner);
    size_t kept = 0;
    p->count = 0;
    for (uint32_t i = 0; i < model->slots_used; i++) {
        uintptr_t at = (uintptr_t)model->slots[i].at;
        uintptr_t end = at + model->slots[i].bytes;
        if (at != 0 && !is_in_window(p, at) &&
            !add_range(p, at & ~(PAGE_BYTES - 1), (end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1))) {
            return false;
        }
    }
    if (p->count > 0) {
        qsort(p->ranges, p->count, sizeof *p->ranges, compare_ranges);
    }
    p->end = p->window;
    for (size_t i = 0; i < p->count; i++) {
        range *last = kept > 0 ? &p->ranges[kept - 1] : NULL;
        if (last != NULL && p->ranges[i].from <= last->to) {
            last->to = p->ranges[i].to > last->to ? p->ranges[i].to : last->to;
        } else {
            p->ranges[kept++] = p->ranges[i];
        }
    }
    p->count = kept;
    for (size_t i = 0; i < kept; i++) {
        p->ranges[i].start = p->end;
        p->end += p->ranges[i].to - p->ranges[i].from;
    }
    return true;
}

/* ---- one line ----------------------------------------------------------------------------- */

/* Bytes from..to-1 of the picture. Only cells that hold less are taken. */
static void put(const picture *p, char *map, size_t from, size_t to, char kind) {
    static const char order[] = "_.|x"; /* and then letters */
    size_t columns = (size_t)p->drawing->columns;
    size_t total = p->window + p->elsewhere;
    size_t last = (size_t)((double)(to - 1) * (double)columns / (double)total);
    const char *rank = strchr(order, kind);
    for (size_t i = (size_t)((double)from * (double)columns / (double)total);
         i <= last && i < columns; i++) {
        const char *there = strchr(order, map[i]);
        if (rank == NULL || (there != NULL && there < rank)) {
            map[i] = kind;
        }
    }
}

static void put_memory(const picture *p, char *map, size_t from, size_t to) {
    put(p, map, from, to, '.');
    put(p, map, from, from + 1, '|');
}

static void put_address(const picture *p, char *map, uintptr_t at, size_t bytes, char kind) {
    uintptr_t start = window_start(p->view.backing);
    if (is_in_window(p, at)) {
        put(p, map, at - start, at - start + bytes, kind);
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        const range *r = &p->ranges[i];
        if (at - r->from < r->to - r->from) {
            put(p, map, r->start + (at - r->from), r->start + (at - r->from) + bytes, kind);
        }
    }
}

static void fill_map(const picture *p, char *map) {
    const lab_contract *model = lab_contract_runner_contract(p->runner);
    const lab_contract_runner_view *view = &p->view;
    uintptr_t start = window_start(view->backing);
    memset(map, '_', LAB_DRAWING_COLUMNS_MAX);
    for (size_t i = 0; i < view->backing->count; i++) {
        size_t from = (uintptr_t)view->backing->blocks[i].at - start;
        put_memory(p, map, from, from + view->backing->blocks[i].bytes);
    }
    for (size_t i = 0; i < p->count; i++) {
        put_memory(p, map, p->ranges[i].start,
                   p->ranges[i].start + (p->ranges[i].to - p->ranges[i].from));
    }
    if (view->watched.canary_bytes > 0) {
        put_address(p, map, (uintptr_t)view->watched.at, view->watched.canary_bytes, 'x');
    }
    for (uint32_t i = 0; i < model->slots_used; i++) {
        const lab_contract_block *block = &model->slots[i];
        if (block->at != NULL) {
            put_address(p, map, (uintptr_t)block->at, block->bytes, (char)('a' + i % 26));
        }
    }
}

/* ---- playing ------------------------------------------------------------------------------ */

/* How much memory the line would show. */
static void note_scale(picture *p) {
    const lab_backing *backing = p->view.backing;
    if (backing->count > 0) {
        const lab_backing_block *last = &backing->blocks[backing->count - 1];
        size_t window = (uintptr_t)last->at + last->bytes - window_start(backing);
        p->window = window > p->window ? window : p->window;
    }
    size_t elsewhere = 0;
    for (size_t i = 0; i < p->count; i++) {
        elsewhere += p->ranges[i].to - p->ranges[i].from;
    }
    p->elsewhere = elsewhere > p->elsewhere ? elsewhere : p->elsewhere;
}

/* After an operation, or before the first. False: no memory. */
static bool show(picture *p, const lab_op *op, size_t index) {
    char map[LAB_DRAWING_COLUMNS_MAX];
    p->view = lab_contract_runner_look(p->runner);
    if (!look_elsewhere(p)) {
        return false;
    }
    if (p->measures) {
        note_scale(p);
    } else {
        fill_map(p, map);
        lab_drawing_line(p->drawing, op, index, map);
    }
    return true;
}

/* The last line in figures. */
static void print_end(const picture *p) {
    const lab_contract *model = lab_contract_runner_contract(p->runner);
    const lab_contract_runner_view *view = &p->view;
    (void)printf("in the end: live blocks %" PRIu32 ", bytes asked for %zu, of the backing %zu",
                 model->live, model->live_bytes, view->backing->live);
    if ((view->figures.exact & LAB_FIGURE_PEAK) != 0) {
        (void)printf("; by its own count %" PRIu64 " in use, at most %" PRIu64, view->figures.used,
                     view->figures.peak);
    }
    (void)printf("\n");
}

static int play(const char *name, picture *p, const lab_script *script, const char *path) {
    lab_failure failure;
    bool passed = lab_contract_runner_begin(p->runner, lab_subject_at(script->config.subject),
                                            script, NULL, &failure);
    bool made = lab_contract_runner_has_subject(p->runner);
    bool shown = !made || show(p, NULL, 0);
    for (size_t i = 0; passed && made && shown && i < script->count; i++) {
        passed = lab_contract_runner_step(p->runner, i);
        shown = !passed || show(p, &script->ops[i], i);
    }
    if (passed && shown && made && !p->measures) {
        print_end(p);
    }
    passed = lab_contract_runner_end(p->runner, NULL) && passed;
    if (!shown) {
        return lab_cli_complain_of(name, path, "no memory to draw it");
    }
    if (!passed && !p->measures) {
        return lab_drawing_failure(&failure);
    }
    if (!made && !p->measures) {
        (void)printf("      (the subject cannot be made from this, so there is nothing to draw)\n");
    }
    return LAB_CLI_DONE;
}

int lab_drawing_of_subject(const char *name, const lab_cli_files *given, const lab_script *script,
                           lab_drawing *drawing) {
    picture p = {.drawing = drawing, .measures = true};
    if (!lab_cli_has_subject(name, given->in, script->config.subject)) {
        return LAB_CLI_BAD_INPUT;
    }
    p.runner = lab_contract_runner_new();
    if (p.runner == NULL) {
        return lab_cli_complain(name, "no memory for the runner");
    }
    lab_cli_playing(name, given->in, lab_cli_subject_shown(script->config.subject), false);
    int status = play(name, &p, script, given->in);
    p.measures = false;
    p.window += p.window + p.elsewhere == 0;
    if (status == LAB_CLI_DONE) {
        status = play(name, &p, script, given->in);
    }
    lab_cli_played();
    lab_contract_runner_destroy(p.runner);
    free(p.ranges);
    return status;
}
