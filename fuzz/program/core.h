/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_CORE_H
#define LAB_PROGRAM_CORE_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program/forget.h"
#include "program/sanitizer.h"
#include "tagheap/heap.h"

#if ASAN
#include <sanitizer/asan_interface.h>
#endif

#include "program/constants.h"

extern th_heap heap;
extern uint64_t index_memory[2][TH_HEAP_INDEX_BYTES_MAX(REGION_BYTES, ALIGNMENT) / 8 + 1];
extern unsigned char *arenas[2]; /* each of ARENA_BYTES, aligned to that */
extern unsigned arena;           /* the one that the heap lives in */
extern unsigned char *base;      /* the heap's region: START bytes into it */
extern unsigned char *slot[SLOTS];
extern int lock_depth;
extern bool attacking, reentering;
extern unsigned attack_faults, reentries;
extern th_fault attack_fault; /* the first one of a call */
extern unsigned low_calls;    /* of the low-memory callback, in this operation */
extern int low_victim;        /* the slot that it frees; -1: none */

/* The callbacks of the heap. */
void lock(void *context);
void unlock(void *context);

/* A difference between the library and the model: the end of the program. */
_Noreturn void differ(const char *property, const char *detail, uint64_t expected, uint64_t found);

void expect(const char *property, const char *detail, uint64_t expected, uint64_t found);
void expect_no_fault(void);

/* The payload of the block whose header lies `block` dwords into the region. */
unsigned char *at(uint32_t block);

void expect_null(const void *payload);
void expect_block(uint32_t block, const void *payload);

/* Payload bytes [from, to) are filled with a sequence that `seed` begins. */
void fill(unsigned char *payload, size_t from, size_t to, uint32_t seed);
void expect_zeros(const unsigned char *payload, size_t bytes);
void expect_contents(const char *detail, const unsigned char *payload, size_t bytes, uint32_t seed);

/* With AddressSanitizer: exactly the bytes asked for are accessible. */
void expect_open(const unsigned char *payload, size_t bytes);

/* What the model says of a block. */
typedef struct expected_block {
    uint32_t offset, size, tag, requested, alignment, site, seed;
} expected_block;

void expect_blocks(const expected_block *blocks, size_t count);
void expect_stats(const th_heap_stats *want);

/* The checker finds nothing. */
void expect_sound(void);

/* Nothing outside the region is written; before what must leave the edges alone, they are. */
void write_edges(unsigned which);
void expect_edges(void);

/* In the beginning of the program, of a heap, of an operation. `on_low_memory` may be NULL. */
void set_up(void);
void start(bool accepted, th_heap_low_memory_fn on_low_memory);
void begin(int op);

#endif
