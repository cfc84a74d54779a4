/* SPDX-License-Identifier: MIT */
/* The contract model: what is true of every allocator, whatever it does inside. Live blocks are
 * aligned, do not overlap, lie inside the memory that the allocator was given, and keep their
 * contents; a request may be refused only for a reason. The model keeps the live blocks by slot,
 * and their contents by seed. */
#ifndef LAB_MODEL_CONTRACT_H
#define LAB_MODEL_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lab_live {
    unsigned char *at; /* NULL: the slot is empty */
    size_t bytes;      /* asked for */
    size_t alignment;
    uint32_t seed;   /* of its contents */
    uint32_t frame;  /* the number of frames that had ended when it was allocated, or moved */
    uint64_t serial; /* of its last allocation or resize */
} lab_live;

typedef struct lab_contract {
    lab_live *slots; /* slots[0 .. slots_max-1], owned */
    uint32_t slots_max;
    uint32_t slots_used; /* no slot from here on is live */
    uint32_t live;       /* blocks */
    size_t live_bytes;   /* asked for */
    uint64_t serial;
    uint64_t mark;
    uint32_t frame;
    uint32_t seed; /* of the next contents: the caller sets another one for each block */
    bool touched;  /* since the last reset, blocks were given out */
} lab_contract;

/* False: no memory. */
bool lab_contract_init(lab_contract *contract, uint32_t slots_max);
void lab_contract_clean_up(lab_contract *contract);

/* No block is live. */
void lab_contract_start(lab_contract *contract);

/* A block was given out: what is wrong with it, as a static string; NULL: nothing. `except` is a
 * slot that does not count (the block that is being resized), or UINT32_MAX. */
const char *lab_contract_objection(const lab_contract *contract, const void *at, size_t bytes,
                                   size_t alignment, uint32_t except);

/* The block becomes the slot's; its contents are written from byte `kept` on. */
void lab_contract_put(lab_contract *contract, uint32_t slot, unsigned char *at, size_t bytes,
                      size_t alignment);

/* The slot's block has become `bytes` bytes at `at`; its contents up to the smaller size must be
 * as they were: true, and what is new is written. */
bool lab_contract_move(lab_contract *contract, uint32_t slot, unsigned char *at, size_t bytes);

/* The slot's block is gone. */
void lab_contract_drop(lab_contract *contract, uint32_t slot);

/* The index of the first byte of the slot's block that is not as it should be; its size if all
 * are. */
size_t lab_contract_wrong_byte(const lab_contract *contract, uint32_t slot);

/* Everything at once; what came after the mark; what is two frames old, at the end of a frame. */
void lab_contract_reset(lab_contract *contract);
void lab_contract_mark(lab_contract *contract);
void lab_contract_rollback(lab_contract *contract);
void lab_contract_flip(lab_contract *contract);

#endif
