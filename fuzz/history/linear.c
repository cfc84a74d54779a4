/* SPDX-License-Identifier: MIT */
/* The search. Invocations and returns of an object's calls are a list by time. From its beginning,
 * a call that was invoked before any return may be placed next, if the model agrees: it is taken
 * out of the list, and the search goes on at the beginning. At a return whose call was not placed
 * there is nothing more to try: the call that was placed last is put back, and the next one tried.
 */
#include <stdlib.h>
#include <string.h>

#include "history/history.h"

enum { BITS = 64, TABLE_START = 1024, GROWTH = 2 };

typedef struct entry {
    uint64_t time;
    size_t call; /* an index of `calls` */
    bool is_return;
    struct entry *other; /* of an invocation: its return */
    struct entry *previous, *next;
} entry;

/* Configurations that were met: each [ placed calls, a bit each ][ key of the state ]. */
typedef struct memory {
    unsigned char *rows;
    size_t row_bytes;
    size_t count, capacity;
    size_t *slots; /* row + 1; 0: empty */
    size_t slot_count;
} memory;

typedef struct search {
    const lab_sequential *model;
    const lab_call_record **calls;
    size_t count;
    entry *entries; /* entries[0]: before the first; then two for each call */
    uint64_t *placed;
    size_t words;
    entry **trail;         /* the calls that were placed, in order */
    unsigned char *states; /* before each of them, and now */
    size_t depth;
    memory seen;
    uint64_t most;
    lab_linear_result *result;
} search;

/* ---- configurations ------------------------------------------------------------------------- */

static uint64_t hash_bytes(const unsigned char *bytes, size_t count) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
    }
    return hash ^ hash >> 29;
}

static void insert(memory *m, size_t row) {
    const unsigned char *bytes = m->rows + row * m->row_bytes;
    size_t at = (size_t)hash_bytes(bytes, m->row_bytes) % m->slot_count;
    while (m->slots[at] != 0) {
        at = (at + 1) % m->slot_count;
    }
    m->slots[at] = row + 1;
}

static bool make_room(memory *m) {
    if (m->count < m->capacity) {
        return true;
    }
    size_t capacity = m->capacity == 0 ? TABLE_START : m->capacity * GROWTH;
    unsigned char *rows = realloc(m->rows, capacity * m->row_bytes);
    if (rows == NULL) {
        return false;
    }
    m->rows = rows;
    size_t *slots = calloc(capacity * GROWTH, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(m->slots);
    m->slots = slots;
    m->slot_count = capacity * GROWTH;
    m->capacity = capacity;
    for (size_t row = 0; row < m->count; row++) {
        insert(m, row);
    }
    return true;
}

/* Is the row after the last one, which was just written, met for the first time? Then it stays. */
static bool is_new(memory *m) {
    const unsigned char *bytes = m->rows + m->count * m->row_bytes;
    size_t at = (size_t)hash_bytes(bytes, m->row_bytes) % m->slot_count;
    while (m->slots[at] != 0) {
        if (memcmp(m->rows + (m->slots[at] - 1) * m->row_bytes, bytes, m->row_bytes) == 0) {
            return false;
        }
        at = (at + 1) % m->slot_count;
    }
    m->slots[at] = ++m->count;
    return true;
}

/* ---- the list ------------------------------------------------------------------------------- */

static int by_time(const void *one, const void *other) {
    const entry *a = one, *b = other;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return (int)a->is_return - (int)b->is_return; /* at the same time, they overlap */
}

static void unlink_entry(entry *e) {
    e->previous->next = e->next;
    if (e->next != NULL) {
        e->next->previous = e->previous;
    }
}

static void link_again(entry *e) {
    e->previous->next = e;
    if (e->next != NULL) {
        e->next->previous = e;
    }
}

static void take_out(entry *e) {
    unlink_entry(e);
    unlink_entry(e->other);
}

static void put_back(entry *e) {
    link_again(e->other);
    link_again(e);
}

static void make_list(search *s) {
    entry *events = s->entries + 1;
    for (size_t i = 0; i < s->count; i++) {
        events[2 * i] = (entry){.time = s->calls[i]->invoked, .call = i};
        events[2 * i + 1] = (entry){.time = s->calls[i]->returned, .call = i, .is_return = true};
    }
    qsort(events, 2 * s->count, sizeof *events, by_time);
    s->entries[0] = (entry){.next = events};
    for (size_t i = 0; i < 2 * s->count; i++) {
        events[i].previous = &s->entries[i];
        events[i].next = i + 1 < 2 * s->count ? &events[i + 1] : NULL;
        for (size_t j = 0; j < i && events[i].is_return; j++) {
            if (events[j].call == events[i].call) {
                events[j].other = &events[i];
            }
        }
    }
}

/* ---- the search ------------------------------------------------------------------------------ */

static unsigned char *state_at(const search *s, size_t depth) {
    return s->states + depth * s->model->state_bytes;
}

/* The row after the last: what was placed, with the call, and the key of the state after it. */
static void write_row(search *s, size_t call) {
    unsigned char *row = s->seen.rows + s->seen.count * s->seen.row_bytes;
    uint64_t bit = UINT64_C(1) << call % BITS;
    s->placed[call / BITS] |= bit;
    memcpy(row, s->placed, s->words * sizeof *s->placed);
    s->placed[call / BITS] &= ~bit;
    memcpy(row + s->words * sizeof *s->placed, state_at(s, s->depth + 1), s->model->key_bytes);
}

/* Does the model agree, in a configuration that is new? */
static bool may_place(search *s, const entry *e) {
    memcpy(state_at(s, s->depth + 1), state_at(s, s->depth), s->model->state_bytes);
    if (!s->model->step(s->model->context, state_at(s, s->depth + 1), s->calls[e->call])) {
        return false;
    }
    write_row(s, e->call);
    bool first = is_new(&s->seen);
    s->result->configurations++;
    s->result->known += !first;
    return first;
}

static void place(search *s, entry *e) {
    s->placed[e->call / BITS] |= UINT64_C(1) << e->call % BITS;
    s->trail[s->depth++] = e;
    take_out(e);
}

static entry *undo(search *s) {
    entry *e = s->trail[--s->depth];
    s->placed[e->call / BITS] &= ~(UINT64_C(1) << e->call % BITS);
    put_back(e);
    return e;
}

/* So far it goes. */
static void note_stuck(search *s, const entry *blocked) {
    if (s->depth >= s->result->placed) {
        s->result->placed = s->depth;
        s->result->stuck = *s->calls[blocked->call];
    }
}

static lab_linear run(search *s) {
    entry *head = &s->entries[0];
    entry *e = head->next;
    while (head->next != NULL) {
        if (s->seen.count >= s->most) {
            return LAB_LINEAR_UNKNOWN;
        }
        if (!make_room(&s->seen)) {
            return LAB_LINEAR_MEMORY;
        }
        if (e->is_return) {
            note_stuck(s, e);
            if (s->depth == 0) {
                return LAB_NOT_LINEAR;
            }
            e = undo(s)->next;
        } else if (may_place(s, e)) {
            place(s, e);
            e = head->next;
        } else {
            e = e->next;
        }
    }
    return LAB_LINEAR;
}

static lab_linear search_calls(search *s) {
    s->words = s->count / BITS + 1;
    s->seen.row_bytes = s->words * sizeof *s->placed + s->model->key_bytes;
    s->entries = calloc(2 * s->count + 1, sizeof *s->entries);
    s->placed = calloc(s->words, sizeof *s->placed);
    s->trail = calloc(s->count + 1, sizeof *s->trail);
    s->states = calloc(s->count + 2, s->model->state_bytes);
    lab_linear answer = LAB_LINEAR_MEMORY;
    if (s->entries != NULL && s->placed != NULL && s->trail != NULL && s->states != NULL) {
        make_list(s);
        s->model->start(s->model->context, state_at(s, 0));
        answer = s->count > 0 ? run(s) : LAB_LINEAR;
    }
    free(s->entries);
    free(s->placed);
    free(s->trail);
    free(s->states);
    free(s->seen.rows);
    free(s->seen.slots);
    return answer;
}

/* ---- one object after the other -------------------------------------------------------------- */

static int by_object(const void *one, const void *other) {
    const lab_call_record *a = *(const lab_call_record *const *)one;
    const lab_call_record *b = *(const lab_call_record *const *)other;
    if (a->object != b->object) {
        return a->object < b->object ? -1 : 1;
    }
    return a->invoked < b->invoked ? -1 : a->invoked > b->invoked;
}

static bool has_order(const lab_history *history, lab_linear_result *result) {
    for (size_t i = 0; i < history->count; i++) {
        if (history->calls[i].returned <= history->calls[i].invoked) {
            result->stuck = history->calls[i];
            return false;
        }
    }
    return true;
}

lab_linear_result lab_history_check(const lab_history *history, const lab_sequential *model,
                                    uint64_t most) {
    lab_linear_result result = {.answer = LAB_LINEAR};
    if (!has_order(history, &result)) {
        result.answer = LAB_NOT_LINEAR;
        return result;
    }
    const lab_call_record **calls = calloc(history->count + 1, sizeof *calls);
    if (calls == NULL) {
        result.answer = LAB_LINEAR_MEMORY;
        return result;
    }
    for (size_t i = 0; i < history->count; i++) {
        calls[i] = &history->calls[i];
    }
    qsort(calls, history->count, sizeof *calls, by_object);
    for (size_t from = 0; from < history->count && result.answer == LAB_LINEAR;) {
        size_t to = from;
        while (to < history->count && calls[to]->object == calls[from]->object) {
            to++;
        }
        search s = {.model = model,
                    .calls = calls + from,
                    .count = to - from,
                    .most = most,
                    .result = &result};
        result.placed = 0;
        result.objects++;
        result.answer = search_calls(&s);
        from = to;
    }
    free(calls);
    return result;
}
