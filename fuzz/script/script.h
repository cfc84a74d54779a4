/* SPDX-License-Identifier: MIT */
/* Scripts: sequences of operations on a heap, in three forms.
 *
 *   bytes  <- lab_script_encode / lab_script_decode ->  lab_script  <- print / parse ->  text
 *
 * Every byte string decodes to a script; every script encodes to bytes that decode to the same
 * script; the text form is lossless. docs/script.md gives both grammars.
 *
 * Operations work on slots 0 .. slots-1. A slot is named, never counted: removing one operation
 * does not change which slot another one means. An operation on an unsuitable slot (allocating
 * into a live one, freeing an empty one) does nothing. */
#ifndef LAB_SCRIPT_SCRIPT_H
#define LAB_SCRIPT_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "script/ops.h"

/* A size in bytes that may be absurd. Written "100", "half+100", "max-100" and "2^32+16". */
typedef enum lab_size_kind {
    LAB_SIZE_BYTES, /* value */
    LAB_SIZE_HALF,  /* PTRDIFF_MAX + value */
    LAB_SIZE_MAX,   /* SIZE_MAX - value */
    LAB_SIZE_POWER  /* a power of two, a little more or a little less: see lab_size_near */
} lab_size_kind;

#define LAB_SIZE_VALUE_MAX 0xFFFFFFu

typedef struct lab_size {
    uint32_t kind;  /* lab_size_kind; no padding, which compilers may compute with and drop again */
    uint32_t value; /* 0 .. LAB_SIZE_VALUE_MAX */
} lab_size;

/* 2^exponent + distance: what an allocator that keeps sizes in fewer bits takes for small. */
#define LAB_EXPONENT_MAX 63u
#define LAB_DISTANCE_MAX 0x1FFFF /* to either side, and one more below */

lab_size lab_size_near(uint32_t exponent, int32_t distance);
uint32_t lab_size_exponent(lab_size size);
int32_t lab_size_distance(lab_size size);

/* The size as the machine's size_t; what that cannot hold is SIZE_MAX, what is below 0 is 0. */
size_t lab_size_bytes(lab_size size);

/* One operation. Fields that its kind does not use are 0 (lab_op_fields says which it uses). */
typedef struct lab_op {
    uint8_t kind;      /* lab_op_kind */
    uint8_t align;     /* ALIGNED: see lab_align_bytes; 0 .. LAB_ALIGN_MAX */
    uint8_t veto;      /* COMPACT*: the move of slot s's block is vetoed iff bit s % 8 is set */
    uint8_t reenter;   /* COMPACT*: 1: the callback calls the heap; 0: it does not */
    uint8_t attack;    /* ATTACK: lab_attack */
    uint16_t slot;     /* < config.slots */
    uint16_t tag;      /* see lab_tag_is_valid */
    uint16_t tag_high; /* FREE_TAGS: any */
    lab_size size;
} lab_op;

/* Does the operation's slot, live or empty, suit it? */
static inline bool lab_op_suits(const lab_op *op, bool live) {
    unsigned wanted = lab_op_rules[op->kind].slot;
    return wanted == LAB_SLOT_NONE || live == (wanted == LAB_SLOT_LIVE);
}

/* Does it make a block in its slot? */
static inline bool lab_op_allocates(const lab_op *op) {
    return lab_op_rules[op->kind].slot == LAB_SLOT_EMPTY;
}

/* align 0 .. 31: 1 << align bytes. 32 .. 39: no power of two (0, 3, 6, 12, 24, 48, 96, 5).
 * 40 .. 71: 2^32 to 2^63 bytes; 0 where size_t cannot hold that. */
#define LAB_ALIGN_MAX 71u
size_t lab_align_bytes(uint8_t align);

/* The number that stands for it, whatever size_t holds: in text. */
uint64_t lab_align_number(uint8_t align);

/* Is it a power of two? */
bool lab_align_is_power(uint8_t align);

typedef struct lab_config {
    uint32_t dwords;       /* region size: 0 .. LAB_DWORDS_MAX; small ones are refused by init */
    uint8_t alignment;     /* 4, 8 or 16 */
    uint8_t skew;          /* 0 .. LAB_SKEW_MAX: where the region starts, and what is beside it: see
                              lab_config_start_bytes and so on */
    uint8_t guard;         /* 0 .. 3 */
    uint8_t low_memory;    /* 1: when memory runs out, the lowest live slot is freed, at most once
                              per operation, and the allocation retried; 0: no callback */
    uint32_t slots;        /* one of LAB_SLOT_COUNTS */
    uint8_t subject;       /* what it is for: an index of lab_subject_names */
    uint8_t layout;        /* lab_layout: of the tagged heap; LEAN wants guard 0 */
    uint8_t plugin_family; /* lab_family: of a plug-in; 0 of all others */
} lab_config;

#define LAB_SKEW_MAX 15u

/* The region, or a subject's backing, starts so many bytes above a multiple of 64 KiB. */
static inline uint32_t lab_config_start_bytes(const lab_config *config) {
    return (uint32_t)config->skew * config->alignment;
}

/* Has the heap lock hooks, whose calls are counted, and an index? */
static inline bool lab_config_has_locks(const lab_config *config) {
    return config->skew % 2 == 0;
}

static inline bool lab_config_has_index(const lab_config *config) {
    return config->skew / 2 % 2 == 0;
}

/* Subjects by what may be done with many of their blocks at once. The heap's operations are its
 * own; what they do on others, and in which words the text form says so, is in deeds.def. */
#define LAB_FAMILIES(X)                                                                            \
    X(BLOCKS, "blocks") /* nothing, or a reset */                                                  \
    X(MARKS, "marks")   /* a mark, and going back to it */                                         \
    X(FRAMES, "frames") /* frames that end */                                                      \
    X(TAGS, "tags")     /* frees by tag, and compaction */                                         \
    X(HEAP, "heap")
#define LAB_FAMILY_ENUM(FAMILY, name) LAB_FAMILY_##FAMILY,
typedef enum lab_family { LAB_FAMILIES(LAB_FAMILY_ENUM) LAB_FAMILY_COUNT } lab_family;
extern const char *const lab_family_names[LAB_FAMILY_COUNT];

/* The family of the script's subject. */
lab_family lab_config_family(const lab_config *config);

/* The numbers of slots that there are, in rising order, and the last of them. */
#define LAB_SLOT_COUNTS 8, 16, 64, 256, 1024, 4096, 16384, 65536
#define LAB_SLOTS_MAX   65536u
enum { LAB_SLOT_COUNTS_COUNT = 8 };
extern const uint32_t lab_slot_counts[LAB_SLOT_COUNTS_COUNT];

/* They as a text. */
#define LAB_TEXT_OF(...)     #__VA_ARGS__
#define LAB_TEXT_OF_ALL(...) LAB_TEXT_OF(__VA_ARGS__)
#define LAB_SLOT_COUNTS_TEXT LAB_TEXT_OF_ALL(LAB_SLOT_COUNTS)

/* The lowest of them that is enough for so many; LAB_SLOTS_MAX if none is. */
uint32_t lab_slots_for(uint64_t slots);

/* The layouts of docs/heap.md. */
typedef enum lab_layout {
    LAB_LAYOUT_CLASSIC,
    LAB_LAYOUT_LEAN,
    LAB_LAYOUT_WIDE,
    LAB_LAYOUT_AUTO,
    LAB_LAYOUT_COUNT
} lab_layout;
extern const char *const lab_layout_names[LAB_LAYOUT_COUNT];

/* False: none has that name. */
bool lab_layout_find(const char *name, lab_layout *layout);

/* The header of a block in the classic layout, without padding. The exact model has its own. */
#define LAB_CLASSIC_HEADER_DWORDS 6u

/* Tags of a script have 15 bits; 0xFF00 .. 0xFFFF stand for the many that no heap accepts. */
static inline bool lab_tag_is_valid(uint32_t tag) {
    return tag <= 0x7FFF || tag >= 0xFF00;
}

/* The tag of the heap's that a tag of a script stands for. Scripts have 15 bits of it; in a heap
 * that is wide by name it is the same number in both halves of the tag, and 0x7FFF is its FREE. */
static inline uint32_t lab_tag(const lab_config *config, uint32_t tag) {
    return config->layout != LAB_LAYOUT_WIDE ? tag : tag == 0x7FFF ? 0x7FFFFFFF : tag << 16 | tag;
}

/* The subjects' names and families, by number; numbers never change. 0 is "heap", the tagged heap
 * against the exact model; the others are played by the contract runner (contract/play.h). "plugin"
 * is whatever was loaded, or linked in. */
#define LAB_SUBJECTS(X)                                                                            \
    X(malloc, "malloc", BLOCKS)                                                                    \
    X(tagged, "tagged", BLOCKS)                                                                    \
    X(buddy, "buddy", BLOCKS)                                                                      \
    X(fit, "fit", BLOCKS)                                                                          \
    X(bump, "bump", BLOCKS)                                                                        \
    X(frame, "frame", FRAMES)                                                                      \
    X(arena, "arena", MARKS)                                                                       \
    X(arena_reset, "arena-reset", BLOCKS)                                                          \
    X(arena_buffer, "arena-buffer", BLOCKS)                                                        \
    X(arena_heap, "arena-heap", MARKS)                                                             \
    X(arena_buddy, "arena-buddy", MARKS)                                                           \
    X(region, "region", MARKS)                                                                     \
    X(region_heap, "region-heap", MARKS)                                                           \
    X(hybrid, "hybrid", BLOCKS)                                                                    \
    X(buddy_arena, "buddy-arena", BLOCKS)                                                          \
    X(mimalloc, "mimalloc", BLOCKS)                                                                \
    X(jemalloc, "jemalloc", BLOCKS)                                                                \
    X(pool, "pool", BLOCKS)                                                                        \
    X(pool_grows, "pool-grows", BLOCKS)                                                            \
    X(pool_arena, "pool-arena", BLOCKS)                                                            \
    X(pool_static, "pool-static", BLOCKS)                                                          \
    X(slab, "slab", BLOCKS)                                                                        \
    X(slab_buddy, "slab-buddy", BLOCKS)                                                            \
    X(classes, "classes", BLOCKS)                                                                  \
    X(large, "large", BLOCKS)                                                                      \
    X(tagged_lean, "tagged-lean", BLOCKS)                                                          \
    X(tagged_wide, "tagged-wide", BLOCKS)                                                          \
    X(tracker, "tracker", BLOCKS)                                                                  \
    X(tagged_moves, "tagged-moves", TAGS)                                                          \
    X(fifo, "fifo", BLOCKS)                                                                        \
    X(quota, "quota", BLOCKS)                                                                      \
    X(fallback, "fallback", BLOCKS)                                                                \
    X(policy, "policy", BLOCKS)                                                                    \
    X(locked, "locked", BLOCKS)                                                                    \
    X(concurrent_pool, "concurrent-pool", BLOCKS)                                                  \
    X(thread_cache, "thread-cache", BLOCKS)
extern const char *const lab_subject_names[];
extern const uint8_t lab_subject_names_count;
#define LAB_SUBJECT_HEAP   0u
#define LAB_SUBJECT_PLUGIN 1u

/* The highest of their numbers. */
#define LAB_PLUS_ONE(subject, name, family) +1
#define LAB_SUBJECTS_MAX                    (LAB_SUBJECT_PLUGIN LAB_SUBJECTS(LAB_PLUS_ONE))

#define LAB_DWORDS_MAX 0xC0000u

/* A little more than the largest region that init accepts in the classic and the lean layout. */
#define LAB_DWORDS_CLASSIC 0x20100u

typedef struct lab_script {
    lab_config config;
    lab_op *ops; /* ops[0 .. count-1]; owned */
    size_t count;
    size_t capacity;
} lab_script;

/* A zeroed lab_script is empty; the array is kept between uses until lab_script_clean_up. */
void lab_script_clean_up(lab_script *script);

/* Makes room for `capacity` operations in all; false (and nothing changes) if there is no
 * memory. */
bool lab_script_reserve(lab_script *script, size_t capacity);

/* Appends an operation; false (and nothing changes) if there is no memory. */
bool lab_script_append(lab_script *script, lab_op op);

/* Makes *to the same script, in its own room; false (and nothing changes) if there is no memory. */
bool lab_script_copy(lab_script *to, const lab_script *from);

/* Is every field in its range, and every unused field 0? Decoding and parsing give valid scripts
 * only; encoding and printing want one. */
bool lab_config_is_valid(const lab_config *config);
bool lab_op_is_valid(const lab_op *op, const lab_config *config);
bool lab_script_is_valid(const lab_script *script);

/* Are the two the same, field by field? */
bool lab_op_equal(const lab_op *a, const lab_op *b);
bool lab_script_equal(const lab_script *a, const lab_script *b);

/* ---- bytes (codec.c) ---------------------------------------------------------------------- */

#define LAB_HEADER_BYTES     4u
#define LAB_HEADER_BYTES_MAX 5u
#define LAB_RECORD_BYTES     10u

/* How many bytes the header takes: one more for large regions in other layouts than classic, and
 * for larger ones than classic has. */
size_t lab_header_bytes(const lab_config *config);

/* Decodes any bytes. Missing header bytes count as 0; an incomplete record at the end is
 * ignored. False only if there is no memory. */
bool lab_script_decode(lab_script *script, const uint8_t *bytes, size_t size);

/* The canonical bytes: lab_header_bytes + count * LAB_RECORD_BYTES. Writes them if they fit into
 * `capacity`; returns the size needed either way. */
size_t lab_script_encode(const lab_script *script, uint8_t *bytes, size_t capacity);

/* The bytes above have no place for the subject: decoding leaves it 0. Where it is not always the
 * same, one byte stands in front of them: its number, or more generally 1 + byte % (count - 1), so
 * never the heap. */
bool lab_script_decode_numbered(lab_script *script, const uint8_t *bytes, size_t size);

/* With the number in front, unless the subject is the heap: what a fuzz target of it reads. */
size_t lab_script_encode_input(const lab_script *script, uint8_t *bytes, size_t capacity);

/* ---- text (text.c) ------------------------------------------------------------------------ */

typedef struct lab_text_error {
    unsigned line, column; /* from 1; the column counts bytes */
    char message[256];     /* one line, without the place */
} lab_text_error;

/* Parses the text form. On false, *error says where and why, and *script is empty. The text need
 * not end in NUL or newline, and may hold any bytes. */
bool lab_script_parse(lab_script *script, const char *text, size_t size, lab_text_error *error);

/* Prints the script as text; parse gives the same script again. Write errors are left to
 * ferror(out). */
void lab_script_print(const lab_script *script, FILE *out);

/* One operation as one line of text, in the words that the script's subject has for it, without
 * the newline, into line[0 .. capacity-1], ending in NUL (capacity >= 1; what does not fit is cut
 * off); returns the length of what was written. */
#define LAB_OP_LINE_BYTES_MAX 128
size_t lab_op_format(const lab_config *config, const lab_op *op, char *line, size_t capacity);

/* The same for what an operation's line may hold, as docs/script.md says it: in letters ("trim
 * sN"), and as a production of the grammar ("\"trim\" , slot"). What may be left out stands in
 * brackets. */
size_t lab_op_usage(lab_op_kind kind, char *line, size_t capacity);
size_t lab_op_production(lab_op_kind kind, char *line, size_t capacity);

/* ---- files (file.c) ----------------------------------------------------------------------- */

/* Which form is it? Text begins, after white space, with the word "heap" or with a comment whose
 * line is printable (white space before the comment: if also the first four bytes are ASCII).
 * Everything else is bytes. The canonical bytes of a script never look like text. */
bool lab_script_is_text(const uint8_t *bytes, size_t size);

/* Reads a script file in either form. On false, *script is empty and message[0 .. capacity-1]
 * holds one line that begins with the path (path:line:column for text) and says what is wrong:
 * unreadable, a folder, empty, malformed. */
bool lab_script_read_file(lab_script *script, const char *path, char *message, size_t capacity);

typedef enum lab_script_form {
    LAB_FORM_BYTES,    /* written: numbered, unless the subject is the heap */
    LAB_FORM_NUMBERED, /* for reading only */
    LAB_FORM_TEXT,
    LAB_FORM_ANY /* for reading only: as lab_script_is_text says */
} lab_script_form;

/* The same, taking the file for `form`, whatever it looks like. */
bool lab_script_read_file_as(lab_script *script, const char *path, lab_script_form form,
                             char *message, size_t capacity);

/* Writes a script file: first to a temporary file beside it, then by renaming, so that `path`
 * holds either what it held before or the whole script. An existing file is replaced only if
 * `overwrite`, and only if it is a regular file. On false, message[0 .. capacity-1] holds one line
 * that begins with the path and says what is wrong. */
bool lab_script_write_file(const lab_script *script, const char *path, lab_script_form form,
                           bool overwrite, char *message, size_t capacity);

/* The same for whatever `write` prints of `what`: it returns false if it cannot, and leaves errors
 * of the file to ferror. */
typedef bool lab_file_writer(FILE *file, const void *what);
bool lab_file_write(lab_file_writer *write, const void *what, const char *path, bool overwrite,
                    char *message, size_t capacity);

/* Could that be done, as to the place? What stands at `path` is not looked at or touched. On false
 * the message says why, as that of lab_script_write_file. */
bool lab_script_can_write(const char *path, char *message, size_t capacity);

#endif
