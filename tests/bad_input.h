/* SPDX-License-Identifier: MIT */
/* Bad input, played on allocators: what they are asked for and cannot give is refused, and leaves
 * everything as it was; pointers that are none of theirs raise one fault, rightly named; who has
 * ended has no memory any more. A row says what an allocator owes, a function plays each kind of
 * misuse on it, at every guard level, by the allocator's own calls and by the common interface.
 * test_bad_input.c plays them on a table of allocators; others have their row in their own suite.
 */
#ifndef TESTS_BAD_INPUT_H
#define TESTS_BAD_INPUT_H

#include "bad_calls.h"
#include "bad_starts.h"

/* Pointers that are none of a live block. */
typedef enum bad_pointer {
    BAD_FOREIGN,    /* to memory that the allocator never had */
    BAD_INTERIOR,   /* 16 bytes into a live block */
    BAD_MISALIGNED, /* 1 byte into it */
    BAD_FREED,      /* the block has been freed */
    BAD_POINTERS
} bad_pointer;

/* Instead of a kind of fault. */
enum {
    BAD_UNNOTICED = TH_FAULT_NONE, /* not recorded: to free it does nothing */
    BAD_UNDEFINED = -1             /* nothing is promised, or there is no such pointer */
};

enum {
    BAD_NO_GUARDS = 1,      /* knows level 0 only */
    BAD_ALWAYS_NOTICES = 2, /* bad pointers, at level 0, too */
    BAD_ONE_SIZE = 4,       /* the call to allocate takes no size */
    BAD_ONE_ALIGNMENT = 8,  /* ... and no alignment */
    BAD_ZERO_FREES = 32,    /* to resize to 0 bytes is to free */
    BAD_ZERO_FITS = 64,     /* 0 bytes are a good request */
    BAD_NO_MEMORY = 128,    /* there is nothing to write to */
    BAD_MAPPED = 256,       /* asks the system */
    BAD_NO_FREE = 512,      /* a block that was freed is as good as ever */
    BAD_ONE_BLOCK = 1024
};

/* What an allocator owes. */
typedef struct bad_row {
    const char *name;
    const bad_calls *calls;
    int faults[BAD_POINTERS];
    unsigned traits;
} bad_row;

/* The kinds of misuse. */
typedef struct bad_misuse {
    const char *name;
    void (*play)(void);
} bad_misuse;
extern const bad_misuse bad_zero_sizes, bad_negative_sizes, bad_unreasonable_sizes;
extern const bad_misuse bad_overflowing_sizes, bad_alignments, bad_pointers, bad_addresses;
extern const bad_misuse bad_use_after_clean_up, bad_exhausted_memory;

void bad_input_play(const bad_misuse *misuse, const bad_row *rows, size_t count);

/* All of them, on one allocator. */
void bad_input_play_all(const bad_row *row);

/* What an allocator cannot be started with is refused, and leaves the object alone. */
void bad_starts_play(const bad_start *starts, size_t count);

#endif
