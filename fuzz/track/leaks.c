/* SPDX-License-Identifier: MIT */
#include "track/leaks.h"

#include <string.h>

#include "preload/preload.h"
#include "track/roots.h"

void lab_leaks_wipe(void *block, size_t from) {
    size_t bytes = lab_preload_usable_size(block);
    if (from < bytes) {
        memset((char *)block + from, 0, bytes - from);
    }
}

typedef enum state { UNREACHED, INDIRECT, POSSIBLE, REACHABLE } state;

typedef struct search {
    th_allocator memory;
    lab_root_block *blocks; /* by address */
    uint32_t *sites;        /* of each */
    unsigned char *states;
    uint64_t *indirect; /* bytes that are lost with each */
    size_t *pending;    /* blocks that are to be looked into */
    size_t count;
    size_t pending_count;
    lab_roots roots;
    bool is_mallocs; /* what is scanned now: see lab_root */
} search;

/* ---- the blocks ------------------------------------------------------------------------------ */

static bool add_block(void *context, const th_tracker_block *block) {
    search *s = context;
    s->blocks[s->count] = (lab_root_block){(uintptr_t)block->address, block->bytes};
    s->sites[s->count++] = block->site->number;
    return true;
}

static void swap(search *s, size_t a, size_t b) {
    lab_root_block block = s->blocks[a];
    uint32_t site = s->sites[a];
    s->blocks[a] = s->blocks[b];
    s->sites[a] = s->sites[b];
    s->blocks[b] = block;
    s->sites[b] = site;
}

static void sink(search *s, size_t root, size_t count) {
    for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count && s->blocks[child].address < s->blocks[child + 1].address) {
            child++;
        }
        if (s->blocks[root].address >= s->blocks[child].address) {
            return;
        }
        swap(s, root, child);
        root = child;
    }
}

/* By address. The C library's sort may allocate. */
static void sort(search *s) {
    for (size_t root = s->count / 2; root-- > 0;) {
        sink(s, root, s->count);
    }
    for (size_t left = s->count; left-- > 1;) {
        swap(s, 0, left);
        sink(s, 0, left);
    }
}

/* Blocks that are gone without a free of which we know (unmapped, or malloc's own tricks) are
 * dropped: the word before a block is looked at. */
static bool collect(search *s, const th_tracker *tracker) {
    size_t live = (size_t)th_tracker_get_stats(tracker).live + 1;
    s->blocks = th_allocator_alloc_array(s->memory, live, sizeof *s->blocks);
    s->sites = th_allocator_alloc_array(s->memory, live, sizeof *s->sites);
    s->states = th_allocator_alloc_zeroed(s->memory, live);
    s->indirect = th_allocator_alloc_array_zeroed(s->memory, live, sizeof *s->indirect);
    s->pending = th_allocator_alloc_array(s->memory, 2 * live, sizeof *s->pending);
    if (s->blocks == NULL || s->sites == NULL || s->states == NULL || s->indirect == NULL ||
        s->pending == NULL) {
        return false;
    }
    (void)th_tracker_visit_blocks(tracker, add_block, s);
    sort(s);
    return true;
}

/* The block that the address points to, or into; s->count: none. */
static size_t find(const search *s, uintptr_t address) {
    size_t low = 0, high = s->count;
    if (s->count == 0 || address < s->blocks[0].address) {
        return s->count;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (s->blocks[middle].address <= address) {
            low = middle;
        } else {
            high = middle;
        }
    }
    size_t distance = address - s->blocks[low].address;
    return distance == 0 || distance < s->blocks[low].bytes ? low : s->count;
}

/* ---- reaching -------------------------------------------------------------------------------- */

/* Is it where the next chunk begins, whose first word still belongs to this block? */
static bool is_chunk_end(const lab_root_block *block, uintptr_t word) {
    return word == block->address + lab_preload_usable_size((void *)block->address) - sizeof word;
}

/* A word was found in what is itself reached for sure, or only possibly. */
static void reach(search *s, uintptr_t word, bool for_sure) {
    size_t at = find(s, word);
    if (at == s->count || (s->is_mallocs && is_chunk_end(&s->blocks[at], word))) {
        return;
    }
    state next = for_sure && s->blocks[at].address == word ? REACHABLE : POSSIBLE;
    if (s->states[at] < (unsigned char)next) {
        s->states[at] = (unsigned char)next;
        s->pending[s->pending_count++] = at; /* twice at most: as possible, then as reachable */
    }
}

static uintptr_t first_word(uintptr_t start) {
    return (start + sizeof(uintptr_t) - 1) & ~(uintptr_t)(sizeof(uintptr_t) - 1);
}

static bool is_readable(const search *s, const lab_root_block *block) {
    return lab_roots_is_readable(&s->roots, block->address, block->address + block->bytes);
}

static void scan(search *s, uintptr_t start, uintptr_t end, bool for_sure) {
    for (uintptr_t at = first_word(start); at + sizeof at <= end; at += sizeof at) {
        reach(s, *(const uintptr_t *)at, for_sure);
    }
}

static void scan_pending(search *s) {
    while (s->pending_count > 0) {
        size_t at = s->pending[--s->pending_count];
        const lab_root_block *block = &s->blocks[at];
        if (is_readable(s, block)) {
            scan(s, block->address, block->address + block->bytes, s->states[at] == REACHABLE);
        }
    }
}

/* ---- what is lost ---------------------------------------------------------------------------- */

/* Of what is lost with `leader`, each block is its follower, and so are the followers of those that
 * were taken for leaders before. */
static void follow(search *s, uintptr_t word, size_t leader) {
    size_t at = find(s, word);
    if (at == s->count || at == leader || s->states[at] != UNREACHED) {
        return;
    }
    s->states[at] = INDIRECT;
    s->indirect[leader] += s->blocks[at].bytes + s->indirect[at];
    s->indirect[at] = 0;
    s->pending[s->pending_count++] = at;
}

static void lose_with(search *s, size_t leader) {
    s->pending[s->pending_count++] = leader;
    while (s->pending_count > 0) {
        const lab_root_block *block = &s->blocks[s->pending[--s->pending_count]];
        uintptr_t end = block->address + block->bytes;
        if (!is_readable(s, block)) {
            continue;
        }
        for (uintptr_t at = first_word(block->address); at + sizeof at <= end; at += sizeof at) {
            follow(s, *(const uintptr_t *)at, leader);
        }
    }
}

static lab_track_leak *sum_up(const search *s, const th_tracker *tracker) {
    static const lab_track_leak_kind kinds[] = {[UNREACHED] = LAB_TRACK_DEFINITE,
                                                [INDIRECT] = LAB_TRACK_INDIRECT,
                                                [POSSIBLE] = LAB_TRACK_POSSIBLE,
                                                [REACHABLE] = LAB_TRACK_REACHABLE};
    lab_track_leak *leaks =
        th_allocator_alloc_array_zeroed(s->memory, tracker->site_count + 1, sizeof *leaks);
    for (size_t i = 0; leaks != NULL && i < s->count; i++) {
        lab_track_leak *leak = &leaks[s->sites[i]];
        leak->counts[kinds[s->states[i]]].blocks++;
        leak->counts[kinds[s->states[i]]].bytes += s->blocks[i].bytes;
        leak->indirect_bytes += s->indirect[i];
    }
    return leaks;
}

lab_track_leak *lab_leaks_find(const th_tracker *tracker, th_allocator memory, uintptr_t stack) {
    search s = {.memory = memory};
    if (!collect(&s, tracker) || !lab_roots_find(&s.roots, s.blocks, s.count, memory, stack)) {
        return NULL;
    }
    for (size_t i = 0; i < s.roots.count; i++) {
        s.is_mallocs = s.roots.list[i].is_mallocs;
        scan(&s, s.roots.list[i].start, s.roots.list[i].end, true);
        s.is_mallocs = false;
        scan_pending(&s);
    }
    for (size_t i = 0; i < s.count; i++) {
        if (s.states[i] == UNREACHED) {
            lose_with(&s, i);
        }
    }
    return sum_up(&s, tracker);
}
