/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "film/film.h"

enum { BLOCKS_FIRST = 64, NUMBER_BITS = 64 };

/* False: the stream ends before, or holds no number of 64 bits. */
static bool get_number(lab_film_reader *r, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; r->next < r->size && shift < NUMBER_BITS; shift += 7) {
        uint8_t byte = r->bytes[r->next++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool get_number32(lab_film_reader *r, uint32_t *value) {
    uint64_t number = 0;
    bool is_there = get_number(r, &number) && number <= UINT32_MAX;
    *value = (uint32_t)number;
    return is_there;
}

/* The index of the first block that is not before this place. */
static size_t find(const lab_film_state *s, lab_film_layer layer, uint64_t at) {
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const lab_film_block *block = &s->blocks[middle];
        lab_film_layer its = lab_film_layer_of(block->kind);
        if (its < layer || (its == layer && block->at < at)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const lab_film_state *s, size_t i, lab_film_layer layer, uint64_t at) {
    return i < s->count && lab_film_layer_of(s->blocks[i].kind) == layer && s->blocks[i].at == at;
}

static bool take_away(lab_film_state *s, lab_film_layer layer, uint64_t at) {
    size_t i = find(s, layer, at);
    if (!is_at(s, i, layer, at)) {
        return false;
    }
    s->count--;
    memmove(&s->blocks[i], &s->blocks[i + 1], (s->count - i) * sizeof *s->blocks);
    return true;
}

static bool put(lab_film_state *s, const lab_film_block *block) {
    lab_film_layer layer = lab_film_layer_of(block->kind);
    size_t i = find(s, layer, block->at);
    if (!is_at(s, i, layer, block->at)) {
        if (s->count == s->capacity) {
            size_t capacity = s->capacity != 0 ? 2 * s->capacity : BLOCKS_FIRST;
            lab_film_block *blocks = realloc(s->blocks, capacity * sizeof *blocks);
            if (blocks == NULL) {
                return false;
            }
            s->blocks = blocks;
            s->capacity = capacity;
        }
        memmove(&s->blocks[i + 1], &s->blocks[i], (s->count - i) * sizeof *s->blocks);
        s->count++;
    }
    s->blocks[i] = *block;
    return true;
}

static bool change(lab_film_reader *r) {
    lab_film_block block = {0};
    uint32_t layer = 0;
    if (!get_number32(r, &block.kind) || block.kind >= LAB_FILM_KINDS) {
        return false;
    }
    if (block.kind == LAB_FILM_GONE) {
        return get_number32(r, &layer) && get_number(r, &block.at) &&
               take_away(&r->state, (lab_film_layer)layer, block.at);
    }
    return get_number(r, &block.at) && get_number(r, &block.bytes) &&
           get_number(r, &block.requested) && get_number32(r, &block.tag) &&
           get_number32(r, &block.owner) && put(&r->state, &block);
}

/* Appends the next text of the stream to r->failure, as far as there is room. */
static void take_text(lab_film_reader *r, const char *before) {
    uint64_t length = 0;
    if (get_number(r, &length) && length <= r->size - r->next) {
        size_t used = strlen(r->failure);
        (void)snprintf(r->failure + used, sizeof r->failure - used, "%s%.*s", before,
                       length < sizeof r->failure ? (int)length : (int)sizeof r->failure,
                       (const char *)r->bytes + r->next);
        r->next += (size_t)length;
    }
}

void lab_film_open(lab_film_reader *r, const uint8_t *bytes, size_t size) {
    static const uint8_t magic[] = {'L', 'F', '1'};
    memset(r, 0, sizeof *r);
    r->bytes = bytes;
    r->size = size;
    if (size < sizeof magic || memcmp(bytes, magic, sizeof magic) != 0) {
        r->size = 0;
        return;
    }
    r->next = sizeof magic;
    if (!get_number32(r, &r->header_bytes) || !get_number(r, &r->memory_bytes)) {
        r->size = 0;
    }
}

bool lab_film_next(lab_film_reader *r) {
    uint32_t mark = 0;
    uint64_t changes = 0;
    if (r->end != 0 || !get_number32(r, &mark)) {
        return false;
    }
    if (mark != LAB_FILM_FRAME) {
        r->end = mark <= LAB_FILM_REFUSED ? (lab_film_mark)mark : 0;
        if (r->end == LAB_FILM_FAILED && get_number(r, &r->failed_op)) {
            take_text(r, "property=");
            take_text(r, " detail=");
            take_text(r, ": ");
        }
        return false;
    }
    for (int i = 0; i < LAB_FILM_FIGURES; i++) {
        if (!get_number(r, &r->figures[i])) {
            return false;
        }
    }
    if (!get_number(r, &changes)) {
        return false;
    }
    for (; changes > 0; changes--) {
        if (!change(r)) {
            return false;
        }
    }
    r->frames++;
    return true;
}

void lab_film_reader_clean_up(lab_film_reader *r) {
    lab_film_state_clean_up(&r->state);
    memset(r, 0, sizeof *r);
}
