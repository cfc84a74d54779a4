/* SPDX-License-Identifier: MIT */
#include "model/contract.h"

#include <assert.h>
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
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte_of counts from the low end");

/* No two blocks, and no two places of one block, have the same sequence. */
static uint64_t word_at(uint32_t seed, size_t i) {
    return (seed + (uint64_t)(i / WORD_BYTES)) * 0x9E3779B97F4A7C15u;
}

static unsigned char byte_of(uint64_t word, size_t i) {
    return (unsigned char)(word >> (8 * (i % WORD_BYTES)));
}

static void fill(const lab_live *block, size_t from) {
    size_t i = from;
    while (i < block->bytes) {
        uint64_t word = word_at(block->seed, i);
        if (i % WORD_BYTES == 0 && block->bytes - i >= WORD_BYTES) {
            memcpy(block->at + i, &word, WORD_BYTES);
            i += WORD_BYTES;
        } else {
            block->at[i] = byte_of(word, i);
            i++;
        }
    }
}

static size_t first_wrong(const unsigned char *at, uint32_t seed, size_t bytes) {
    size_t i = 0;
    uint64_t word = 0;
    for (; bytes - i >= WORD_BYTES; i += WORD_BYTES) {
        memcpy(&word, at + i, WORD_BYTES);
        if (word != word_at(seed, i)) {
            break;
        }
    }
    while (i < bytes && at[i] == byte_of(word_at(seed, i), i)) {
        i++;
    }
    return i;
}

size_t lab_contract_wrong_byte(const lab_contract *contract, uint32_t slot) {
    const lab_live *block = &contract->slots[slot];
    return first_wrong(block->at, block->seed, block->bytes);
}

/* ---- blocks ------------------------------------------------------------------------------- */

static bool overlap(const lab_live *block, uintptr_t at, size_t bytes) {
    uintptr_t other = (uintptr_t)block->at;
    return block->at != NULL && at < other + block->bytes && other < at + bytes;
}

const char *lab_contract_objection(const lab_contract *contract, const void *at, size_t bytes,
                                   size_t alignment, uint32_t except) {
    if (((uintptr_t)at & (alignment - 1)) != 0) {
        return "alignment";
    }
    for (uint32_t i = 0; i < contract->slots_used; i++) {
        if (i != except && overlap(&contract->slots[i], (uintptr_t)at, bytes)) {
            return "overlap";
        }
    }
    return NULL;
}

void lab_contract_put(lab_contract *contract, uint32_t slot, unsigned char *at, size_t bytes,
                      size_t alignment) {
    lab_live *block = &contract->slots[slot];
    *block = (lab_live){.at = at,
                        .bytes = bytes,
                        .alignment = alignment,
                        .seed = contract->seed * 0x1000003u,
                        .frame = contract->frame,
                        .serial = ++contract->serial};
    contract->slots_used = slot >= contract->slots_used ? slot + 1 : contract->slots_used;
    contract->live++;
    contract->live_bytes += bytes;
    contract->touched = true;
    fill(block, 0);
}

bool lab_contract_move(lab_contract *contract, uint32_t slot, unsigned char *at, size_t bytes) {
    lab_live *block = &contract->slots[slot];
    size_t kept = bytes < block->bytes ? bytes : block->bytes;
    bool intact = first_wrong(at, block->seed, kept) == kept;
    contract->live_bytes += bytes - block->bytes;
    contract->touched = true;
    block->frame = at != block->at ? contract->frame : block->frame;
    block->at = at;
    block->bytes = bytes;
    block->serial = ++contract->serial;
    fill(block, kept);
    return intact;
}

void lab_contract_drop(lab_contract *contract, uint32_t slot) {
    lab_live *block = &contract->slots[slot];
    contract->live--;
    contract->live_bytes -= block->bytes;
    block->at = NULL;
}

/* ---- many at once ------------------------------------------------------------------------- */

void lab_contract_reset(lab_contract *contract) {
    for (uint32_t i = 0; i < contract->slots_used; i++) {
        contract->slots[i].at = NULL;
    }
    contract->live = 0;
    contract->live_bytes = 0;
    contract->touched = false;
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
