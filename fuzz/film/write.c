/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "film/film.h"

enum { NUMBER_BYTES_MAX = 10, BYTES_FIRST = 4096, BLOCKS_FIRST = 64 };

lab_film_layer lab_film_layer_of(uint32_t kind) {
    return kind == LAB_FILM_MEMORY      ? LAB_FILM_MEMORIES
           : kind == LAB_FILM_ELSEWHERE ? LAB_FILM_OTHERS
           : kind <= LAB_FILM_BLOCK     ? LAB_FILM_BLOCKS
                                        : LAB_FILM_EXPECTED;
}

void lab_film_state_clean_up(lab_film_state *state) {
    free(state->blocks);
    memset(state, 0, sizeof *state);
}

/* ---- bytes -------------------------------------------------------------------------------- */

static bool reserve(lab_film_writer *w, size_t more) {
    if (w->size + more > w->capacity) {
        size_t capacity = w->capacity != 0 ? w->capacity : BYTES_FIRST;
        while (capacity < w->size + more) {
            capacity *= 2;
        }
        uint8_t *bytes = realloc(w->bytes, capacity);
        w->broken = w->broken || bytes == NULL;
        if (bytes == NULL) {
            return false;
        }
        w->bytes = bytes;
        w->capacity = capacity;
    }
    return true;
}

static void put_number(lab_film_writer *w, uint64_t value) {
    if (!reserve(w, NUMBER_BYTES_MAX)) {
        return;
    }
    for (; value > 0x7F; value >>= 7) {
        w->bytes[w->size++] = (uint8_t)(0x80 | (value & 0x7F));
    }
    w->bytes[w->size++] = (uint8_t)value;
}

static void put_text(lab_film_writer *w, const char *text) {
    size_t length = strlen(text);
    put_number(w, length);
    if (reserve(w, length)) {
        memcpy(w->bytes + w->size, text, length);
        w->size += length;
    }
}

static void hand_over(lab_film_writer *w) {
    w->broken = w->broken || !w->sink(w->context, w->bytes, w->size);
    w->size = 0;
}

/* ---- frames ------------------------------------------------------------------------------- */

/* By layer and place. */
static int compare(const void *one, const void *other) {
    const lab_film_block *a = one;
    const lab_film_block *b = other;
    lab_film_layer layer = lab_film_layer_of(a->kind);
    lab_film_layer other_layer = lab_film_layer_of(b->kind);
    if (layer != other_layer) {
        return layer < other_layer ? -1 : 1;
    }
    return (a->at > b->at) - (a->at < b->at);
}

static bool is_same(const lab_film_block *a, const lab_film_block *b) {
    return a->at == b->at && a->bytes == b->bytes && a->requested == b->requested &&
           a->kind == b->kind && a->tag == b->tag && a->owner == b->owner;
}

static void put_gone(lab_film_writer *w, const lab_film_block *block) {
    put_number(w, LAB_FILM_GONE);
    put_number(w, lab_film_layer_of(block->kind));
    put_number(w, block->at);
}

static void put_block(lab_film_writer *w, const lab_film_block *block) {
    put_number(w, block->kind);
    put_number(w, block->at);
    put_number(w, block->bytes);
    put_number(w, block->requested);
    put_number(w, block->tag);
    put_number(w, block->owner);
}

/* Both lists are in order. What differs is put if `puts`; how much that is. */
static size_t put_changes(lab_film_writer *w, bool puts) {
    const lab_film_state *a = &w->before;
    const lab_film_state *b = &w->now;
    size_t changes = 0;
    size_t i = 0;
    size_t j = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count ? 1 : j == b->count ? -1 : compare(&a->blocks[i], &b->blocks[j]);
        bool same = order == 0 && is_same(&a->blocks[i], &b->blocks[j]);
        if (puts && order < 0) {
            put_gone(w, &a->blocks[i]);
        } else if (puts && !same) {
            put_block(w, &b->blocks[j]);
        }
        changes += !same;
        i += order <= 0;
        j += order >= 0;
    }
    return changes;
}

void lab_film_begin(lab_film_writer *w, uint32_t header_bytes, uint64_t memory_bytes) {
    static const uint8_t magic[] = {'L', 'F', '1'};
    if (reserve(w, sizeof magic)) {
        memcpy(w->bytes + w->size, magic, sizeof magic);
        w->size += sizeof magic;
    }
    put_number(w, header_bytes);
    put_number(w, memory_bytes);
    hand_over(w);
    w->begun = true;
}

void lab_film_add(lab_film_writer *w, const lab_film_block *block) {
    lab_film_state *s = &w->now;
    assert(block->kind > LAB_FILM_GONE && block->kind < LAB_FILM_KINDS);
    if (s->count == s->capacity) {
        size_t capacity = s->capacity != 0 ? 2 * s->capacity : BLOCKS_FIRST;
        lab_film_block *blocks = realloc(s->blocks, capacity * sizeof *blocks);
        w->broken = w->broken || blocks == NULL;
        if (blocks == NULL) {
            return;
        }
        s->blocks = blocks;
        s->capacity = capacity;
    }
    s->blocks[s->count++] = *block;
}

void lab_film_frame(lab_film_writer *w, const uint64_t figures[LAB_FILM_FIGURES]) {
    assert(w->begun);
    for (size_t i = 1; i < w->now.count; i++) {
        if (compare(&w->now.blocks[i - 1], &w->now.blocks[i]) > 0) {
            qsort(w->now.blocks, w->now.count, sizeof *w->now.blocks, compare);
            break;
        }
    }
    put_number(w, LAB_FILM_FRAME);
    for (int i = 0; i < LAB_FILM_FIGURES; i++) {
        put_number(w, figures[i]);
    }
    put_number(w, put_changes(w, false));
    (void)put_changes(w, true);
    hand_over(w);
    lab_film_state before = w->before;
    w->before = w->now;
    w->now = before;
    w->now.count = 0;
}

void lab_film_end(lab_film_writer *w, lab_film_mark mark, const lab_failure *failure) {
    if (!w->begun) {
        lab_film_begin(w, 0, 0);
    }
    put_number(w, mark);
    if (mark == LAB_FILM_FAILED) {
        put_number(w, failure->op);
        put_text(w, lab_property_name(failure->property));
        put_text(w, failure->detail);
        put_text(w, failure->message);
    }
    hand_over(w);
}

void lab_film_writer_clean_up(lab_film_writer *w) {
    lab_film_state_clean_up(&w->before);
    lab_film_state_clean_up(&w->now);
    free(w->bytes);
    memset(w, 0, sizeof *w);
}
