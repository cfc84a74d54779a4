/* SPDX-License-Identifier: MIT */
/* Payload contents: each slot's payload is filled with a sequence of its own, so that bytes that
 * were lost, shifted or taken from another block are noticed. */
#ifndef LAB_RUNNER_CONTENT_H
#define LAB_RUNNER_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills bytes [from, to) of the payload with the sequence of `seed`. */
void lab_content_fill(unsigned char *payload, size_t from, size_t to, uint32_t seed);

/* The index of the first of the `bytes` bytes that is not as filled; `bytes` if all are. */
size_t lab_content_check(const unsigned char *payload, size_t bytes, uint32_t seed);

/* With AddressSanitizer: are exactly the first `bytes` bytes of the payload accessible, and the
 * byte behind them not? Elsewhere always true. */
bool lab_content_is_open(const unsigned char *payload, size_t bytes);

#endif
