/* SPDX-License-Identifier: MIT */
/* The exact model of th_cache: a list of entries in the order of its policy, over the exact model
 * of the handles. Keys are any numbers. */
#ifndef LAB_MODEL_CACHE_H
#define LAB_MODEL_CACHE_H

#include "model/handles.h"

#define LAB_CACHE_ENTRIES_MAX 16u
#define LAB_CACHE_TOLD_MAX    256u

typedef enum lab_cache_result {
    LAB_CACHE_DONE,
    LAB_CACHE_BAD,
    LAB_CACHE_TOO_LARGE,
    LAB_CACHE_PINNED,
    LAB_CACHE_EXHAUSTED,
    LAB_CACHE_UNKNOWN
} lab_cache_result;

typedef struct lab_cache_entry {
    uint64_t key;
    uint32_t bytes, tag, slot;
    bool visited;
} lab_cache_entry;

typedef struct lab_cache {
    lab_handles *handles;
    bool sieve;
    uint32_t entries_max;
    size_t bytes_max;                            /* 0: none */
    lab_cache_entry list[LAB_CACHE_ENTRIES_MAX]; /* what would go first, first */
    uint32_t count;
    uint32_t hand; /* where in the list; count or more: at its end */
    bool (*refuses)(uint64_t key);
    struct {
        uint64_t key;
        bool evicted;           /* else: invalidated */
    } told[LAB_CACHE_TOLD_MAX]; /* by the last call */
    uint32_t told_count;
    uint64_t hits, misses, inserts, evictions, refusals, invalidations, failures;
} lab_cache;

void lab_cache_start(lab_cache *c, lab_handles *handles, bool sieve, uint32_t entries_max,
                     size_t bytes_max, bool (*refuses)(uint64_t key));

/* The entry of that key, without using it; NULL: there is none. */
const lab_cache_entry *lab_cache_find(const lab_cache *c, uint64_t key);

/* The same, as a use. */
const lab_cache_entry *lab_cache_get(lab_cache *c, uint64_t key);

lab_cache_result lab_cache_insert(lab_cache *c, uint64_t key, size_t bytes, uint32_t tag);

/* An entry that could not be loaded goes, and nobody is told. */
void lab_cache_drop(lab_cache *c, uint64_t key);

lab_cache_result lab_cache_invalidate(lab_cache *c, uint64_t key);
uint64_t lab_cache_invalidate_tags(lab_cache *c, uint32_t low, uint32_t high);
size_t lab_cache_trim(lab_cache *c, size_t bytes);
void lab_cache_reset(lab_cache *c);
size_t lab_cache_live_bytes(const lab_cache *c);

#endif
