/* SPDX-License-Identifier: MIT */
/* What an export works on. Private to fuzz/export/. */
#ifndef LAB_EXPORT_STATE_H
#define LAB_EXPORT_STATE_H

#include "export/to_c.h"
#include "model/exact.h"
#include "program/sanitizer.h"
#include "runner/rules.h"

/* How the program is to be built: with the tools of this build, or it may see something else. */
#if ASAN
#define LAB_EXPORT_SANITIZE " -fsanitize=address,undefined -fno-sanitize-recover=all"
#else
#define LAB_EXPORT_SANITIZE ""
#endif
#if defined(__clang__)
#define LAB_EXPORT_COMPILER "clang"
#else
#define LAB_EXPORT_COMPILER "cc"
#endif

typedef struct lab_export {
    FILE *out;
    const lab_script *script;
    const lab_outcome *outcome;
    lab_exact model;
    lab_slot *slots; /* [0, slots_count): what the script names */
    uint32_t slots_count;
    uint32_t seed;
    size_t start; /* of the region in its arena */
    int guard;    /* the heap's level */
    const lab_op *op;
    size_t index;
    lab_low_memory low;
    lab_heap_history history;
    lab_moves moves;
    bool no_memory;
} lab_export;

/* One line of the program's main part, indented. */
void lab_export_line(lab_export *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The line that starts a heap, which the region may refuse. */
void lab_export_start(lab_export *e, bool accepted);

/* One operation, which its slot suits (ops.c, attack.c). */
void lab_export_op(lab_export *e);
void lab_export_attack(lab_export *e);

/* Text from outside, in a comment (quote false) or in a string. */
void lab_export_text(FILE *out, const char *text, bool quote);

/* The whole program for another subject than the heap (subject.c). False: no memory. */
bool lab_export_subject(const lab_script *script, const lab_outcome *outcome, const char *name,
                        FILE *out);

/* The model's low-memory callback. */
bool lab_export_low_memory(void *context, lab_exact *model, size_t bytes);

#endif
