/* SPDX-License-Identifier: MIT */
/* What a buggy program or an attacker writes. It knows how headers lie in memory, and how a check
 * word is made, but no seed: it takes that from a header that it has read. */
#include <string.h>

#include "synthesis/world.h"

typedef struct field_place {
    uint8_t dword, first, bits; /* no bits: the layout does not store it */
} field_place;

static const field_place classic_fields[LAB_HEADER_FIELD_COUNT] = {
    [LAB_HEADER_FIELD_PREV] = {0, 0, 27}, [LAB_HEADER_FIELD_NEXT] = {1, 0, 32},
    [LAB_HEADER_FIELD_TAG] = {2, 0, 15},  [LAB_HEADER_FIELD_SIZE] = {2, 15, 17},
    [LAB_HEADER_FIELD_END] = {2, 15, 17}, [LAB_HEADER_FIELD_REQUESTED] = {3, 0, 32},
    [LAB_HEADER_FIELD_SITE] = {4, 0, 32}, [LAB_HEADER_FIELD_ALIGN] = {0, 27, 5},
};

static const field_place lean_fields[LAB_HEADER_FIELD_COUNT] = {
    [LAB_HEADER_FIELD_PREV] = {0, 0, 27},  [LAB_HEADER_FIELD_TAG] = {1, 0, 15},
    [LAB_HEADER_FIELD_SIZE] = {1, 15, 17}, [LAB_HEADER_FIELD_END] = {1, 15, 17},
    [LAB_HEADER_FIELD_ALIGN] = {0, 27, 5},
};

static const field_place wide_fields[LAB_HEADER_FIELD_COUNT] = {
    [LAB_HEADER_FIELD_PREV] = {0, 0, 32},      [LAB_HEADER_FIELD_TAG] = {2, 0, 31},
    [LAB_HEADER_FIELD_SIZE] = {1, 0, 32},      [LAB_HEADER_FIELD_END] = {1, 0, 32},
    [LAB_HEADER_FIELD_REQUESTED] = {3, 0, 32}, [LAB_HEADER_FIELD_SITE] = {4, 0, 32},
    [LAB_HEADER_FIELD_ALIGN] = {6, 0, 5},
};

static const field_place *fields_of(const lab_world *w) {
    return w->layout == TH_HEAP_LAYOUT_WIDE   ? wide_fields
           : w->layout == TH_HEAP_LAYOUT_LEAN ? lean_fields
                                              : classic_fields;
}

/* ---- values ------------------------------------------------------------------------------- */

static uint32_t tag_free(const lab_world *w) {
    return w->layout == TH_HEAP_LAYOUT_WIDE ? TH_TAG_WIDE_FREE : TH_TAG_FREE;
}

/* With the tag in its low bits in place of another one. */
static uint32_t with_tag(const lab_world *w, uint32_t old, uint32_t tag) {
    return (old & ~tag_free(w)) | tag;
}

/* The size with which the block at `place` would take in the one above it. */
static uint32_t size_of_two(const lab_world *w, uint32_t place) {
    const field_place *size = &fields_of(w)[LAB_HEADER_FIELD_SIZE];
    uint32_t total = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint32_t word;
        lab_world_read(w, 4 * (place + size->dword), &word, sizeof word);
        total += (word >> size->first) + w->header;
        place += (word >> size->first) + w->header;
    }
    return total - w->header;
}

/* What the number y stands for, where `old` is, in or above the header at `place`; a step of a size
 * is 1 << shift there. */
static uint32_t value_of(const lab_world *w, unsigned y, uint32_t old, uint32_t place,
                         unsigned shift) {
    static const uint32_t plain[] = {0, UINT32_MAX, 0xFDFDFDFDu, 0x41414141u};
    static const uint32_t steps[] = {1, UINT32_MAX, 4, UINT32_MAX - 3};
    uint32_t tail = tag_free(w) / 2 + 1;
    if (y < LAB_VALUE_STEP) {
        return plain[y];
    }
    if (y < LAB_VALUE_BIT) {
        return old + steps[y - LAB_VALUE_STEP];
    }
    if (y < LAB_VALUE_PLACE) {
        return old ^ 1u << (y - LAB_VALUE_BIT);
    }
    if (y < LAB_VALUE_LAST) {
        return w->slots[y - LAB_VALUE_PLACE].place;
    }
    if (y >= LAB_VALUE_SMALL && y < LAB_VALUE_MORE) {
        return 4 * (y - LAB_VALUE_SMALL + 1);
    }
    if (y >= LAB_VALUE_MORE && y < LAB_VALUE_LESS) {
        return old + ((y - LAB_VALUE_MORE + 1) << shift);
    }
    if (y >= LAB_VALUE_LESS && y < LAB_VALUE_FREE) {
        return old - ((y - LAB_VALUE_LESS + 1) << shift);
    }
    switch (y) {
    case LAB_VALUE_LAST:
        return w->bytes / 4 - w->header;
    case LAB_VALUE_FREE:
        return with_tag(w, old, tag_free(w));
    case LAB_VALUE_HEAD:
        return with_tag(w, old, 1);
    case LAB_VALUE_TAIL:
        return with_tag(w, old, tail + 1);
    case LAB_VALUE_ABOVE:
        return size_of_two(w, place) << shift;
    case LAB_VALUE_REGION:
        return w->bytes / 4;
    default:
        return y == LAB_VALUE_HALF ? 0x80000000u : 0x10000u;
    }
}

/* ---- headers ------------------------------------------------------------------------------ */

enum { CHECK = 5, PADDING_6 = 6, PADDING_7 = 7 };

/* What the check word is sums of, but for seed and link downwards. */
static uint32_t sum(const lab_world *w, const uint32_t *words, uint32_t place) {
    uint32_t sum = 0x54480001u + place + words[2] * 0xC2B2AE3Du + words[3] * 0x27D4EB2Fu +
                   words[4] * 0x165667B1u;
    if (w->layout == TH_HEAP_LAYOUT_WIDE) {
        sum += words[1] * 0x85EBCA77u + words[6] * 0xD168AAADu;
    }
    return sum;
}

static uint32_t add_difference(uint32_t odd, uint32_t found, uint32_t due) {
    odd = (odd + (found ^ due)) * 0x85EBCA77u;
    return (odd ^ odd >> 15) * 0xD168AAADu;
}

/* What is added to it where the link upwards, or padding, is another one than it should be. */
static uint32_t odd(const lab_world *w, const uint32_t *words, uint32_t place) {
    static const uint32_t padding[] = {0x9CD1B3E7u, 0xA5F09A8Bu};
    uint32_t odd = w->header > PADDING_7 ? add_difference(0, words[PADDING_7], padding[1]) : 0;
    if (w->layout == TH_HEAP_LAYOUT_WIDE) {
        return odd;
    }
    uint32_t size = words[2] >> classic_fields[LAB_HEADER_FIELD_SIZE].first;
    odd = add_difference(odd, words[1], size != 0 ? place + w->header + size : 0);
    return w->header > PADDING_6 ? add_difference(odd, words[PADDING_6], padding[0]) : odd;
}

static uint32_t seed_of(const lab_world *w, const uint32_t *words, uint32_t place) {
    return ((words[CHECK] - odd(w, words, place)) ^ words[0]) - sum(w, words, place);
}

static void set_check(const lab_world *w, uint32_t *words, uint32_t place, uint32_t seed) {
    if (w->layout != TH_HEAP_LAYOUT_LEAN) {
        words[CHECK] = ((seed + sum(w, words, place)) ^ words[0]) + odd(w, words, place);
    }
}

static void read_header(const lab_world *w, uint32_t place, uint32_t words[LAB_HEADER_WORDS]) {
    memset(words, 0, LAB_HEADER_WORDS * sizeof *words);
    lab_world_read(w, 4 * place, words, 4 * w->header);
}

static void write_header(lab_world *w, uint32_t place, const uint32_t words[LAB_HEADER_WORDS]) {
    lab_world_write(w, 4 * (int64_t)place, words, 4 * w->header);
}

static void set_field(const lab_world *w, uint32_t *words, uint32_t place, unsigned number,
                      unsigned y) {
    const field_place *field = &fields_of(w)[number % LAB_HEADER_FIELD_COUNT];
    if (field->bits == 0) {
        return;
    }
    uint32_t mask = (field->bits == 32 ? 0 : 1u << field->bits) - 1;
    uint32_t old = words[field->dword] >> field->first & mask;
    uint32_t value = value_of(w, y, old, place, 0) & mask;
    words[field->dword] = (words[field->dword] & ~(mask << field->first)) | value << field->first;
    if (number % LAB_HEADER_FIELD_COUNT == LAB_HEADER_FIELD_END &&
        w->layout == TH_HEAP_LAYOUT_CLASSIC) {
        words[1] = place + w->header + value;
    }
}

static void write_field(lab_world *w, uint32_t place, const lab_synthesis_op *op, bool computed) {
    uint32_t words[LAB_HEADER_WORDS];
    read_header(w, place, words);
    uint32_t seed = seed_of(w, words, place);
    set_field(w, words, place, op->x, op->y);
    if (computed) {
        set_check(w, words, place, seed);
    }
    write_header(w, place, words);
}

/* ---- pockets ------------------------------------------------------------------------------ */

static void leak(lab_world *w, lab_world_pocket *pocket, uint32_t place) {
    if (place != LAB_NOWHERE) {
        pocket->place = place;
        read_header(w, place, pocket->words);
        pocket->seed = seed_of(w, pocket->words, place);
    }
}

static void paste(lab_world *w, const lab_world_pocket *pocket, uint32_t place, bool computed) {
    uint32_t words[LAB_HEADER_WORDS];
    memcpy(words, pocket->words, sizeof words);
    if (computed) {
        const field_place *size = &fields_of(w)[LAB_HEADER_FIELD_SIZE];
        if (w->layout == TH_HEAP_LAYOUT_CLASSIC) {
            words[1] = place + w->header + (words[size->dword] >> size->first);
        }
        set_check(w, words, place, pocket->seed);
    }
    write_header(w, place, words);
}

/* ---- the rest ----------------------------------------------------------------------------- */

/* The dword of a header that holds size and tag: there a size is counted from where it begins. */
static unsigned shift_at(const lab_world *w, unsigned dword) {
    const field_place *size = &fields_of(w)[LAB_HEADER_FIELD_SIZE];
    return size->dword == dword ? size->first : 0;
}

static void write_dword(lab_world *w, int64_t from, unsigned y, uint32_t place, unsigned shift) {
    uint32_t old = 0;
    if (from >= 0) {
        lab_world_read(w, (uint32_t)from, &old, sizeof old);
    }
    uint32_t value = value_of(w, y, old, place, shift);
    lab_world_write(w, from, &value, sizeof value);
}

static void write_index(lab_world *w, uint32_t number, unsigned y) {
    uint32_t at = number % w->index_bytes;
    unsigned char *index = w->heap.index.small[0] != NULL ? w->index : NULL;
    if (index != NULL) {
        unsigned char value = (unsigned char)value_of(w, y, index[at], 0, 0);
        w->attacks += index[at] != value;
        index[at] = value;
    }
}

/* Below level 3 the th_heap is trusted. */
static void write_control(lab_world *w, uint32_t number, unsigned y) {
    unsigned char *control = (unsigned char *)&w->heap;
    size_t at = number * 4 % offsetof(th_heap, config);
    if (w->level < 3) {
        return;
    }
    uint32_t old;
    memcpy(&old, control + at, sizeof old);
    uint32_t value = value_of(w, y, old, 0, 0);
    memcpy(control + at, &value, sizeof value);
    w->attacks += old != value;
}

static void free_anywhere(lab_world *w, uint32_t place, uint32_t dwords) {
    uint32_t at = lab_world_payload(w, place) + 4 * dwords;
    bool live = false; /* then it is the free of another one, as any */
    for (uint32_t i = 0; i < LAB_SYNTHESIS_SLOTS; i++) {
        live = live || (w->slots[i].live && lab_world_payload(w, w->slots[i].place) == at);
    }
    if (!live && at < w->bytes) {
        w->attacks++;
        (void)th_heap_free(&w->heap, w->region + at);
    }
}

static void write_beside(lab_world *w, const lab_synthesis_op *op) {
    const lab_world_slot *slot = &w->slots[op->slot];
    int64_t payload = lab_world_payload(w, slot->place);
    uint32_t place = slot->place;
    switch ((lab_synthesis_what)op->what) {
    case LAB_SYNTHESIS_OVERFLOW:
        write_dword(w, payload + slot->bytes + op->x, op->y, place, 0);
        break;
    case LAB_SYNTHESIS_UNDERFLOW:
        write_dword(w, payload - 4 - op->x, op->y, place, 0);
        break;
    case LAB_SYNTHESIS_PAYLOAD:
        if (4u * op->x + 4 <= slot->bytes) {
            write_dword(w, payload + 4 * op->x, op->y, place, 0);
        }
        break;
    case LAB_SYNTHESIS_FILL:
        for (uint32_t at = 0; at + 4 <= slot->bytes; at += 4) {
            write_dword(w, payload + at, op->y, place, 0);
        }
        break;
    case LAB_SYNTHESIS_HEADER: {
        unsigned dword = op->x % w->header;
        write_dword(w, 4 * ((int64_t)place + dword), op->y, place, shift_at(w, dword));
        break;
    }
    case LAB_SYNTHESIS_FIELD:
    case LAB_SYNTHESIS_COMPUTED:
        write_field(w, place, op, op->what == LAB_SYNTHESIS_COMPUTED);
        break;
    case LAB_SYNTHESIS_PASTE:
    case LAB_SYNTHESIS_FORGE:
        if (w->pockets[op->y % LAB_SYNTHESIS_POCKETS].place != LAB_NOWHERE) {
            paste(w, &w->pockets[op->y % LAB_SYNTHESIS_POCKETS], place + op->x,
                  op->what == LAB_SYNTHESIS_FORGE);
        }
        break;
    default:
        free_anywhere(w, place, op->x);
        break;
    }
}

void lab_world_attack(lab_world *w, const lab_synthesis_op *op) {
    lab_world_pocket *pocket = &w->pockets[op->slot % LAB_SYNTHESIS_POCKETS];
    uint32_t last = w->bytes / 4 - w->header;
    unsigned dword = op->x % w->header;
    switch ((lab_synthesis_what)op->what) {
    case LAB_SYNTHESIS_EDGE: {
        uint32_t place = op->slot % 2 == 0 ? 0 : last;
        write_dword(w, 4 * ((int64_t)place + dword), op->y, place, shift_at(w, dword));
        break;
    }
    case LAB_SYNTHESIS_INDEX:
        write_index(w, op->slot * LAB_SYNTHESIS_NUMBERS + op->x, op->y);
        break;
    case LAB_SYNTHESIS_CONTROL:
        write_control(w, op->x, op->y);
        break;
    case LAB_SYNTHESIS_LEAK:
        leak(w, pocket, w->slots[op->x % LAB_SYNTHESIS_SLOTS].place);
        break;
    case LAB_SYNTHESIS_REPLAY:
        if (pocket->place != LAB_NOWHERE) {
            write_header(w, pocket->place, pocket->words);
        }
        break;
    case LAB_SYNTHESIS_MAKE_UP:
        if (pocket->place != LAB_NOWHERE) {
            set_field(w, pocket->words, pocket->place, op->x, op->y);
        }
        break;
    default:
        if (w->slots[op->slot].place != LAB_NOWHERE) {
            write_beside(w, op);
        }
        break;
    }
}
