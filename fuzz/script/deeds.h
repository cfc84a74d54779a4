/* SPDX-License-Identifier: MIT */
/* What the operations do on subjects (deeds.def), by the family that a subject belongs to. */
#ifndef LAB_SCRIPT_DEEDS_H
#define LAB_SCRIPT_DEEDS_H

#include "script/script.h"

typedef enum lab_deed {
    LAB_DEED_ALLOC,
    LAB_DEED_ZEROED,
    LAB_DEED_ARRAY,
    LAB_DEED_DUPLICATE,
    LAB_DEED_ALIGNED,
    LAB_DEED_RESIZE,
    LAB_DEED_HALVE,
    LAB_DEED_FREE,
    LAB_DEED_MARK,
    LAB_DEED_ROLLBACK,
    LAB_DEED_RESET,
    LAB_DEED_END_FRAME,
    LAB_DEED_FREE_TAGS,
    LAB_DEED_COMPACT,
    LAB_DEED_COMPACT_SOME,
    LAB_DEED_BATCH,
    LAB_DEED_FIND,
    LAB_DEED_REFUSALS,
    LAB_DEED_INIT,
    LAB_DEED_OVERFLOW,
    LAB_DEED_FREE_INSIDE,
    LAB_DEED_USE_AFTER_FREE,
    LAB_DEED_DOUBLE_FREE
} lab_deed;

/* Sets of families. */
#define LAB_IN_FAMILY(FAMILY, name) LAB_IN_##FAMILY = 1 << LAB_FAMILY_##FAMILY,
enum { LAB_FAMILIES(LAB_IN_FAMILY) };

/* What deeds say beside the fields of operations. */
enum {
    LAB_FIELD_CHECK_END = 256,                               /* lab_tag_checks_end */
    LAB_FIELD_USE_ALL = 512,                                 /* lab_tag_uses_all */
    LAB_FIELD_BATCH_COUNT = 1024,                            /* lab_batch_count */
    LAB_FIELD_BATCH_BYTES = 2048,                            /* lab_batch_bytes */
    LAB_FIELD_ASKS = LAB_FIELD_CHECK_END | LAB_FIELD_USE_ALL /* which may be left out */
};

#define LAB_ANY_CHOICE UINT8_MAX

/* A row of deeds.def. */
typedef struct lab_deed_rule {
    uint8_t deed; /* lab_deed */
    uint8_t families;
    uint8_t kind;
    uint8_t choice;
    const char *word;
    const char *size_prefix;
    uint16_t fields;
    const char *meaning;
} lab_deed_rule;
extern const lab_deed_rule lab_deed_rules[];
extern const unsigned lab_deed_rules_count;

/* What the operation does on a subject of the family; NULL: nothing. */
const lab_deed_rule *lab_deed_of(lab_family family, const lab_op *op);

/* The word for it: what the text form begins with; of the heap's, the operation's own name. */
const char *lab_op_word(const lab_config *config, const lab_op *op);

/* The value by which an operation does one thing or another: of `alloc` the tag modulo 4, of
 * `attack` what it damages. */
unsigned lab_deed_choice(const lab_op *op);

/* What the tag of an `alloc` asks of the block, where there are no tags. */
static inline bool lab_tag_checks_end(uint32_t tag) {
    return tag / 4 % 4 == 0;
}

static inline bool lab_tag_uses_all(uint32_t tag) {
    return tag / 16 % 4 == 1;
}

/* The same tag but for these; of several that ask the same, one. */
static inline uint32_t lab_tag_asking(uint32_t tag, bool checks_end, bool uses_all) {
    return (tag & ~0x3Cu) | (checks_end ? 0u : 4u) | (uses_all ? 16u : 0u);
}

/* A batch, by the size that it has as an operation: so many blocks of so many bytes. */
#define LAB_BATCH_COUNT_MAX 7u
#define LAB_BATCH_BYTES_MAX (LAB_SIZE_VALUE_MAX / (LAB_BATCH_COUNT_MAX + 1) + 1)

static inline uint32_t lab_batch_count(lab_size size) {
    return size.value % (LAB_BATCH_COUNT_MAX + 1);
}

static inline uint32_t lab_batch_bytes(lab_size size) {
    return size.value / (LAB_BATCH_COUNT_MAX + 1) + 1;
}

static inline lab_size lab_batch_size(uint32_t count, uint32_t bytes) {
    return (lab_size){LAB_SIZE_BYTES, (bytes - 1) * (LAB_BATCH_COUNT_MAX + 1) + count};
}

/* The row's line as docs/script.md has it: in letters, and as a production of the grammar; into
 * line[0 .. capacity-1], ending in NUL. Returns the length of what was written. */
size_t lab_deed_usage(const lab_deed_rule *rule, char *line, size_t capacity);
size_t lab_deed_production(const lab_deed_rule *rule, char *line, size_t capacity);

#endif
