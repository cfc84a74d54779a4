/* SPDX-License-Identifier: MIT */
/* The reproducer as a whole: its opening comment, its constants, the parts that it needs, and main,
 * with the operations. */
#include "export/to_c.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "export/program_text.h"
#include "export/state.h"
#include "tagheap/heap.h"

enum { SECONDS_MAX = 20 };

/* ---- before main -------------------------------------------------------------------------- */

static void print_opening(lab_export *e) {
    char line[LAB_OP_LINE_BYTES_MAX];
    (void)fprintf(e->out, "/* A script on which the tagged heap fails, as a program.\n *\n"
                          " *   fails: ");
    lab_export_text(e->out, e->outcome->signature, false);
    (void)fprintf(
        e->out,
        "\n *\n * Build it in the library's folder, and run it:\n"
        " *   " LAB_EXPORT_COMPILER " -std=c11 -O1 -g" LAB_EXPORT_SANITIZE
        " -DTH_GUARD=%d -DTH_ASSERTS=1 -Iinclude "
        "-Isrc \\\n *       THIS_FILE.c $(find src/base src/os src/heap -name '*.c') -o repro && "
        "./repro\n"
        " * It exits with 1, after \"reproduced: ...\", if the library fails in this way; "
        "with 0 if\n * it does as it should, with 2 if it fails in another way.\n *\n",
        th_guard_max());
    for (size_t i = 0; i < e->script->count; i++) {
        (void)lab_op_format(&e->script->config, &e->script->ops[i], line, sizeof line);
        (void)fprintf(e->out, " *   %3zu  %s\n", i, line);
    }
    (void)fprintf(e->out, " */\n");
}

static void print_names(lab_export *e) {
    static const struct {
        const char *name;
        lab_property property;
    } names[] = {
        {"INIT", LAB_PROPERTY_INIT},         {"RESULT", LAB_PROPERTY_RESULT},
        {"CALLBACK", LAB_PROPERTY_CALLBACK}, {"LOW_MEMORY", LAB_PROPERTY_LOW_MEMORY},
        {"REENTRY", LAB_PROPERTY_REENTRY},   {"BLOCKS", LAB_PROPERTY_BLOCKS},
        {"STATS", LAB_PROPERTY_STATS},       {"FIND", LAB_PROPERTY_FIND},
        {"CONTENTS", LAB_PROPERTY_CONTENTS}, {"CHECKER", LAB_PROPERTY_CHECKER},
        {"FAULT", LAB_PROPERTY_FAULT},       {"ATTACK", LAB_PROPERTY_ATTACK},
        {"LOCK", LAB_PROPERTY_LOCK},         {"BOUNDS", LAB_PROPERTY_BOUNDS},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)fprintf(e->out, "#define NAME_%s \"%s\"\n", names[i].name,
                      lab_property_name(names[i].property));
    }
}

static void print_constants(lab_export *e) {
    static const char *const layout_words[LAB_LAYOUT_COUNT] = {[LAB_LAYOUT_CLASSIC] = "CLASSIC",
                                                               [LAB_LAYOUT_LEAN] = "LEAN",
                                                               [LAB_LAYOUT_WIDE] = "WIDE",
                                                               [LAB_LAYOUT_AUTO] = "AUTO"};
    const lab_config *config = &e->script->config;
    bool failed = e->outcome->end == LAB_END_FAILED;
    (void)fprintf(e->out, "/* What fails. */\n#define FAILING_PROPERTY \"%s\"\n",
                  failed ? lab_property_name(e->outcome->property) : "");
    (void)fprintf(e->out, "#define FAILING_DETAIL \"");
    lab_export_text(e->out, failed ? e->outcome->detail : "", true);
    (void)fprintf(e->out, "\"\n#define FAILING_SIGNATURE \"");
    lab_export_text(e->out, e->outcome->signature, true);
    (void)fprintf(e->out, "\"\n#define FAILING_BY_SIGNAL %s\n#define FAILING_OP %zu\n\n",
                  failed ? "false" : "true", e->outcome->op);
    (void)fprintf(e->out, "/* The names of what can fail. */\n");
    print_names(e);
    (void)fprintf(e->out,
                  "\n/* The heap: its region begins START bytes into an arena. */\n"
                  "#define ALIGNMENT %u\n#define GUARD %u\n#define LAYOUT TH_HEAP_LAYOUT_%s\n"
                  "#define TAG_TAIL 0x%04xu\n#define TAG_FREE 0x%04xu\n#define HOOKS %s\n"
                  "#define INDEX %s\n"
                  "#define SLOTS %u\n#define REGION_BYTES %zu\n"
                  "#define HEADER_DWORDS %u\n#define DWORDS %uu /* managed */\n"
                  "#define ARENA_BYTES ((size_t)%zu)\n#define START ((size_t)%zu)\n"
                  "#define EDGE_BYTES 64 /* on both sides of the region */\n"
                  "#define SECONDS_MAX %d /* for all of it */\n",
                  config->alignment, config->guard, layout_words[config->layout], e->model.tag_tail,
                  e->model.tag_free, lab_config_has_locks(config) ? "true" : "false",
                  lab_config_has_index(config) ? "true" : "false", e->slots_count,
                  4 * (size_t)config->dwords, e->model.header, e->model.dwords, LAB_ARENA_BYTES,
                  e->start, SECONDS_MAX);
}

/* Does the script have an operation of one of the two kinds? */
static bool has(const lab_export *e, lab_op_kind kind, lab_op_kind other) {
    for (size_t i = 0; i < e->script->count; i++) {
        if (e->script->ops[i].kind == kind || e->script->ops[i].kind == other) {
            return true;
        }
    }
    return false;
}

/* A file of fuzz/program, after an empty line. */
static void print_file(lab_export *e, const char *name) {
    const lab_program_file *file = lab_program_files;
    while (strcmp(file->name, name) != 0) {
        file++; /* it is there: test_to_c exports every part */
    }
    (void)fputc('\n', e->out);
    for (const char *const *line = file->lines; *line != NULL; line++) {
        if (strcmp(*line, "#include \"program/constants.h\"") == 0) {
            print_constants(e);
        } else {
            (void)fprintf(e->out, "%s\n", *line);
        }
    }
}

static void print_part(lab_export *e, bool needed, const char *header, const char *source) {
    if (needed) {
        print_file(e, header);
        print_file(e, source);
    }
}

static void print_parts(lab_export *e) {
    bool attacks = has(e, LAB_OP_ATTACK, LAB_OP_ATTACK);
    print_file(e, "sanitizer.h");
    print_file(e, "core.h");
    print_part(e, true, "forget.h", "core.c");
    print_part(e, e->script->config.low_memory != 0, "low_memory.h", "low_memory.c");
    print_part(e, has(e, LAB_OP_COMPACT, LAB_OP_COMPACT_SOME), "moves.h", "moves.c");
    print_part(e, has(e, LAB_OP_COPY, LAB_OP_COPY), "image.h", "image.c");
    if (has(e, LAB_OP_NULL, LAB_OP_NULL)) {
        print_file(e, "refused.h");
        print_part(e, true, "refusals.h", "refusals.c");
    }
    if (attacks) {
        print_file(e, "control.h");
        print_file(e, "saboteur.h");
    }
    print_part(e, attacks, "attack.h", "attack.c");
}

/* ---- main --------------------------------------------------------------------------------- */

/* One function for each check of the runner's. `when` is part of the names of constants. */

static void print_fault(lab_export *e, const char *when) {
    (void)when;
    lab_export_line(e, "expect_no_fault();");
}

static void print_lock(lab_export *e, const char *when) {
    (void)when;
    lab_export_line(e, "expect(NAME_LOCK, \"after\", 0, (uint64_t)lock_depth);");
}

static void print_blocks(lab_export *e, const char *when) {
    lab_export_line(e, "static const expected_block blocks_%s[] = {", when);
    for (uint32_t i = 0; i < e->model.count; i++) {
        const lab_extent *x = &e->model.extents[i];
        lab_export_line(e, "    {%u, %u, 0x%04x, %u, %u, %u, 0x%08x},", x->offset, x->size, x->tag,
                        x->requested, x->alignment, e->model.keeps ? x->site : 0,
                        x->site == 0 ? 0 : e->slots[x->site - 1].seed);
    }
    lab_export_line(e, "};");
    lab_export_line(e, "expect_blocks(blocks_%s, sizeof blocks_%s / sizeof blocks_%s[0]);", when,
                    when, when);
}

static void print_stats(lab_export *e, const char *when) {
    lab_exact_stats s;
    (void)when;
    lab_exact_get_stats(&e->model, &s);
    lab_export_line(e,
                    "expect_stats(&(th_heap_stats){%zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %u, %u, "
                    "%u, %llu});",
                    s.region, s.used, s.high_water, s.head, s.tail, s.free, s.free_head,
                    s.largest_free, s.head_blocks, s.tail_blocks, s.free_blocks,
                    (unsigned long long)s.failed_allocs);
}

static void print_checker(lab_export *e, const char *when) {
    (void)when;
    if (lab_checker_is_due(e->guard, e->index, e->script)) {
        lab_export_line(e, "expect_sound();");
    }
}

static void print_edges(lab_export *e, const char *when) {
    (void)when;
    lab_export_line(e, "expect_edges();");
}

#define PRINT_CHECK(name) print_##name(e, when);

static void print_state(lab_export *e, const char *when) {
    LAB_CHECKS_OF_STATE(PRINT_CHECK)
}

static void print_end_of_op(lab_export *e, const char *when) {
    LAB_CHECKS_OF_OP(PRINT_CHECK)
}

static void print_op(lab_export *e) {
    char line[LAB_OP_LINE_BYTES_MAX];
    e->op = &e->script->ops[e->index];
    (void)lab_op_format(&e->script->config, e->op, line, sizeof line);
    if (!lab_op_suits(e->op, e->slots[e->op->slot].block != LAB_EXACT_NONE)) {
        (void)fprintf(e->out, "\n    /* %zu: %s: does nothing, its slot does not suit it */\n",
                      e->index, line);
        return;
    }
    (void)fprintf(e->out, "\n    /* %zu: %s */\n", e->index, line);
    lab_export_line(e, "begin(%zu);", e->index);
    lab_export_op(e);
    print_end_of_op(e, "after");
    if (e->index == e->outcome->op) {
        print_state(e, "after");
    }
}

/* What the runner does in the end: everything is returned. */
static void print_finish(lab_export *e) {
    (void)fprintf(e->out, "\n    /* The end: everything is returned. */\n");
    e->index = e->script->count;
    lab_export_line(e, "begin(%zu);", e->index);
    lab_export_line(e,
                    "expect(NAME_RESULT, \"freed\", %u, th_heap_free_tags(&heap, 0, UINT32_MAX));",
                    lab_exact_free_tags(&e->model, 0, UINT32_MAX));
    print_end_of_op(e, "after");
    print_state(e, "end");
}

static void print_main(lab_export *e, bool accepted) {
    (void)fprintf(e->out, "\nint main(void) {\n");
    if (has(e, LAB_OP_RESIZE, LAB_OP_RESIZE)) {
        lab_export_line(e, "unsigned char *resized;");
    }
    if (has(e, LAB_OP_COMPACT, LAB_OP_COMPACT_SOME)) {
        lab_export_line(e, "th_heap_compaction done;");
    }
    if (has(e, LAB_OP_FIND, LAB_OP_FIND)) {
        lab_export_line(e, "th_heap_block owner;");
        lab_export_line(e, "bool found;");
    }
    if (has(e, LAB_OP_ATTACK, LAB_OP_ATTACK)) {
        lab_export_line(e, "void *wild = NULL;");
        lab_export_line(e, "(void)wild;");
    }
    lab_export_line(e, "set_up();");
    lab_export_start(e, accepted);
    if (accepted) {
        e->index = 0;
        print_state(e, "fresh");
        for (; e->index < e->script->count && e->index <= e->outcome->op; e->index++) {
            print_op(e);
        }
        if (e->outcome->op >= e->script->count) {
            print_finish(e);
        }
    }
    (void)fprintf(e->out, "\n    puts(\"not reproduced: the library does as it should\");\n"
                          "    th_heap_clean_up(&heap);\n    free(arenas[0]);\n"
                          "    free(arenas[1]);\n    return 0;\n}\n");
}

static bool export_heap(const lab_script *script, const lab_outcome *outcome, FILE *out) {
    const lab_config *config = &script->config;
    lab_export e = {.out = out, .script = script, .outcome = outcome, .slots_count = 1};
    for (size_t i = 0; i < script->count; i++) {
        const lab_op *op = &script->ops[i];
        if ((lab_op_fields[op->kind] & LAB_FIELD_SLOT) != 0 && op->slot >= e.slots_count) {
            e.slots_count = op->slot + 1u;
        }
    }
    e.slots = malloc(e.slots_count * sizeof *e.slots);
    if (e.slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < e.slots_count; i++) {
        e.slots[i] = (lab_slot){LAB_EXACT_NONE, 0};
    }
    int guard_max = th_guard_max();
    e.guard = config->guard < guard_max ? config->guard : guard_max;
    e.start = lab_region_start(config);
    bool accepted = lab_exact_start(&e.model, e.start, 4 * (size_t)config->dwords,
                                    config->alignment, lab_model_layout(config));
    e.history = lab_heap_history_none(&e.model);
    e.model.low_memory = config->low_memory ? lab_export_low_memory : NULL;
    e.model.low_memory_context = &e;
    print_opening(&e);
    print_parts(&e);
    print_main(&e, accepted);
    lab_exact_clean_up(&e.model);
    free(e.slots);
    free(e.moves.at);
    return !e.no_memory;
}

bool lab_export_c(const lab_script *script, const lab_outcome *outcome, const char *name,
                  FILE *out) {
    return script->config.subject == LAB_SUBJECT_HEAP
               ? export_heap(script, outcome, out)
               : lab_export_subject(script, outcome, name, out);
}
