/* SPDX-License-Identifier: MIT */
/* What an export works on. Private to fuzz/export/. */
#ifndef LAB_EXPORT_STATE_H
#define LAB_EXPORT_STATE_H

#include "export/to_c.h"
#include "model/exact.h"
#include "runner/rules.h"

typedef struct lab_export {
    FILE *out;
    const lab_script *script;
    const lab_verdict *verdict;
    lab_exact model;
    lab_slot *slots; /* [0, slots_count): what the script names */
    uint32_t slots_count;
    uint32_t seed;
    size_t start; /* of the region in its arena */
    int guard;    /* the heap's level */
    const lab_op *op;
    size_t index;
    lab_low_memory low;
    lab_past past;
    lab_moves moves;
    bool no_memory;
} lab_export;

/* One line of the program's main part, indented. */
void lab_export_line(lab_export *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One operation, which its slot suits (ops.c, attack.c). */
void lab_export_op(lab_export *e);
void lab_export_attack(lab_export *e);

/* The model's low-memory callback. */
bool lab_export_low_memory(void *context, lab_exact *model, size_t bytes);

#endif
