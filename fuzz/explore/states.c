/* SPDX-License-Identifier: MIT */
/* Three arrays that grow: key bytes and records in chunks, which never move, and a hash table with
 * open addressing. A slot holds the key's hash and the state's number plus one; a key is compared
 * byte by byte before two states are taken for one. */
#include "explore/states.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_CHUNK_BITS    22u
#define KEYS_CHUNK_BYTES   ((uint64_t)1 << KEYS_CHUNK_BITS)
#define RECORDS_CHUNK_BITS 16u
#define RECORDS_CHUNK      ((uint32_t)1 << RECORDS_CHUNK_BITS)
#define RECORDS_CHUNKS_MAX ((size_t)1 << (32 - RECORDS_CHUNK_BITS))
#define SLOTS_FRESH        ((uint64_t)1 << 14)

typedef struct record {
    uint64_t key; /* position of its size byte, which its bytes follow */
    uint32_t parent;
    uint32_t step;
} record;

struct lab_states {
    record *records[RECORDS_CHUNKS_MAX];
    uint8_t **keys; /* chunks */
    size_t keys_chunks, keys_capacity;
    uint64_t keys_end; /* position of the next key */
    uint64_t *slots;   /* hash in the high half, number plus one in the low half; 0: empty */
    uint64_t slots_count;
    uint32_t count;
};

void lab_key_finish(lab_key *key) {
    uint64_t hash = 0x9E3779B97F4A7C15u * (key->size + 1u);
    for (unsigned at = 0; at < key->size; at += 8) {
        uint64_t word = 0;
        unsigned left = key->size - at;
        if (left >= 8) {
            memcpy(&word, key->bytes + at, 8);
        } else {
            memcpy(&word, key->bytes + at, left);
        }
        hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    hash *= 0xD6E8FEB86659FD93u;
    key->hash = (uint32_t)(hash >> 32);
}

lab_states *lab_states_new(void) {
    lab_states *states = calloc(1, sizeof *states);
    if (states == NULL) {
        return NULL;
    }
    states->slots_count = SLOTS_FRESH;
    states->slots = calloc(SLOTS_FRESH, sizeof states->slots[0]);
    if (states->slots == NULL) {
        free(states);
        return NULL;
    }
    return states;
}

void lab_states_destroy(lab_states *states) {
    if (states == NULL) {
        return;
    }
    for (size_t i = 0; i < states->keys_chunks; i++) {
        free(states->keys[i]);
    }
    for (size_t i = 0; i < RECORDS_CHUNKS_MAX && states->records[i] != NULL; i++) {
        free(states->records[i]);
    }
    free(states->keys);
    free(states->slots);
    free(states);
}

uint32_t lab_states_count(const lab_states *states) {
    return states->count;
}

uint64_t lab_states_bytes(const lab_states *states) {
    uint64_t records = ((uint64_t)states->count + RECORDS_CHUNK - 1) / RECORDS_CHUNK;
    return states->keys_chunks * KEYS_CHUNK_BYTES + records * RECORDS_CHUNK * sizeof(record) +
           states->slots_count * sizeof states->slots[0] + sizeof *states;
}

static const record *record_of(const lab_states *states, uint32_t index) {
    return &states->records[index >> RECORDS_CHUNK_BITS][index & (RECORDS_CHUNK - 1)];
}

static const uint8_t *key_of(const lab_states *states, uint32_t index) {
    uint64_t at = record_of(states, index)->key;
    return states->keys[at >> KEYS_CHUNK_BITS] + (at & (KEYS_CHUNK_BYTES - 1));
}

uint32_t lab_states_parent(const lab_states *states, uint32_t index) {
    return record_of(states, index)->parent;
}

uint32_t lab_states_step(const lab_states *states, uint32_t index) {
    return record_of(states, index)->step;
}

bool lab_states_is(const lab_states *states, uint32_t index, const lab_key *key) {
    const uint8_t *known = key_of(states, index);
    return known[0] == key->size && memcmp(known + 1, key->bytes, key->size) == 0;
}

/* The slot that holds the key, or the empty one where it would go. */
static uint64_t find_slot(const lab_states *states, const lab_key *key) {
    uint64_t mask = states->slots_count - 1;
    for (uint64_t at = key->hash & mask;; at = (at + 1) & mask) {
        uint64_t slot = states->slots[at];
        if (slot == 0 || (slot >> 32 == key->hash &&
                          lab_states_is(states, (uint32_t)(slot & UINT32_MAX) - 1, key))) {
            return at;
        }
    }
}

bool lab_states_contains(const lab_states *states, const lab_key *key) {
    return states->slots[find_slot(states, key)] != 0;
}

static bool grow_slots(lab_states *states) {
    uint64_t count = 2 * states->slots_count;
    uint64_t *slots = calloc((size_t)count, sizeof slots[0]);
    if (slots == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < states->slots_count; i++) {
        uint64_t slot = states->slots[i];
        uint64_t at = (slot >> 32) & (count - 1);
        while (slot != 0 && slots[at] != 0) {
            at = (at + 1) & (count - 1);
        }
        if (slot != 0) {
            slots[at] = slot;
        }
    }
    free(states->slots);
    states->slots = slots;
    states->slots_count = count;
    return true;
}

/* Makes sure that `size` bytes can be written at keys_end, in one chunk. */
static bool reserve_key(lab_states *states, unsigned size) {
    uint64_t chunk = states->keys_end >> KEYS_CHUNK_BITS;
    if ((states->keys_end + size - 1) >> KEYS_CHUNK_BITS != chunk) {
        chunk++;
        states->keys_end = chunk << KEYS_CHUNK_BITS;
    }
    if (chunk < states->keys_chunks) {
        return true;
    }
    if (states->keys_chunks == states->keys_capacity) {
        size_t capacity = 2 * states->keys_capacity + 64;
        uint8_t **grown = realloc(states->keys, capacity * sizeof grown[0]);
        if (grown == NULL) {
            return false;
        }
        states->keys = grown;
        states->keys_capacity = capacity;
    }
    states->keys[chunk] = malloc((size_t)KEYS_CHUNK_BYTES);
    states->keys_chunks += states->keys[chunk] != NULL;
    return states->keys[chunk] != NULL;
}

static bool reserve_record(lab_states *states) {
    record **chunk = &states->records[states->count >> RECORDS_CHUNK_BITS];
    if (*chunk == NULL) {
        *chunk = malloc(RECORDS_CHUNK * sizeof **chunk);
    }
    return *chunk != NULL;
}

bool lab_states_add(lab_states *states, const lab_key *key, uint32_t parent, uint32_t step) {
    uint64_t at = find_slot(states, key);
    if (states->slots[at] != 0) {
        return true;
    }
    if (states->count + 1 == LAB_STATE_NONE || !reserve_key(states, key->size + 1u) ||
        !reserve_record(states)) {
        return false;
    }
    if (states->count >= states->slots_count / 3 * 2) {
        if (!grow_slots(states)) {
            return false;
        }
        at = find_slot(states, key);
    }
    uint8_t *bytes = states->keys[states->keys_end >> KEYS_CHUNK_BITS] +
                     (states->keys_end & (KEYS_CHUNK_BYTES - 1));
    bytes[0] = key->size;
    memcpy(bytes + 1, key->bytes, key->size);
    uint32_t index = states->count;
    states->records[index >> RECORDS_CHUNK_BITS][index & (RECORDS_CHUNK - 1)] =
        (record){states->keys_end, parent, step};
    states->keys_end += key->size + 1u;
    states->count++;
    states->slots[at] = (uint64_t)key->hash << 32 | states->count;
    return true;
}
