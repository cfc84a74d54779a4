/* SPDX-License-Identifier: MIT */
#include "resource/tracker_table.h"

#include "base/assert.h"

enum { RECORDS_LEAST = 64, SITES_LEAST = 16 };

/* A multiplier whose high bits depend on all bits of what it multiplies: 2^n divided by the golden
 * ratio (D. Knuth, The Art of Computer Programming, volume 3, 6.4). */
#if SIZE_MAX > UINT32_MAX
#define GOLDEN ((size_t)0x9E3779B97F4A7C15u)
#else
#define GOLDEN ((size_t)0x9E3779B9u)
#endif

enum { HALF_BITS = sizeof(size_t) * 4 };

static size_t mix(size_t value) {
    size_t product = value * GOLDEN;
    return product ^ product >> HALF_BITS;
}

void *th_tracker_take(th_tracker *tracker, size_t count, size_t size) {
    void *memory = th_allocator_alloc_array_zeroed(tracker->config.backing, count, size);
    if (memory != NULL) {
        tracker->own_bytes += count * size;
    }
    return memory;
}

void th_tracker_give(th_tracker *tracker, void *memory, size_t bytes) {
    th_allocator_free(tracker->config.backing, memory);
    tracker->own_bytes -= bytes;
}

/* ---- records ------------------------------------------------------------------------------ */

/* Neighbours in memory are neighbours in the table, as far as groups of them go: what is allocated
 * one after the other then costs a cache miss together. Groups lie anywhere. */
enum { STEP_BITS = 5, GROUP_BITS = 5 };

static size_t home_of(const th_tracker *tracker, uintptr_t address) {
    size_t step = address >> STEP_BITS;
    size_t group = mix(step >> GROUP_BITS) << GROUP_BITS;
    return (group | (step & (((size_t)1 << GROUP_BITS) - 1))) & (tracker->capacity - 1);
}

static size_t after(const th_tracker *tracker, size_t at) {
    return (at + 1) & (tracker->capacity - 1);
}

/* Its place, or the empty one where it belongs. There is an empty one. */
static size_t place_of(const th_tracker *tracker, uintptr_t address) {
    size_t at = home_of(tracker, address);
    while (tracker->records[at].address != 0 && tracker->records[at].address != address) {
        at = after(tracker, at);
    }
    return at;
}

th_tracker_record *th_tracker_look_up(const th_tracker *tracker, uintptr_t address) {
    if (tracker->live == 0 || address == 0) {
        return NULL;
    }
    th_tracker_record *record = &tracker->records[place_of(tracker, address)];
    return record->address == address ? record : NULL;
}

static size_t record_bytes(const th_tracker *tracker) {
    return tracker->capacity * sizeof(th_tracker_record);
}

static bool grow_records(th_tracker *tracker) {
    size_t old_bytes = record_bytes(tracker);
    size_t old_capacity = tracker->capacity;
    size_t capacity = old_capacity > 0 ? old_capacity * 2 : RECORDS_LEAST;
    th_tracker_record *old = tracker->records;
    th_tracker_record *fresh = th_tracker_take(tracker, capacity, sizeof *fresh);
    if (fresh == NULL) {
        return false;
    }
    tracker->records = fresh;
    tracker->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].address != 0) {
            fresh[place_of(tracker, old[i].address)] = old[i];
        }
    }
    th_tracker_give(tracker, old, old_bytes);
    return true;
}

bool th_tracker_make_room(th_tracker *tracker) {
    return tracker->live + 1 <= tracker->capacity / 4 * 3 || grow_records(tracker);
}

void th_tracker_put(th_tracker *tracker, const th_tracker_record *record) {
    size_t at = place_of(tracker, record->address);
    TH_ASSERT(tracker->records[at].address == 0);
    tracker->records[at] = *record;
    tracker->live++;
}

/*   [ home of a ][ out ][ a ][ b ] ...   a may move up to `out`, if that is not above its home;
 * then its own place is the one to fill. */
void th_tracker_take_out(th_tracker *tracker, th_tracker_record *record) {
    size_t mask = tracker->capacity - 1;
    size_t out = (size_t)(record - tracker->records);
    size_t at = after(tracker, out);
    while (tracker->records[at].address != 0) {
        size_t home = home_of(tracker, tracker->records[at].address);
        if (((at - home) & mask) >= ((at - out) & mask)) {
            tracker->records[out] = tracker->records[at];
            out = at;
        }
        at = after(tracker, at);
    }
    tracker->records[out].address = 0;
    tracker->live--;
}

/* ---- sites -------------------------------------------------------------------------------- */

/* In one block: [ site_capacity / 2 pointers ][ site_capacity numbers, each one more than a site's
 * ].
 */
static size_t site_bytes(size_t capacity) {
    return capacity / 2 * sizeof(th_tracker_site *) + capacity * sizeof(uint32_t);
}

static size_t hash_of(const th_tracker_origin *origin) {
    size_t hash = mix((uintptr_t)origin->file ^ ((size_t)origin->line << 8));
    hash = mix(hash ^ origin->tag);
    for (size_t i = 0; i < origin->depth; i++) {
        hash = mix(hash ^ origin->frames[i]);
    }
    return hash;
}

static bool is_same(const th_tracker_site *site, const th_tracker_origin *origin, size_t hash) {
    if (site->hash != hash || site->file != origin->file || site->line != origin->line ||
        site->tag != origin->tag || site->depth != origin->depth) {
        return false;
    }
    size_t i = 0;
    while (i < origin->depth && site->frames[i] == origin->frames[i]) {
        i++;
    }
    return i == origin->depth;
}

static bool grow_sites(th_tracker *tracker) {
    size_t old_capacity = tracker->site_capacity;
    size_t capacity = old_capacity > 0 ? old_capacity * 2 : SITES_LEAST;
    th_tracker_site **old = tracker->sites;
    th_tracker_site **fresh = th_tracker_take(tracker, 1, site_bytes(capacity));
    if (fresh == NULL) {
        return false;
    }
    uint32_t *slots = (uint32_t *)(void *)(fresh + capacity / 2);
    for (size_t i = 0; i < tracker->site_count; i++) {
        size_t at = old[i]->hash & (capacity - 1);
        fresh[i] = old[i];
        while (slots[at] != 0) {
            at = (at + 1) & (capacity - 1);
        }
        slots[at] = (uint32_t)i + 1;
    }
    tracker->sites = fresh;
    tracker->site_slots = slots;
    tracker->site_capacity = capacity;
    th_tracker_give(tracker, old, site_bytes(old_capacity));
    return true;
}

static size_t whole_bytes(const th_tracker_site *site) {
    return sizeof *site + site->depth * sizeof(uintptr_t);
}

/* [ site ][ its frames ] */
static th_tracker_site *make_site(th_tracker *tracker, const th_tracker_origin *origin,
                                  size_t hash) {
    th_tracker_site *site =
        th_tracker_take(tracker, 1, sizeof *site + origin->depth * sizeof(uintptr_t));
    if (site == NULL) {
        return NULL;
    }
    uintptr_t *frames = (uintptr_t *)(void *)(site + 1);
    for (size_t i = 0; i < origin->depth; i++) {
        frames[i] = origin->frames[i];
    }
    site->file = origin->file;
    site->line = origin->line;
    site->tag = origin->tag;
    site->frames = frames;
    site->depth = (uint32_t)origin->depth;
    site->number = (uint32_t)tracker->site_count;
    site->hash = hash;
    return site;
}

static th_tracker_site *find_or_make(th_tracker *tracker, const th_tracker_origin *origin) {
    size_t hash = hash_of(origin);
    if (tracker->site_count == tracker->site_capacity / 2 && !grow_sites(tracker)) {
        return NULL;
    }
    size_t mask = tracker->site_capacity - 1;
    size_t at = hash & mask;
    while (tracker->site_slots[at] != 0) {
        th_tracker_site *site = tracker->sites[tracker->site_slots[at] - 1];
        if (is_same(site, origin, hash)) {
            return site;
        }
        at = (at + 1) & mask;
    }
    th_tracker_site *site = make_site(tracker, origin, hash);
    if (site != NULL) {
        tracker->sites[tracker->site_count++] = site;
        tracker->site_slots[at] = (uint32_t)tracker->site_count;
    }
    return site;
}

static size_t at_most(size_t value, size_t most) {
    return value < most ? value : most;
}

th_tracker_site *th_tracker_intern(th_tracker *tracker, const th_tracker_origin *origin) {
    uintptr_t frames[TH_TRACKER_FRAMES_MAX];
    const th_tracker_config *config = &tracker->config;
    th_tracker_origin whole = *origin;
    if (whole.frames == NULL) {
        whole.frames = frames;
        whole.depth = config->unwind != NULL
                          ? config->unwind(config->unwind_context, frames, config->frames_max)
                          : 0;
    }
    whole.depth = at_most(whole.depth, config->frames_max);
    return find_or_make(tracker, &whole);
}

bool th_tracker_site_is_found(const th_tracker *tracker, const th_tracker_site *site) {
    size_t mask = tracker->site_capacity - 1;
    size_t at = site->hash & mask;
    while (tracker->site_slots[at] != 0 && tracker->site_slots[at] != site->number + 1) {
        at = (at + 1) & mask;
    }
    return tracker->site_slots[at] != 0;
}

void th_tracker_drop_tables(th_tracker *tracker) {
    for (size_t i = 0; i < tracker->site_count; i++) {
        th_tracker_give(tracker, tracker->sites[i], whole_bytes(tracker->sites[i]));
    }
    th_tracker_give(tracker, tracker->sites, site_bytes(tracker->site_capacity));
    th_tracker_give(tracker, tracker->records, record_bytes(tracker));
}
