/* SPDX-License-Identifier: MIT */
/* The attacks: what a buggy caller or an attacker does to a heap, one row of the matrix each. */
#ifndef LAB_ATTACK_ROWS_H
#define LAB_ATTACK_ROWS_H

#include "attack/matrix.h"
#include "attack/scene.h"

/* Plays an attack at this position of the restored scene. False: there is no such position, nor a
 * higher one. What `detail` means stands in front of the functions below. */
typedef bool lab_attack_play(lab_scene *scene, unsigned position, unsigned detail);

typedef struct lab_attack_row {
    const char *name;
    lab_attack_play *carry_out;
    unsigned detail;
    lab_notice least[LAB_LEVELS]; /* what each level must achieve */
    bool undefined;               /* without guards the call itself may do anything */
    int level_checked;            /* below this level nothing looks, and calls may do anything */
    bool poisoned;                /* memory that was never used is poisoned, too */
} lab_attack_row;

extern const lab_attack_row lab_attack_rows[];
extern const unsigned lab_attack_row_count;

/* The parts of the table: writes (rows_write.c), calls (rows_call.c), callbacks
 * that write (rows_callback.c). */
enum { LAB_FIRST_BYTE, LAB_LAST_BYTE, LAB_EVERY_BYTE, LAB_ALL_BYTES };
lab_attack_play lab_attack_overflow, lab_attack_canary, lab_attack_underflow, lab_attack_freed,
    lab_attack_merged, lab_attack_trimmed, lab_attack_resized, lab_attack_tags, lab_attack_unused,
    lab_attack_moved;

/* One bit of a header: of the live blocks above FIRST, the field `detail` (LAB_FIELD_... below); of
 * FIRST, LAST and free blocks every bit. */
enum {
    LAB_HEADER_PREV,
    LAB_HEADER_ALIGN,
    LAB_HEADER_NEXT,
    LAB_HEADER_TAG,
    LAB_HEADER_SIZE,
    LAB_HEADER_REQUESTED,
    LAB_HEADER_SITE,
    LAB_HEADER_CHECK,
    LAB_HEADER_PADDING,
    LAB_HEADER_FIELDS
};
lab_attack_play lab_attack_field, lab_attack_first, lab_attack_last, lab_attack_free_header;

/* One bit of a counter, or of all the other fields of the control structure. */
lab_attack_play lab_attack_counter, lab_attack_control, lab_attack_again;

/* Pointers that are no payload, by class: handed to free, or (LAB_OTHER_CALLS set) to resize, trim
 * and the size queries. */
enum {
    LAB_POINTER_FREED,
    LAB_POINTER_MERGED,
    LAB_POINTER_REUSED,
    LAB_POINTER_RESIZED,
    LAB_POINTER_MOVED,
    LAB_POINTER_INTERIOR,
    LAB_POINTER_FORGED,
    LAB_POINTER_HEADER,
    LAB_POINTER_MISALIGNED,
    LAB_POINTER_FOREIGN,
    LAB_OTHER_CALLS = 16
};
lab_attack_play lab_attack_pointer;

/* What a move callback hits, around the block that it is asked about. */
enum {
    LAB_CALLBACK_HEADER, /* of the block itself */
    LAB_CALLBACK_CANARY,
    LAB_CALLBACK_TARGET, /* the header of the free block below */
    LAB_CALLBACK_MEMORY, /* the memory of that one */
    LAB_CALLBACK_ABOVE,  /* the header of the block above */
    LAB_CALLBACK_BEYOND, /* of the one above that, if the block above is free */
    LAB_CALLBACK_FAR     /* of the block below the target */
};
lab_attack_play lab_attack_callback;

lab_attack_play lab_attack_reentry, lab_attack_end_inside, lab_attack_free_inside,
    lab_attack_control_inside;

#endif
