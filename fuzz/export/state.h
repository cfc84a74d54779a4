/* SPDX-License-Identifier: MIT */
/* What an export works on. Private to fuzz/export/. */
#ifndef LAB_EXPORT_STATE_H
#define LAB_EXPORT_STATE_H

#include "export/to_c.h"
#include "model/exact.h"

/* The region's place in its arena, as the runner's (fuzz/runner/state.h): which alignments hold
 * there is the same. */
#define LAB_EXPORT_ARENA_BYTES ((size_t)1 << 20)
#define LAB_EXPORT_ARENA_START ((size_t)1 << 16)

typedef struct lab_export_slot {
    uint32_t block; /* header offset; LAB_EXACT_NONE: empty */
    uint32_t seed;  /* of the contents */
} lab_export_slot;

typedef struct lab_export_move {
    uint32_t tag, from, to, bytes, slot;
    bool vetoed;
} lab_export_move;

typedef struct lab_export {
    FILE *out;
    const lab_script *script;
    const lab_verdict *verdict;
    lab_exact model;
    lab_export_slot *slots; /* [0, slots_count): what the script names */
    uint32_t slots_count;
    uint32_t seed;
    size_t start; /* of the region in its arena */
    int guard;    /* the heap's level */
    const lab_op *op;
    size_t index;
    uint32_t protected_slot, low_freed, low_calls;
    uint32_t ever_low; /* as the runner's */
    lab_export_move *moves;
    size_t moves_count, moves_capacity;
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
