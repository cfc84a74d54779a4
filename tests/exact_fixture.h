/* SPDX-License-Identifier: MIT */
/* One exact model for the suites that test it, with short names for its calls. */
#ifndef TESTS_EXACT_FIXTURE_H
#define TESTS_EXACT_FIXTURE_H

#include "model/exact.h"
#include "suite.h"

#define BASE 0x10000u /* an address that suits every alignment up to 64 KiB */
#define NONE LAB_EXACT_NONE

/* Tags: free, a HEAD one, a TAIL one. */
enum { F = 0x7FFF, H = 0x1001, T = 0x4001 };

extern lab_exact model;

/* Starts the model afresh, with no low-memory callback. */
void start(uint32_t dwords, uint32_t alignment, uint64_t base);

/* 200 dwords at BASE: blocks of 10 dwords with the tags 1, 2, 3, 4 at 0, 16, 32, 48. */
void start_with_four(void);

uint32_t head(size_t bytes);
uint32_t tail(size_t bytes);
uint32_t tagged(size_t bytes, uint32_t tag);
uint32_t aligned(size_t alignment, size_t bytes, uint32_t tag);
uint32_t resize(uint32_t block, size_t bytes);
size_t trim(uint32_t block);
size_t release(uint32_t block);
lab_exact_stats stats(void);

typedef struct shape {
    uint32_t offset, size, tag;
} shape;

/* Checks the list of blocks. LAST is left out of `expected`, and is checked as well. */
void check_blocks(const char *file, int line, const shape *expected, uint32_t count);

#define BLOCKS(...)                                                                                \
    check_blocks(__FILE__, __LINE__, (const shape[]){__VA_ARGS__},                                 \
                 (uint32_t)(sizeof((const shape[]){__VA_ARGS__}) / sizeof(shape)))

#endif
