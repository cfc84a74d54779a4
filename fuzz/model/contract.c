/* SPDX-License-Identifier: MIT */
#include "model/contract.h"

#include <stdlib.h>
#include <string.h>

bool lab_contract_init(lab_contract *contract, uint32_t slots_max) {
    memset(contract, 0, sizeof *contract);
    contract->slots = calloc(slots_max, sizeof *contract->slots);
    contract->slots_max = slots_max;
    return contract->slots != NULL;
}

void lab_contract_clean_up(lab_contract *contract) {
    free(contract->slots);
    memset(contract, 0, sizeof *contract);
}

void lab_contract_start(lab_contract *contract) {
    lab_contract_reset(contract);
    contract->slots_used = 0;
    contract->serial = 0;
    contract->mark = 0;
    contract->frame = 0;
    contract->seed = 0;
}

/* ---- contents ----------------------------------------------------------------------------- */

/* Looked at after each operation: by words. */
#define WORD_BYTES 8u

/* No two blocks, and no two places of one block, have the same sequence. */
static uint64_t word_at(uint32_t seed, size_t i) {
    return (seed + (uint64_t)(i / WORD_BYTES)) * 0x9E3779B97F4A7C15u;
}

static unsigned char byte_of(uint64_t word, size_t i) {
    return ((const unsigned char *)&word)[i % WORD_BYTES];
}

/* Contents are in bytes [0, head) and [tail, bytes). */
static size_t head_of(size_t bytes) {
    return bytes <= LAB_CONTENTS_WHOLE_MAX ? bytes : LAB_CONTENTS_END_BYTES;
}

static size_t tail_of(size_t bytes) {
    return bytes <= LAB_CONTENTS_WHOLE_MAX ? bytes : bytes - LAB_CONTENTS_END_BYTES;
}

static void fill(const lab_contract_block *block, size_t from, size_t to) {
    size_t i = from;
    while (i < to) {
        uint64_t word = word_at(block->seed, i);
        if (i % WORD_BYTES == 0 && to - i >= WORD_BYTES) {
            memcpy(block->at + i, &word, WORD_BYTES);
            i += WORD_BYTES;
        } else {
            block->at[i] = byte_of(word, i);
            i++;
        }
    }
}

/* Of bytes [from, to) the first that is wrong; `to` if none is. `from` is a multiple of a word. */
static size_t first_wrong_in(const unsigned char *at, uint32_t seed, size_t from, size_t to) {
    size_t i = from;
    uint64_t word = 0;
    for (; to - i >= WORD_BYTES; i += WORD_BYTES) {
        memcpy(&word, at + i, WORD_BYTES);
        if (word != word_at(seed, i)) {
            break;
        }
    }
    while (i < to && at[i] == byte_of(word_at(seed, i), i)) {
        i++;
    }
    return i;
}

/* Of a block that had contents in `written` bytes, the first byte below `kept` that is wrong. */
static size_t first_wrong(const unsigned char *at, uint32_t seed, size_t written, size_t kept) {
    size_t head = head_of(written);
    size_t tail = (tail_of(written) + WORD_BYTES - 1) / WORD_BYTES * WORD_BYTES;
    head = head < kept ? head : kept;
    size_t wrong = first_wrong_in(at, seed, 0, head);
    if (wrong < head || tail >= kept) {
        return wrong < head ? wrong : kept;
    }
    return first_wrong_in(at, seed, tail, kept);
}

size_t lab_contract_wrong_byte(const lab_contract *contract, uint32_t slot) {
    const lab_contract_block *block = &contract->slots[slot];
    return first_wrong(block->at, block->seed, block->written, block->written);
}

/* ---- blocks ------------------------------------------------------------------------------- */

/* By distances: either block may reach beyond the end of the address space. */
static bool overlap(const lab_contract_block *block, uintptr_t at, size_t bytes) {
    uintptr_t other = (uintptr_t)block->at;
    return block->at != NULL && (at < other ? other - at < bytes : at - other < block->extent);
}

uint32_t lab_contract_overlap(const lab_contract *contract, const void *at, size_t bytes,
                              uint32_t from, uint32_t except) {
    for (uint32_t i = from; i < contract->slots_used; i++) {
        if (i != except && overlap(&contract->slots[i], (uintptr_t)at, bytes)) {
            return i;
        }
    }
    return LAB_NO_SLOT;
}

static void write_all(const lab_contract_block *block, size_t from) {
    size_t head = head_of(block->written);
    if (from < head) {
        fill(block, from, head);
    }
    fill(block, tail_of(block->written), block->written);
}

void lab_contract_put(lab_contract *contract, uint32_t slot, const lab_given *given) {
    lab_contract_block *block = &contract->slots[slot];
    *block = (lab_contract_block){.at = given->at,
                                  .bytes = given->bytes,
                                  .most = given->bytes,
                                  .written = given->written,
                                  .extent = given->extent,
                                  .alignment = given->alignment,
                                  .seed = contract->seed * 0x1000003u,
                                  .tag = given->tag,
                                  .frame = contract->frame,
                                  .serial = ++contract->serial};
    contract->slots_used = slot >= contract->slots_used ? slot + 1 : contract->slots_used;
    contract->live++;
    contract->live_bytes += given->bytes;
    contract->live_most += given->bytes;
    contract->alignments += given->alignment;
    contract->touched = true;
    write_all(block, 0);
}

size_t lab_contract_move(lab_contract *contract, uint32_t slot, const lab_given *given) {
    lab_contract_block *block = &contract->slots[slot];
    size_t kept = given->bytes < block->bytes ? given->bytes : block->bytes;
    size_t wrong = first_wrong(given->at, block->seed, block->written, kept);
    size_t had = head_of(block->written);
    size_t most = given->at == block->at && !block->moved ? block->most : 0;
    most = given->bytes > most ? given->bytes : most;
    contract->live_bytes += given->bytes - block->bytes;
    contract->live_most += most - block->most;
    contract->touched = true;
    contract->mixed = true;
    block->frame = given->at != block->at ? contract->frame : block->frame;
    block->at = given->at;
    block->moved = false;
    block->bytes = given->bytes;
    block->most = most;
    block->written = given->written;
    block->extent = given->extent;
    block->serial = ++contract->serial;
    write_all(block, had < kept ? had : kept);
    return wrong;
}

void lab_contract_drop(lab_contract *contract, uint32_t slot) {
    lab_contract_block *block = &contract->slots[slot];
    contract->live--;
    contract->live_bytes -= block->bytes;
    contract->live_most -= block->most;
    contract->alignments -= block->alignment;
    contract->mixed = true;
    block->at = NULL;
}

uint32_t lab_contract_at(const lab_contract *contract, const void *at) {
    for (uint32_t i = 0; at != NULL && i < contract->slots_used; i++) {
        if (contract->slots[i].at == at) {
            return i;
        }
    }
    return LAB_NO_SLOT;
}

void lab_contract_relocate(lab_contract *contract, uint32_t slot, void *at) {
    contract->slots[slot].at = at;
    contract->slots[slot].moved = true;
}

/* ---- many at once ------------------------------------------------------------------------- */

void lab_contract_reset(lab_contract *contract) {
    for (uint32_t i = 0; i < contract->slots_used; i++) {
        contract->slots[i].at = NULL;
    }
    contract->live = 0;
    contract->live_bytes = 0;
    contract->live_most = 0;
    contract->alignments = 0;
    contract->touched = false;
    contract->mixed = false;
}

uint32_t lab_contract_free_tags(lab_contract *contract, uint32_t low, uint32_t high) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < contract->slots_used; i++) {
        const lab_contract_block *block = &contract->slots[i];
        if (block->at != NULL && block->tag >= low && block->tag <= high) {
            lab_contract_drop(contract, i);
            count++;
        }
    }
    return count;
}

void lab_contract_mark(lab_contract *contract) {
    contract->mark = contract->serial;
}

void lab_contract_rollback(lab_contract *contract) {
    for (uint32_t i = 0; i < contract->slots_used; i++) {
        if (contract->slots[i].at != NULL && contract->slots[i].serial > contract->mark) {
            lab_contract_drop(contract, i);
        }
    }
}

void lab_contract_flip(lab_contract *contract) {
    contract->frame++;
    for (uint32_t i = 0; i < contract->slots_used; i++) {
        if (contract->slots[i].at != NULL && contract->frame - contract->slots[i].frame >= 2) {
            lab_contract_drop(contract, i);
        }
    }
}
