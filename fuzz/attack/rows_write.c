/* SPDX-License-Identifier: MIT */
/* Attacks that write where nothing of the caller's is. */
#include <string.h>

#include "attack/rows.h"

static const int fills[] = {-1, 'A', 0, 0xC5, 0xFF};
enum { FILLS = sizeof fills / sizeof fills[0] };

static uint32_t payload_byte(const lab_scene *s, unsigned holding) {
    return lab_scene_byte(s, s->holdings[holding].at);
}

static bool none(lab_scene *s) {
    s->skip = true;
    return true;
}

/* From a payload's edge. What stood there already is no damage. */
static bool write_beside(lab_scene *s, unsigned who, uint32_t from, uint32_t bytes, int fill) {
    lab_scene_write(s, from, bytes, fill);
    s->victim = s->holdings[who].at;
    return s->written || none(s);
}

bool lab_attack_overflow(lab_scene *s, unsigned position, unsigned bytes) {
    unsigned who = position / FILLS;
    if (who >= LAB_NAMED) {
        return false;
    }
    lab_scene_mark(s);
    uint32_t from = payload_byte(s, who) + s->holdings[who].bytes;
    if (from + bytes > LAB_SCENE_BYTES) {
        return none(s);
    }
    return write_beside(s, who, from, bytes, fills[position % FILLS]);
}

/* One byte, wherever in the canary. */
bool lab_attack_canary(lab_scene *s, unsigned position, unsigned detail) {
    enum { SPAN = 40 };
    const lab_scene_block *block;
    unsigned who = position / SPAN;
    (void)detail;
    if (who >= LAB_NAMED) {
        return false;
    }
    lab_scene_mark(s);
    uint32_t byte = payload_byte(s, who) + s->holdings[who].bytes + position % SPAN;
    if (byte >= LAB_SCENE_BYTES || lab_scene_zone(s, byte, &block) != LAB_ZONE_CANARY ||
        4 * (block->offset + s->header) != payload_byte(s, who)) {
        return none(s);
    }
    lab_scene_flip(s, byte, (unsigned char)(1u << position % 8));
    s->victim = s->holdings[who].at;
    return true;
}

bool lab_attack_underflow(lab_scene *s, unsigned position, unsigned bytes) {
    unsigned who = position / FILLS;
    if (who >= LAB_NAMED) {
        return false;
    }
    lab_scene_mark(s);
    uint32_t payload = payload_byte(s, who);
    if (bytes > payload) {
        return none(s);
    }
    return write_beside(s, who, payload - bytes, bytes, fills[position % FILLS]);
}

/* ---- free memory -------------------------------------------------------------------------- */

/* Byte `i` of memory that was freed. */
static bool spoil(lab_scene *s, const lab_freed *freed, uint32_t i) {
    const lab_scene_block *block;
    uint32_t byte = lab_scene_byte(s, freed->at) + i;
    if (i >= freed->bytes || lab_scene_zone(s, byte, &block) != LAB_ZONE_POISON) {
        return none(s);
    }
    lab_scene_flip(s, byte, (unsigned char)(1u << i % 8));
    return true;
}

bool lab_attack_freed(lab_scene *s, unsigned position, unsigned where) {
    enum { SPAN = 80 };
    unsigned per = where == LAB_EVERY_BYTE ? SPAN : where == LAB_ALL_BYTES ? FILLS : 1;
    unsigned who = position / per;
    if (who >= s->freed_count) {
        return false;
    }
    const lab_freed *freed = &s->freed[who];
    lab_scene_mark(s);
    if (where == LAB_ALL_BYTES) {
        lab_scene_write(s, lab_scene_byte(s, freed->at), freed->bytes, fills[position % FILLS]);
        return true;
    }
    return spoil(s, freed,
                 where == LAB_EVERY_BYTE  ? position % SPAN
                 : where == LAB_LAST_BYTE ? freed->bytes - 1
                                          : 0);
}

static lab_freed *note_freed(lab_scene *s, unsigned char *at, uint32_t bytes) {
    lab_freed *freed = &s->freed[s->freed_count++];
    *freed = (lab_freed){at, bytes};
    return freed;
}

/* Where the header of c was, before c was merged with the hole below it. */
bool lab_attack_merged(lab_scene *s, unsigned position, unsigned detail) {
    uint32_t header = 4 * s->header;
    (void)detail;
    if (position >= header) {
        return false;
    }
    unsigned char *c = s->holdings[LAB_C].at;
    lab_scene_give(s, c);
    const lab_freed *freed = note_freed(s, c - header, header);
    lab_scene_mark(s);
    return spoil(s, freed, position);
}

/* What trimming e has given to the free block above it. */
bool lab_attack_trimmed(lab_scene *s, unsigned position, unsigned detail) {
    enum { SPAN = 64 };
    th_heap_block before, after;
    unsigned char *e = s->holdings[LAB_E].at;
    (void)detail;
    if (position >= SPAN) {
        return false;
    }
    bool known = th_heap_find(&s->heap, e, &before) && th_heap_trim(&s->heap, e) != 0 &&
                 th_heap_find(&s->heap, e, &after);
    if (!known) {
        return none(s);
    }
    const lab_freed *freed = note_freed(s, s->region + 4 * (after.next_offset + s->header),
                                        4 * (before.next_offset - after.next_offset));
    lab_scene_mark(s);
    return spoil(s, freed, position);
}

/* The old payload of a, which a growth has moved. */
bool lab_attack_resized(lab_scene *s, unsigned position, unsigned detail) {
    lab_holding a = s->holdings[LAB_A];
    (void)detail;
    if (position >= a.bytes) {
        return false;
    }
    unsigned char *moved = th_heap_realloc(&s->heap, a.at, 200);
    if (moved == NULL || moved == a.at) {
        return none(s);
    }
    s->holdings[LAB_A] = (lab_holding){0};
    const lab_freed *freed = note_freed(s, a.at, a.bytes);
    lab_scene_mark(s);
    return spoil(s, freed, position);
}

/* The payloads of c and d, freed by their tags. */
bool lab_attack_tags(lab_scene *s, unsigned position, unsigned detail) {
    lab_holding c = s->holdings[LAB_C];
    lab_holding d = s->holdings[LAB_D];
    (void)detail;
    if (position >= c.bytes + d.bytes) {
        return false;
    }
    if (th_heap_free_tags(&s->heap, 0x1003, 0x1004) != 2) {
        return none(s);
    }
    s->holdings[LAB_C].live = false;
    s->holdings[LAB_D].live = false;
    const lab_freed *first = note_freed(s, c.at, c.bytes);
    const lab_freed *second = note_freed(s, d.at, d.bytes);
    lab_scene_mark(s);
    return position < c.bytes ? spoil(s, first, position) : spoil(s, second, position - c.bytes);
}

/* Any byte between what HEAD and what TAIL blocks have ever used. */
bool lab_attack_unused(lab_scene *s, unsigned position, unsigned detail) {
    uint32_t below = lab_scene_byte(s, s->freed[1].at) + s->freed[1].bytes;
    uint32_t above = lab_scene_byte(s, s->freed[2].at);
    (void)detail;
    if (position >= above - below) {
        return false;
    }
    const lab_freed *freed = note_freed(s, s->freed[1].at + s->freed[1].bytes, above - below);
    lab_scene_mark(s);
    return spoil(s, freed, position);
}

/* Through a pointer from before a compaction, where that now hits a header, a canary or free
 * memory. Where it hits a live payload: see the exclusions. */
bool lab_attack_moved(lab_scene *s, unsigned position, unsigned zone) {
    enum { SPAN = 64, BLOCKS = 3 };
    const lab_scene_block *block;
    if (position >= SPAN * BLOCKS) {
        return false;
    }
    lab_holding old = s->holdings[LAB_C + position / SPAN];
    for (unsigned i = 0; i < BLOCKS; i++) {
        (void)note_freed(s, s->holdings[LAB_C + i].at, s->holdings[LAB_C + i].bytes);
    }
    lab_scene_compact(s, false);
    lab_scene_mark(s);
    uint32_t byte = lab_scene_byte(s, old.at) + position % SPAN;
    if (position % SPAN >= old.bytes || lab_scene_zone(s, byte, &block) != (lab_zone)zone) {
        return none(s);
    }
    lab_scene_flip(s, byte, 0x10);
    return true;
}

/* ---- headers ------------------------------------------------------------------------------ */

/* The bits of a header's field; none, if the layout does not store it. */
typedef struct header_field {
    uint8_t dword, first, bits;
} header_field;

static const header_field classic_fields[LAB_HEADER_FIELDS] = {
    [LAB_HEADER_PREV] = {0, 0, 27},    [LAB_HEADER_ALIGN] = {0, 27, 5},
    [LAB_HEADER_NEXT] = {1, 0, 32},    [LAB_HEADER_TAG] = {2, 0, 15},
    [LAB_HEADER_SIZE] = {2, 15, 17},   [LAB_HEADER_REQUESTED] = {3, 0, 32},
    [LAB_HEADER_SITE] = {4, 0, 32},    [LAB_HEADER_CHECK] = {5, 0, 32},
    [LAB_HEADER_PADDING] = {6, 0, 64},
};

/* Of the requested size the bits below 2^32; those above are none of a scene's blocks. */
static const header_field wide_fields[LAB_HEADER_FIELDS] = {
    [LAB_HEADER_PREV] = {0, 0, 32},    [LAB_HEADER_ALIGN] = {6, 0, 5},
    [LAB_HEADER_NEXT] = {0, 0, 0},     [LAB_HEADER_TAG] = {2, 0, 31},
    [LAB_HEADER_SIZE] = {1, 0, 32},    [LAB_HEADER_REQUESTED] = {3, 0, 32},
    [LAB_HEADER_SITE] = {4, 0, 32},    [LAB_HEADER_CHECK] = {5, 0, 32},
    [LAB_HEADER_PADDING] = {7, 0, 32},
};

static bool flip_bit(lab_scene *s, uint32_t header, unsigned bit) {
    if (bit >= 32 * s->header) {
        return none(s);
    }
    const uint32_t flipped = 1u << bit % 32;
    uint32_t i = 0;
    while (((const unsigned char *)&flipped)[i] == 0) {
        i++;
    }
    lab_scene_flip(s, 4 * (header + bit / 32) + i, ((const unsigned char *)&flipped)[i]);
    return true;
}

bool lab_attack_field(lab_scene *s, unsigned position, unsigned field) {
    const header_field *at =
        &(s->saved_heap.layout == TH_HEAP_LAYOUT_WIDE ? wide_fields : classic_fields)[field];
    if (at->bits == 0) {
        return false;
    }
    unsigned who = LAB_A + 1 + position / at->bits;
    if (who >= LAB_NAMED) {
        return false;
    }
    lab_scene_mark(s);
    s->victim = s->holdings[who].at;
    return flip_bit(s, payload_byte(s, who) / 4 - s->header,
                    32u * at->dword + at->first + position % at->bits);
}

enum { HEADER_BITS_MAX = 8 * 32 };

bool lab_attack_first(lab_scene *s, unsigned position, unsigned detail) {
    (void)detail;
    if (position >= HEADER_BITS_MAX) {
        return false;
    }
    lab_scene_mark(s);
    s->victim = s->holdings[LAB_A].at;
    return flip_bit(s, 0, position);
}

bool lab_attack_last(lab_scene *s, unsigned position, unsigned detail) {
    (void)detail;
    if (position >= HEADER_BITS_MAX) {
        return false;
    }
    lab_scene_mark(s);
    return flip_bit(s, LAB_SCENE_DWORDS - s->header, position);
}

bool lab_attack_free_header(lab_scene *s, unsigned position, unsigned detail) {
    unsigned who = position / HEADER_BITS_MAX;
    (void)detail;
    if (who >= s->freed_count) {
        return false;
    }
    lab_scene_mark(s);
    return flip_bit(s, lab_scene_byte(s, s->freed[who].at) / 4 - s->header,
                    position % HEADER_BITS_MAX);
}

/* ---- the control structure ---------------------------------------------------------------- */

static const struct {
    size_t at, bytes;
} counters[] = {
    {offsetof(th_heap, head_blocks), 4},   {offsetof(th_heap, tail_blocks), 4},
    {offsetof(th_heap, free_blocks), 4},   {offsetof(th_heap, head_dwords), 4},
    {offsetof(th_heap, tail_dwords), 4},   {offsetof(th_heap, high_water_dwords), 4},
    {offsetof(th_heap, failed_allocs), 8},
};

static void flip_control(lab_scene *s, size_t bit) {
    unsigned char *bytes = (unsigned char *)&s->heap;
    bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    s->kinds = 1u << TH_FAULT_COUNT | 1u << TH_FAULT_CONTROL;
}

bool lab_attack_counter(lab_scene *s, unsigned position, unsigned counter) {
    if (position >= 8 * counters[counter].bytes) {
        return false;
    }
    lab_scene_mark(s);
    flip_control(s, 8 * counters[counter].at + position);
    return true;
}

/* Every bit up to the hooks that is in no counter. */
bool lab_attack_control(lab_scene *s, unsigned position, unsigned detail) {
    size_t byte = position / 8;
    (void)detail;
    if (byte >= offsetof(th_heap, config)) {
        return false;
    }
    lab_scene_mark(s);
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        if (byte >= counters[i].at && byte < counters[i].at + counters[i].bytes) {
            return none(s);
        }
    }
    flip_control(s, position);
    return true;
}

/* ---- after a report ----------------------------------------------------------------------- */

/* The canary of c is smashed; every call but the last, which ends the heap, may have reported it
 * before. */
bool lab_attack_again(lab_scene *s, unsigned position, unsigned detail) {
    (void)detail;
    if (position >= LAB_CALLS - 1) {
        return false;
    }
    lab_scene_mark(s);
    lab_scene_flip(s, payload_byte(s, LAB_C) + s->holdings[LAB_C].bytes, 1);
    s->victim = s->holdings[LAB_C].at;
    s->muted = true;
    (void)lab_scene_call(s, position);
    s->muted = false;
    return true;
}
