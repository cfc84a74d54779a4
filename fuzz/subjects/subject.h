/* SPDX-License-Identifier: MIT */
/* A subject: an allocator that heaplab can play scripts on and check by the contract model. Fill in
 * one lab_subject, and everything works on it: fuzzing, the shrinker, differential runs. A shared
 * object that exports one under the name lab_subject_export is a plug-in; docs/your-allocator.md
 * writes one. This header needs the library's public headers only. */
#ifndef LAB_SUBJECTS_SUBJECT_H
#define LAB_SUBJECTS_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tagheap/allocator.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a subject can do, and what it promises beyond the contract of tagheap/allocator.h. */
enum {
    LAB_SUBJECT_FREES = 1,      /* a freed block's memory can be had again */
    LAB_SUBJECT_GROWS = 2,      /* takes memory from the backing as it needs it: fails only if the
                                   backing did during that call, or if the bytes asked for and
                                   their alignment come to more than setup.bytes */
    LAB_SUBJECT_OWN_MEMORY = 4, /* does not use the backing (the system's malloc) */
    LAB_SUBJECT_TRACKED = 8,    /* in ASan builds the bytes asked for are accessible, and what else
                                   the block has is not */
    LAB_SUBJECT_POINTERS = 16,  /* guard >= 1: freeing what is no live block raises a fault */
    LAB_SUBJECT_CANARIES = 32,  /* guard >= 1: a byte written right after the bytes asked for
                                   raises a fault when the block is freed, if the block has one
                                   (usable size > bytes asked for; of objects: stride > size) */
    LAB_SUBJECT_POISON = 64,    /* guard >= 2: the checker notices a byte written to a block that
                                   was freed, at its last byte asked for */
    LAB_SUBJECT_ANY_THREADS = 128, /* may be used by several threads at once; scripts are played by
                                      one, so that nothing here shows it */
    LAB_SUBJECT_ENDS = 256,        /* `owns` is false of the byte after a block (its usable size, if
                                      the subject tells) that was just allocated, unless that
                                      byte is another live block's */
    LAB_SUBJECT_WRITABLE = 512, /* all of a block's usable size may be written as it is, and is kept
                                   as what was asked for is (malloc_usable_size) */
    LAB_SUBJECT_REFUSES = 1024, /* of own memory, and may be asked for more than it gives: it
                                   refuses, and nothing ends the program */
    LAB_SUBJECT_ZERO_GIVES = 2048,   /* the table's alloc gives for 0 bytes a block of none, at an
                                        address that no other block has, to be freed and resized as
                                        any other. Without this and the next, no subject is asked */
    LAB_SUBJECT_ZERO_REFUSED = 4096, /* the table's alloc and realloc give NULL for 0 bytes; realloc
                                        frees the block */
    LAB_SUBJECT_NULL = 8192, /* the table's free(NULL) does nothing, and its realloc(NULL, 0, ...),
                                if there is one, allocates. Without it NULL does not get there */
    LAB_SUBJECT_COMPACTS = 16384, /* of tags: after a whole compaction without a veto all free
                                     memory can be had in one piece: `holds` is promised as if
                                     nothing had been done but allocating what is live */
    LAB_SUBJECT_IS_BUSY = 32768,  /* of tags: called from compaction's callback, the table's alloc
                                     gives NULL and frees do nothing, but for a fault. Without it,
                                     it is not called from there */
    LAB_SUBJECT_NEEDS_THREADS = 65536 /* cannot be used by one thread alone: it is refused, for want
                                         of others */
};

/* What a subject is made from. */
typedef struct lab_setup {
    th_allocator backing; /* where all its memory has to come from, its own bookkeeping excepted */
    size_t bytes;         /* of memory that the backing will give, in all, roughly */
    size_t alignment;     /* 4, 8 or 16: what most requests will ask for */
    unsigned variant;     /* 0 .. 15: for subjects that have options */
    int guard;            /* 0 .. 3 */
    th_fault_handler on_fault;
    void *fault_context;
} lab_setup;

#define LAB_HOLDS_ALIGNMENT_MAX ((size_t)4096)

/* What create fills in, zeroed before. */
typedef struct lab_instance {
    void *state;
    th_allocator allocator;
    size_t bytes_max;     /* larger blocks are never given; 0: any size may be. A subject of own
                             memory is never asked for more (LAB_SUBJECT_REFUSES: it is): tools end
                             a program for that. One that says 0 is asked for any size, and a block
                             of more than 16 MiB is freed again at once */
    size_t alignment_max; /* the same for alignments */
    const void *memory;   /* of own memory, all in one piece: where it is. Every block lies there */
    size_t memory_bytes;  /* 0: it is not said */
    size_t blocks_guaranteed; /* as long as fewer blocks are live, a request for up to bytes_max
                           bytes aligned to alignment_max is met; 0: nothing promised */
    size_t empty_guaranteed;  /* while no block is live (for subjects that do not free: after a
                           reset), a request for this many bytes aligned to setup.alignment is
                           met; 0: nothing promised */
    size_t holds; /* what it must be able to hold, aligned to LAB_HOLDS_ALIGNMENT_MAX at the
                     most; 0: nothing promised. Each block counts as the most bytes
                     that it had at its address, its alignment and holds_extra.
                     While nothing but allocating was done since
                     it was empty (as for empty_guaranteed), a request is
                     met if all blocks, it included, come to `holds` at most. A subject that
                     frees promises, whatever was done before, that free memory lies in no
                     more pieces than live blocks and one: a request is met that counts no
                     more than what they leave of `holds` divided by so many */
    size_t holds_extra;
    size_t holds_blocks;    /* only for as many blocks, this one included; 0: for any number */
    size_t object_bytes;    /* every block is an object of this size, whatever was asked for, and
                               what is said of the bytes asked for is true of these; 0: not so */
    size_t object_stride;   /* with those after it that are the guards' */
    size_t keeps_least;     /* a block that is resized in place to less than half of its usable size
                               has at most twice the bytes asked for then, or this many, unless the
                               backing refused it another place; 0: nothing promised */
    unsigned flags_missing; /* of the subject's flags, those that are not true of this one */
    uint32_t tag_max;       /* of tags: requests under a higher one are refused, all others are as
                               good as each other */
    uint32_t tag_top_min; /* blocks with tags from here on lie above all blocks with lower ones; 0:
                             there is one side only */
} lab_instance;

/* What the subject's own free returns, if it is known. */
typedef enum lab_free_result {
    LAB_FREED_ANYTHING,
    LAB_FREED_ONE,       /* 1 */
    LAB_FREED_REQUESTED, /* the bytes asked for */
    LAB_FREED_USABLE,    /* what usable_size said of the block */
    LAB_FREED_AT_LEAST   /* the bytes asked for, or more */
} lab_free_result;

/* May the block at `from`, of `bytes` bytes asked for or more, go to `to`? True: it is moved before
 * the next question is asked. False: it stays. */
typedef bool (*lab_may_move)(void *context, void *from, void *to, size_t bytes);

/* What a subject can do whose blocks have tags. */
typedef struct lab_tagging {
    /* As the table's alloc, under a tag; zeroed, if that is asked for. */
    void *(*alloc)(void *state, size_t bytes, size_t alignment, uint32_t tag, bool zeroed);

    /* Frees every block with low <= tag <= high; how many that were. */
    uint64_t (*free_tags)(void *state, uint32_t low, uint32_t high);

    /* Optional: moves blocks towards the end of their side, asking for each; at most `bytes` bytes
     * of them (SIZE_MAX: all), but one block at least, if any is to move. Contents follow. How many
     * were moved. */
    uint64_t (*compact)(void *state, size_t bytes, lab_may_move may_move, void *context);

    /* Optional: the block's tag. */
    uint32_t (*tag_of)(const void *state, const void *block);
} lab_tagging;

/* What a subject counts itself. `exact` says which of the figures it knows: these are compared with
 * what was seen from outside, after each operation. */
enum {
    LAB_FIGURE_LIVE = 1,
    LAB_FIGURE_REQUESTED = 2,
    LAB_FIGURE_PEAK = 4, /* and `used` */
    LAB_FIGURE_RESERVED = 8,
    LAB_FIGURE_ALLOCS = 16,
    LAB_FIGURE_REFUSED = 32,         /* every request that was; to ask alloc_array for more than
                                        PTRDIFF_MAX bytes, or none, is no request */
    LAB_FIGURE_REFUSED_FITTING = 64, /* only those up to bytes_max and alignment_max */
    LAB_FIGURE_REFUSED_IN_FRAME = 128
};

typedef struct lab_figures {
    unsigned exact;            /* LAB_FIGURE_... */
    uint64_t live;             /* blocks */
    uint64_t requested;        /* bytes asked for by them */
    uint64_t used;             /* in any unit: what peak is the most of, that there ever was */
    uint64_t peak;             /* the high-water mark */
    uint64_t reserved;         /* bytes taken from the backing */
    uint64_t allocs;           /* blocks ever given out, one that moved once more */
    uint64_t refused;          /* requests, to make a block or to move it */
    uint64_t refused_in_frame; /* since the last end of a frame, or reset */
} lab_figures;

/* Memory that the guards watch although it lies in no block: for subjects that keep one canary
 * after what they have handed out, and nothing after each block. */
typedef struct lab_watched {
    unsigned char *at;
    size_t canary_bytes; /* guard >= 1: the checker notices each of at[0 .. canary_bytes-1] that is
                            written, and so does the next allocation */
    size_t poison_bytes; /* guard >= 2: the checker notices each of as many after those */
    size_t room;         /* an allocation that fits into as many bytes from `at` on is made there;
                            0: there is none that would be */
} lab_watched;

#define LAB_SUBJECT_VERSION 8

typedef struct lab_subject {
    int version;         /* LAB_SUBJECT_VERSION */
    const char *name;    /* lower case, digits and '-', at most LAB_SUBJECT_NAME_MAX */
    const char *purpose; /* a few words */
    unsigned flags;

    /* Makes one. False if it cannot be made from this setup, which must be for a reason (too
     * small); then nothing of the backing is kept. */
    bool (*create)(const lab_setup *setup, lab_instance *instance);

    /* Ends it; all that was taken from the backing must be back then. */
    void (*destroy)(void *state);

    /* Optional: the subject's own calloc. count * size bytes, zeroed, aligned to
     * TH_ALLOCATOR_ALIGNMENT; NULL also if the product is 0 or overflows. To be freed as any other
     * block. Without it, arrays are asked for by the table's alloc. */
    void *(*alloc_array)(void *state, size_t count, size_t size);

    /* Optional: marks and rollback. After rollback, every block that was allocated since the
     * mark last set is gone (blocks from before, resized since, too). The table's reset, if there
     * is one, takes back the mark, too: then everything goes. */
    void (*mark)(void *state);
    void (*rollback)(void *state);

    /* Optional: a frame ends. Every block that was allocated, or moved by a resize, before the last
     * but one call is gone. */
    void (*flip)(void *state);

    /* Optional: the subject's statistics, zeroed before. */
    void (*measure)(const void *state, lab_figures *figures);

    /* Optional: what the guards watch now; *watched is zeroed before. */
    void (*watch)(const void *state, lab_watched *watched);

    /* Optional: the blocks have tags. Those of the table's alloc have the tag 0; its realloc keeps
     * them (without one, a block that moves is allocated anew). Duplicates, arrays and batches are
     * not asked for. */
    const lab_tagging *tags;

    /* Optional: the subject's own free, called in place of the table's; of NULL, it returns 0 and
     * does nothing. */
    uint64_t (*free_block)(void *state, void *block);
    lab_free_result freed; /* what it returns */

    /* Optional: for subjects that need something of the machine. What is missing, in a few words
     * that are valid for good; NULL: nothing. */
    const char *(*missing)(void);
} lab_subject;

#define LAB_SUBJECT_NAME_MAX 15

/* What a plug-in defines, and a shared object exports under this name. Declared here, so that it
 * has C's name in C++ as well, and is seen outside whatever -fvisibility says. */
#define LAB_SUBJECT_EXPORT "lab_subject_export"
extern __attribute__((visibility("default"))) const lab_subject lab_subject_export;

#ifdef __cplusplus
}
#endif
#endif
