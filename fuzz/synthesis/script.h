/* SPDX-License-Identifier: MIT */
/* What is done in one play of an attack synthesis: ordinary calls, and writes by a program that is
 * buggy, or by an attacker.
 *
 * The input is characters (script/characters.h), so that any bytes are one: three say how the heap
 * is, then each operation is four: what it is (LAB_SYNTHESIS_WORDS; another character stands for
 * the one that its value modulo their number is), a slot, and two numbers counted from '0'. */
#ifndef LAB_SYNTHESIS_SCRIPT_H
#define LAB_SYNTHESIS_SCRIPT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/heap.h"

#define LAB_SYNTHESIS_SLOTS    8u
#define LAB_SYNTHESIS_POCKETS  4u
#define LAB_SYNTHESIS_OPS_MAX  40u
#define LAB_SYNTHESIS_NUMBERS  79u /* that a printable character can say */
#define LAB_SYNTHESIS_TEXT_MAX (3 + 5 * LAB_SYNTHESIS_OPS_MAX + 1)

/* In the order of what an attacker must know; whatever follows LAB_SYNTHESIS_COMPACT_SOME writes,
 * or prepares a write. */
typedef enum lab_synthesis_what {
    LAB_SYNTHESIS_ALLOC,
    LAB_SYNTHESIS_ALIGNED,
    LAB_SYNTHESIS_TAIL,
    LAB_SYNTHESIS_FREE,
    LAB_SYNTHESIS_RESIZE,
    LAB_SYNTHESIS_TRIM,
    LAB_SYNTHESIS_RETAG,
    LAB_SYNTHESIS_FREE_TAGS,
    LAB_SYNTHESIS_COMPACT,
    LAB_SYNTHESIS_COMPACT_SOME,
    LAB_SYNTHESIS_OVERFLOW,  /* four bytes from payload end + x on */
    LAB_SYNTHESIS_UNDERFLOW, /* the four bytes that end x bytes below the payload */
    LAB_SYNTHESIS_PAYLOAD,   /* payload dword x, live or freed */
    LAB_SYNTHESIS_FILL,      /* the whole payload, live or freed */
    LAB_SYNTHESIS_EDGE,      /* dword x of the header of FIRST or LAST */
    LAB_SYNTHESIS_HEADER,    /* dword x of the header */
    LAB_SYNTHESIS_FIELD,     /* its field x */
    LAB_SYNTHESIS_INDEX,     /* a byte of the index */
    LAB_SYNTHESIS_CONTROL,   /* a dword of the th_heap */
    LAB_SYNTHESIS_LEAK,      /* a header is read into a pocket */
    LAB_SYNTHESIS_REPLAY,    /* a pocket is written back to where it was read */
    LAB_SYNTHESIS_MAKE_UP,   /* field x of a pocket */
    LAB_SYNTHESIS_PASTE,     /* a pocket over a header, or x dwords above it */
    LAB_SYNTHESIS_FORGE,     /* the same with a check word that is right there */
    LAB_SYNTHESIS_COMPUTED,  /* field x of the header, and its check word */
    LAB_SYNTHESIS_POINTER,   /* free of what lies x dwords above the payload */
    LAB_SYNTHESIS_WHATS
} lab_synthesis_what;

#define LAB_SYNTHESIS_WORDS "aAtfrigGcsoupzlhHnCLRmPFKX"
static_assert(sizeof LAB_SYNTHESIS_WORDS == LAB_SYNTHESIS_WHATS + 1, "a character each");

/* Does it write where nothing of the caller's is, or misuse a call? */
static inline bool lab_synthesis_is_attack(lab_synthesis_what what) {
    return what > LAB_SYNTHESIS_COMPACT_SOME && what != LAB_SYNTHESIS_LEAK &&
           what != LAB_SYNTHESIS_MAKE_UP;
}

typedef struct lab_synthesis_op {
    uint8_t what; /* a lab_synthesis_what */
    uint8_t slot, x, y;
} lab_synthesis_op;

/* The guard level and the layout are the player's to choose. */
typedef struct lab_synthesis_script {
    uint8_t alignment; /* log2: 2, 3 or 4 */
    uint8_t size;      /* which region, 0 .. 2 */
    bool locked;       /* it has lock hooks, and so no fast path */
    bool indexed;
    bool wide; /* where the player leaves it to the script */
    uint32_t count;
    lab_synthesis_op ops[LAB_SYNTHESIS_OPS_MAX];
} lab_synthesis_script;

/* Every input is a script; what is too long is cut. */
void lab_synthesis_decode(lab_synthesis_script *script, const uint8_t *bytes, size_t size);

/* As characters, a space between operations, ending in NUL. */
void lab_synthesis_encode(const lab_synthesis_script *script, char text[LAB_SYNTHESIS_TEXT_MAX]);

/* One operation in words, for people; a static buffer. */
const char *lab_synthesis_describe(const lab_synthesis_op *op);

/* The same of how the heap is. */
const char *lab_synthesis_describe_heap(const lab_synthesis_script *script);

/* What a class of attacks is called: one that does this at most. */
const char *lab_synthesis_class_name(lab_synthesis_what what);

/* The most that is done in a script to attack, the last of all these whats; LAB_SYNTHESIS_ALLOC: it
 * attacks nothing. */
lab_synthesis_what lab_synthesis_class(const lab_synthesis_script *script);

/* ---- values ------------------------------------------------------------------------------- */

/* The values that a number stands for, in rows that begin at these: */
enum {
    LAB_VALUE_PLAIN = 0,  /* 0, all ones, poison, letters */
    LAB_VALUE_STEP = 4,   /* the old one + 1, - 1, + 4, - 4 */
    LAB_VALUE_BIT = 8,    /* the old one, bit n flipped */
    LAB_VALUE_PLACE = 40, /* the offset of slot n's header */
    LAB_VALUE_LAST = 48,  /* the offset of LAST */
    LAB_VALUE_SMALL = 49, /* 4 * (n + 1) */
    LAB_VALUE_MORE = 56,  /* the old one + n + 1, as a size in a dword with a tag where there is */
    LAB_VALUE_LESS = 64,  /* ... - n - 1 */
    LAB_VALUE_FREE = 72,  /* the tag FREE over the tag */
    LAB_VALUE_HEAD = 73,  /* a HEAD tag, a TAIL tag, likewise */
    LAB_VALUE_TAIL = 74,
    LAB_VALUE_ABOVE = 75, /* the size up to the next block's end; the dwords of the region */
    LAB_VALUE_REGION = 76,
    LAB_VALUE_HALF = 77, /* 2^31, 2^16 */
    LAB_VALUE_64K = 78
};

/* The fields of a header, by x modulo their number. */
typedef enum lab_synthesis_field {
    LAB_HEADER_FIELD_PREV,
    LAB_HEADER_FIELD_NEXT,
    LAB_HEADER_FIELD_TAG,
    LAB_HEADER_FIELD_SIZE,
    LAB_HEADER_FIELD_END, /* size, and next where it is stored */
    LAB_HEADER_FIELD_REQUESTED,
    LAB_HEADER_FIELD_SITE,
    LAB_HEADER_FIELD_ALIGN,
    LAB_HEADER_FIELD_COUNT
} lab_synthesis_field;

#endif
