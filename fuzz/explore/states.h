/* SPDX-License-Identifier: MIT */
/* The set of the states found: for each its key (a few bytes that describe it completely), the
 * state it was first reached from, and by which step. States are numbered in the order in which
 * they are added. Any number of threads may look up while none adds. */
#ifndef LAB_EXPLORE_STATES_H
#define LAB_EXPLORE_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAB_STATE_NONE UINT32_MAX

#define LAB_KEY_BYTES_MAX 136u

typedef struct lab_key {
    uint32_t hash;
    uint8_t size;
    uint8_t bytes[LAB_KEY_BYTES_MAX];
} lab_key;

/* Fills in the hash. */
void lab_key_finish(lab_key *key);

typedef struct lab_states lab_states;

/* NULL if there is no memory. */
lab_states *lab_states_new(void);
void lab_states_destroy(lab_states *states);

uint32_t lab_states_count(const lab_states *states);
uint64_t lab_states_bytes(const lab_states *states);

bool lab_states_contains(const lab_states *states, const lab_key *key);

/* Adds a state unless it is there. False if there is no memory, or no number left. */
bool lab_states_add(lab_states *states, const lab_key *key, uint32_t parent, uint32_t step);

/* How state `index` was reached first. */
uint32_t lab_states_parent(const lab_states *states, uint32_t index);
uint32_t lab_states_step(const lab_states *states, uint32_t index);

/* Is this the key of state `index`? */
bool lab_states_is(const lab_states *states, uint32_t index, const lab_key *key);

#endif
