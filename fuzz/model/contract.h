/* SPDX-License-Identifier: MIT */
/* The contract model: what is true of every allocator, whatever it does inside. Live blocks are
 * aligned, do not overlap, lie inside the memory that the allocator was given, and keep their
 * contents; a request may be refused only for a reason. The model keeps the live blocks by slot,
 * and their contents by seed. Of blocks of more than LAB_CONTENTS_WHOLE_MAX bytes, whose memory may
 * not even exist before it is written, only both ends have contents. */
#ifndef LAB_MODEL_CONTRACT_H
#define LAB_MODEL_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_CONTENTS_WHOLE_MAX ((size_t)1 << 20)
#define LAB_CONTENTS_END_BYTES ((size_t)4 << 10)

typedef struct lab_contract_block {
    unsigned char *at; /* NULL: the slot is empty */
    size_t bytes;      /* asked for */
    size_t most;       /* the most bytes asked for while it was at this address */
    size_t written;    /* bytes that have contents: those asked for, or more if more may be used */
    size_t extent;     /* bytes that are its own, as the subject said last; at least `written` */
    size_t alignment;
    uint32_t seed;   /* of its contents */
    uint32_t tag;    /* 0 where there are none */
    bool moved;      /* by the compaction that is going on */
    uint32_t frame;  /* the number of frames that had ended when it was allocated, or moved */
    uint64_t serial; /* of its last allocation or resize */
} lab_contract_block;

typedef struct lab_contract {
    lab_contract_block *slots; /* slots[0 .. slots_max-1], owned */
    uint32_t slots_max;
    uint32_t slots_used; /* no slot from here on is live */
    uint32_t live;       /* blocks */
    size_t live_bytes;   /* asked for */
    size_t live_most;    /* the same of the live blocks' `most` */
    size_t alignments;   /* of the live blocks, in all */
    uint64_t serial;
    uint64_t mark;
    uint32_t frame;
    uint32_t seed; /* of the next contents: the caller sets another one for each block */
    bool touched;  /* since the last reset, blocks were given out */
    bool mixed;    /* since the last reset, something else was done than allocating */
} lab_contract;

/* False: no memory. */
bool lab_contract_init(lab_contract *contract, uint32_t slots_max);
void lab_contract_clean_up(lab_contract *contract);

/* No block is live. */
void lab_contract_start(lab_contract *contract);

#define LAB_NO_SLOT UINT32_MAX

/* The first live slot from `from` on whose block's extent has a byte in common with at[0 ..
 * bytes-1]; LAB_NO_SLOT: none has. `except` is a slot that does not count, or LAB_NO_SLOT. */
uint32_t lab_contract_overlap(const lab_contract *contract, const void *at, size_t bytes,
                              uint32_t from, uint32_t except);

/* What is said of a block: where it is, what was asked for, and what may be used of it. */
typedef struct lab_given {
    unsigned char *at;
    size_t bytes;
    size_t written; /* as in lab_contract_block */
    size_t extent;
    size_t alignment;
    uint32_t tag;
} lab_given;

/* The block becomes the slot's; its contents are written. */
void lab_contract_put(lab_contract *contract, uint32_t slot, const lab_given *given);

/* The slot's block has become this one (of the same alignment). Its contents up to the smaller size
 * must be as they were; what is new is written. Returns the index of the first byte that is not as
 * it was; the smaller size if all are. */
size_t lab_contract_move(lab_contract *contract, uint32_t slot, const lab_given *given);

/* The slot's block is gone. */
void lab_contract_drop(lab_contract *contract, uint32_t slot);

/* The index of the first byte of the slot's block that is not as it should be; `written` if all
 * are. */
size_t lab_contract_wrong_byte(const lab_contract *contract, uint32_t slot);

/* The slot whose block begins there; LAB_NO_SLOT: none does. */
uint32_t lab_contract_at(const lab_contract *contract, const void *at);

/* The slot's block is being moved there, and not looked at before lab_contract_move is told. */
void lab_contract_relocate(lab_contract *contract, uint32_t slot, void *at);

/* Drops all blocks with low <= tag <= high; how many there were. */
uint32_t lab_contract_free_tags(lab_contract *contract, uint32_t low, uint32_t high);

/* Everything at once; what came after the mark; what is two frames old, at the end of a frame. */
void lab_contract_reset(lab_contract *contract);
void lab_contract_mark(lab_contract *contract);
void lab_contract_rollback(lab_contract *contract);
void lab_contract_flip(lab_contract *contract);

#endif
