/* SPDX-License-Identifier: MIT */
/* A film: what memory looked like after each operation of a script, as a stream of bytes in which
 * each frame says only what has changed. heaplab view puts it into a page whose script reads the
 * same bytes (fuzz/film/page/view.js).
 *
 *   head    'L' 'F' '1', header bytes of a block, bytes of the memory
 *   frame   FRAME, the figures, the number of changes, and each change:
 *             kind of the block, its place, and bytes, requested, tag, owner; or
 *             0, layer and place of a block that is gone
 *   end     PASSED or REFUSED; or FAILED, the operation, and three texts: property, detail, message
 *
 * Numbers are LEB128: 7 bits in each byte, the lowest first, the top bit set in all but the last; a
 * text is its length and its bytes. A stream without an end is of a script that ended its process.
 */
#ifndef LAB_FILM_FILM_H
#define LAB_FILM_FILM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "result/failure.h"

typedef enum lab_film_kind {
    LAB_FILM_GONE,
    LAB_FILM_HEAD, /* of the tagged heap, headers included */
    LAB_FILM_TAIL,
    LAB_FILM_FREE,
    LAB_FILM_BLOCK,         /* a subject's, in memory of the backing */
    LAB_FILM_MEMORY,        /* what a subject has of the backing */
    LAB_FILM_ELSEWHERE,     /* a subject's block in other memory: its place is an address */
    LAB_FILM_EXPECTED_HEAD, /* what the model expects, where heap and model differ */
    LAB_FILM_EXPECTED_TAIL,
    LAB_FILM_EXPECTED_FREE,
    LAB_FILM_KINDS
} lab_film_kind;

/* Blocks of one layer do not overlap. */
typedef enum lab_film_layer {
    LAB_FILM_MEMORIES,
    LAB_FILM_BLOCKS,
    LAB_FILM_OTHERS,
    LAB_FILM_EXPECTED
} lab_film_layer;

lab_film_layer lab_film_layer_of(uint32_t kind);

typedef struct lab_film_block {
    uint64_t at;        /* bytes from the start of the memory */
    uint64_t bytes;     /* all of it, from there on */
    uint64_t requested; /* bytes; 0 if free */
    uint32_t kind;      /* lab_film_kind */
    uint32_t tag;
    uint32_t owner; /* 1 + its slot; 0: it has none, or that is not known */
} lab_film_block;

typedef enum lab_film_figure {
    LAB_FILM_REQUESTED, /* bytes asked for by live blocks */
    LAB_FILM_USED,      /* bytes that these take, headers included; of subjects, of the backing */
    LAB_FILM_UNUSED,    /* free bytes of the heap; 0 of subjects, as the next */
    LAB_FILM_LARGEST,   /* in one piece */
    LAB_FILM_FIGURES
} lab_film_figure;

/* The blocks at one moment, by layer and place. */
typedef struct lab_film_state {
    lab_film_block *blocks; /* owned */
    size_t count, capacity;
} lab_film_state;

void lab_film_state_clean_up(lab_film_state *state);

typedef enum lab_film_mark {
    LAB_FILM_FRAME = 1,
    LAB_FILM_PASSED,
    LAB_FILM_FAILED,
    LAB_FILM_REFUSED /* the subject cannot be made from this */
} lab_film_mark;

/* ---- writing (write.c) -------------------------------------------------------------------- */

typedef struct lab_film_writer {
    /* Takes bytes of the stream; false: it cannot, and gets no more. */
    bool (*sink)(void *context, const uint8_t *bytes, size_t size);
    void *context;
    lab_film_state before, now;
    uint8_t *bytes; /* not handed over yet; owned */
    size_t size, capacity;
    bool begun;
    bool broken; /* no memory, or the sink cannot */
} lab_film_writer;

/* `writer` with sink and context, else zeroed. */
void lab_film_begin(lab_film_writer *writer, uint32_t header_bytes, uint64_t memory_bytes);

/* Adds a block to the frame that is being made, in any order. */
void lab_film_add(lab_film_writer *writer, const lab_film_block *block);

/* Ends the frame: what was added is all that there is. Hands it over. O(n) if the blocks were added
 * in order, else O(n log n). */
void lab_film_frame(lab_film_writer *writer, const uint64_t figures[LAB_FILM_FIGURES]);

/* `failure`: if the mark says so. */
void lab_film_end(lab_film_writer *writer, lab_film_mark mark, const lab_failure *failure);

void lab_film_writer_clean_up(lab_film_writer *writer);

/* ---- reading (read.c) --------------------------------------------------------------------- */

#define LAB_FILM_FAILURE_BYTES_MAX 512

typedef struct lab_film_reader {
    const uint8_t *bytes;
    size_t size, next;
    uint32_t header_bytes;
    uint64_t memory_bytes;
    size_t frames;        /* read so far */
    lab_film_state state; /* after them */
    uint64_t figures[LAB_FILM_FIGURES];
    lab_film_mark end;  /* 0: none was reached */
    uint64_t failed_op; /* if the script failed: at which operation, and how, for a person */
    char failure[LAB_FILM_FAILURE_BYTES_MAX];
} lab_film_reader;

/* The bytes stay the caller's, and are read by every call of lab_film_next. A stream that holds no
 * whole head has no frames. */
void lab_film_open(lab_film_reader *reader, const uint8_t *bytes, size_t size);

/* How many of `count` operations the frames so far show; the end of a script may be one more. */
static inline size_t lab_film_played(const lab_film_reader *reader, size_t count) {
    size_t played = reader->frames > 0 ? reader->frames - 1 : 0;
    return played < count ? played : count;
}

/* The next frame. False: there is none, or no memory, or the stream is damaged. */
bool lab_film_next(lab_film_reader *reader);

void lab_film_reader_clean_up(lab_film_reader *reader);

#endif
