/* SPDX-License-Identifier: MIT */
/* The attacks: what a buggy caller or an attacker does to a heap, one row of the matrix each. */
#ifndef LAB_ATTACK_ROWS_H
#define LAB_ATTACK_ROWS_H

#include "attack/matrix.h"
#include "attack/scene.h"

typedef struct lab_attack_row {
    const char *name;
    /* Plays the attack at this position of the restored scene. False: there is no such position,
     * nor a higher one. */
    bool (*strike)(lab_scene *scene, unsigned position, unsigned detail);
    unsigned detail;
    lab_notice least[LAB_LEVELS]; /* what each level must achieve */
    bool undefined;               /* without guards the call itself may do anything */
    int believed;                 /* below this level nothing looks, and calls may do anything */
    bool poisoned;                /* memory that was never used is poisoned, too */
} lab_attack_row;

extern const lab_attack_row lab_attack_rows[];
extern const unsigned lab_attack_row_count;

/* The parts of the table: writes (rows_write.c), calls (rows_call.c), callbacks
 * that write (rows_callback.c). */
enum { LAB_FIRST_BYTE, LAB_LAST_BYTE, LAB_EVERY_BYTE, LAB_ALL_BYTES };
bool lab_strike_overflow(lab_scene *scene, unsigned position, unsigned bytes);
bool lab_strike_canary(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_underflow(lab_scene *scene, unsigned position, unsigned bytes);
bool lab_strike_freed(lab_scene *scene, unsigned position, unsigned where);
bool lab_strike_merged(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_trimmed(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_resized(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_tags(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_unused(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_moved(lab_scene *scene, unsigned position, unsigned zone);

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
bool lab_strike_field(lab_scene *scene, unsigned position, unsigned field);
bool lab_strike_first(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_last(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_free_header(lab_scene *scene, unsigned position, unsigned detail);

/* One bit of a counter, or of all the other fields of the control structure. */
bool lab_strike_counter(lab_scene *scene, unsigned position, unsigned counter);
bool lab_strike_control(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_again(lab_scene *scene, unsigned position, unsigned detail);

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
bool lab_strike_pointer(lab_scene *scene, unsigned position, unsigned class);

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
bool lab_strike_callback(lab_scene *scene, unsigned position, unsigned part);

bool lab_strike_reentry(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_end_inside(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_free_inside(lab_scene *scene, unsigned position, unsigned detail);
bool lab_strike_control_inside(lab_scene *scene, unsigned position, unsigned detail);

#endif
