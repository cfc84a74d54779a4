/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "attack/matrix.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack/rows.h"

const char *lab_notice_name(lab_notice notice) {
    static const char *const names[] = {"-", "at once", "at next operation", "at check", "not"};
    return names[notice];
}

size_t lab_matrix_row_count(void) {
    return lab_attack_row_count;
}

const char *lab_matrix_row_name(size_t index) {
    return lab_attack_rows[index].name;
}

/* One attack at one position, followed by one call. */
typedef struct bout {
    const lab_attack_row *attack;
    lab_matrix_row *row;
    const lab_matrix_options *options;
    lab_scene *scene;
    th_heap_layout layout;
    size_t alignment;
    int level;
    unsigned position;
    unsigned call;
} bout;

static void note_problem(const bout *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note_problem(const bout *b, const char *format, ...) {
    if (b->row->problems++ > 0) {
        return;
    }
    char *text = b->row->problem;
    size_t capacity = sizeof b->row->problem;
    int used =
        snprintf(text, capacity, "level %d, %s, alignment %zu, position %u, then %s: ", b->level,
                 b->layout == TH_HEAP_LAYOUT_WIDE ? "wide" : "classic", b->alignment, b->position,
                 lab_scene_call_name(b->call));
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + used, capacity - (size_t)used, format, arguments);
    va_end(arguments);
}

/* A report must name what was hit. */
static bool rightly(const bout *b, const char *when, const th_fault *fault) {
    char line[TH_FAULT_LINE_BYTES_MAX];
    if (lab_scene_names(b->scene, fault)) {
        return true;
    }
    (void)th_fault_format(fault, line, sizeof line);
    note_problem(b, "%s, a report that names what was not hit: %s", when, line);
    return false;
}

static lab_notice check(const bout *b) {
    th_fault fault;
    bool found = b->scene->heap.base != NULL && th_heap_check(&b->scene->heap, &fault) != TH_OK;
    if (found && b->level > 0 && !rightly(b, "the checker", &fault)) {
        return LAB_NOTICE_NOT;
    }
    return found ? LAB_NOTICE_CHECK : LAB_NOTICE_NOT;
}

static void expect_unharmed(const bout *b, const char *when) {
    if (!lab_scene_unharmed(b->scene)) {
        note_problem(b, "%s: %s", when, b->scene->harm);
        b->scene->harm[0] = '\0';
    }
}

/* The damaged block is not worked on any more. */
static void expect_refused(const bout *b) {
    lab_scene *s = b->scene;
    if (s->victim == NULL) {
        return;
    }
    bool refused = th_heap_free(&s->heap, s->victim) == 0;
    if (b->level >= 2) {
        refused = refused && th_heap_realloc(&s->heap, s->victim, 8) == NULL &&
                  th_heap_realloc(&s->heap, s->victim, 300) == NULL &&
                  th_heap_realloc(&s->heap, s->victim, 0) == NULL &&
                  th_heap_trim(&s->heap, s->victim) == 0;
    }
    if (!refused) {
        note_problem(b, "the damaged block was worked on");
    }
}

/* Whatever is done after it was or was not noticed makes nothing worse. */
static void go_on(const bout *b) {
    expect_refused(b);
    for (unsigned call = 0; call + 1 < LAB_CALLS; call++) {
        (void)lab_scene_call(b->scene, call);
        expect_unharmed(b, lab_scene_call_name(call));
    }
}

/* One run of each position goes on; of the quick ones, one in 16. */
static bool is_long(const bout *b) {
    return b->call == b->position % (LAB_CALLS - 1) && (b->options->full || b->row->runs % 16 == 0);
}

/* The attack was a call, and that call reported it. */
static lab_notice at_once(const bout *b) {
    lab_scene *s = b->scene;
    if (!rightly(b, "at once", &s->fault)) {
        return LAB_NOTICE_NOT;
    }
    if (!s->refused || !(s->may_change || lab_scene_unchanged(s))) {
        note_problem(b, "reported, but %s", s->refused ? "the heap was changed" : "carried out");
    }
    return LAB_NOTICE_AT_ONCE;
}

/* Once the attack has been made. */
static lab_notice try_call(const bout *b) {
    lab_scene *s = b->scene;
    lab_notice notice = LAB_NOTICE_NOT;
    if (s->faults > 0) {
        notice = at_once(b);
    } else if (b->level == 0) {
        return check(b); /* no call would say anything, and any may do anything */
    } else {
        bool told = lab_scene_call(s, b->call);
        if (s->faults > 0) {
            notice = rightly(b, "the call", &s->fault) ? LAB_NOTICE_NEXT : LAB_NOTICE_NOT;
        } else {
            notice = told ? LAB_NOTICE_NEXT : check(b);
        }
    }
    if (b->level > 0) {
        expect_unharmed(b, "the call");
        if (is_long(b)) {
            go_on(b);
        }
    }
    return notice;
}

/* Without guards a misused pointer may do anything: only to a process of its own. */
static bool play_apart(const bout *b, lab_notice *notice) {
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        (void)dup2(nowhere, STDERR_FILENO);
        (void)alarm(2);
        (void)b->attack->carry_out(b->scene, b->position, b->attack->detail);
        _exit(b->scene->skip ? 0 : 40 + (int)try_call(b));
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return false;
    }
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    *notice = code == 0 && WIFEXITED(status) ? LAB_NOTICE_NONE
              : code > 40                    ? (lab_notice)(code - 40)
                                             : LAB_NOTICE_NOT;
    return true;
}

static bool has_position(const bout *b) {
    lab_scene_restore(b->scene);
    return b->attack->carry_out(b->scene, b->position, b->attack->detail);
}

static void keep_worst(const bout *b, lab_notice notice) {
    lab_notice *worst = &b->row->worst[b->level];
    *worst = notice > *worst ? notice : *worst;
    b->row->runs++;
}

/* At levels 1 and 2 the end of a heap looks at nothing, and leaves nothing to be looked at. */
static bool suits(const bout *b) {
    return b->level == 3 || b->call + 1 < LAB_CALLS;
}

static void play_calls(bout *b) {
    unsigned calls = b->level == 0 ? 1 : LAB_CALLS;
    unsigned turn = b->position % calls;
    for (b->call = 0; b->call < calls; b->call++) {
        if ((!b->options->full && b->call != turn) || !suits(b)) {
            continue;
        }
        (void)has_position(b);
        if (b->scene->skip) {
            return;
        }
        keep_worst(b, try_call(b));
    }
}

/* Every position at one level and alignment. */
static bool play_level(bout *b) {
    b->call = 0;
    if (b->level == 0 && b->attack->undefined) {
        for (b->position = 0; b->options->undefined; b->position++) {
            lab_notice notice;
            /* How many positions there are is known from a level where the call is harmless. */
            if (b->position >= b->row->positions) {
                return true;
            }
            lab_scene_restore(b->scene);
            if (!play_apart(b, &notice)) {
                return false;
            }
            if (notice != LAB_NOTICE_NONE) {
                keep_worst(b, notice);
            }
        }
        return true;
    }
    size_t stride = b->options->stride > 1 ? b->options->stride : 1;
    for (b->position = 0; has_position(b); b->position++) {
        if (b->position % stride == 0) {
            play_calls(b);
        }
    }
    b->row->positions = b->position;
    return true;
}

static bool play_layout(size_t index, th_heap_layout layout, size_t alignment,
                        const lab_matrix_options *options, lab_matrix_row *row) {
    const lab_attack_row *attack = &lab_attack_rows[index];
    /* From the top, for play_level's sake. */
    for (int level = th_guard_max(); level >= 0; level--) {
        if (level < attack->level_checked) {
            row->worst[level] = LAB_NOTICE_NOT;
            continue;
        }
        lab_scene *scene = lab_scene_new(layout, alignment, level, attack->poisoned);
        bout b = {attack, row, options, scene, layout, alignment, level, 0, 0};
        bool played = scene != NULL && play_level(&b);
        lab_scene_destroy(scene);
        if (!played) {
            note_problem(&b, "no memory, or no process, for the scene");
            return false;
        }
    }
    return true;
}

bool lab_matrix_play(size_t index, const lab_matrix_options *options, lab_matrix_row *row) {
    const lab_attack_row *attack = &lab_attack_rows[index];
    *row = (lab_matrix_row){.name = attack->name};
    memcpy(row->least, attack->least, sizeof row->least);
    for (size_t alignment = 4; alignment <= 16; alignment *= 2) {
        if (!play_layout(index, TH_HEAP_LAYOUT_CLASSIC, alignment, options, row) ||
            !play_layout(index, TH_HEAP_LAYOUT_WIDE, alignment, options, row)) {
            return false;
        }
    }
    return true;
}
