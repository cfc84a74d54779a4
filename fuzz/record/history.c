/* SPDX-License-Identifier: MIT */
/* Follows each address from the call that returned it to the one that gave it
 * back. The addresses that are live sit in a hash table with open addressing: a key is the
 * address, 0 means an empty place; removal moves later entries of the same run back. */
#include "record/history.h"

#include <stdlib.h>
#include <string.h>

/* ---- live addresses ------------------------------------------------------------------------- */

#define NO_BLOCK UINT32_MAX

typedef struct entry {
    uint64_t address; /* 0: empty */
    uint32_t block;
} entry;

typedef struct table {
    entry *entries;
    size_t capacity; /* a power of two, more than twice the entries in use */
    size_t used;
} table;

static size_t home(const table *t, uint64_t address) {
    uint64_t mixed = (address >> 4) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 20) & (t->capacity - 1);
}

static size_t find_place(const table *t, uint64_t address) {
    size_t at = home(t, address);
    while (t->entries[at].address != 0 && t->entries[at].address != address) {
        at = (at + 1) & (t->capacity - 1);
    }
    return at;
}

static bool make_room(table *t) {
    if (t->used * 2 + 2 < t->capacity) {
        return true;
    }
    table larger = {.capacity = t->capacity == 0 ? 1024 : t->capacity * 2, .used = t->used};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (larger.entries == NULL) {
        return false;
    }
    for (size_t i = 0; i < t->capacity; i++) {
        if (t->entries[i].address != 0) {
            larger.entries[find_place(&larger, t->entries[i].address)] = t->entries[i];
        }
    }
    free(t->entries);
    *t = larger;
    return true;
}

/* Takes the address out and returns its block, or NO_BLOCK. */
static uint32_t take_out(table *t, uint64_t address) {
    size_t hole = find_place(t, address);
    if (t->entries[hole].address == 0) {
        return NO_BLOCK;
    }
    uint32_t block = t->entries[hole].block;
    size_t mask = t->capacity - 1;
    for (size_t at = (hole + 1) & mask; t->entries[at].address != 0; at = (at + 1) & mask) {
        size_t distance = (at - home(t, t->entries[at].address)) & mask;
        if (distance >= ((at - hole) & mask)) {
            t->entries[hole] = t->entries[at];
            hole = at;
        }
    }
    t->entries[hole].address = 0;
    t->used--;
    return block;
}

static void put_in(table *t, uint64_t address, uint32_t block) {
    t->entries[find_place(t, address)] = (entry){.address = address, .block = block};
    t->used++;
}

/* ---- lives ---------------------------------------------------------------------------------- */

static void add_event(lab_trace_history *history, lab_event_kind kind, uint32_t block, size_t op,
                      const lab_trace_record *record) {
    history->events[history->count++] = (lab_event){.kind = (uint8_t)kind,
                                                    .block = block,
                                                    .op = op,
                                                    .size = record->size,
                                                    .align_log2 = record->align_log2};
}

/* `block` now lives at the record's result. */
static void settle(lab_trace_history *history, table *live, uint32_t block, size_t op,
                   const lab_trace_record *record) {
    uint32_t before = take_out(live, record->result);
    if (before != NO_BLOCK) {
        history->lost++;
        add_event(history, LAB_EVENT_DEATH, before, op, record);
    }
    put_in(live, record->result, block);
}

static void follow_birth(lab_trace_history *history, table *live, size_t op,
                         const lab_trace_record *record) {
    if (record->result == 0) {
        history->failed++;
        return;
    }
    uint32_t block = history->blocks++;
    settle(history, live, block, op, record);
    add_event(history, LAB_EVENT_BIRTH, block, op, record);
}

static void follow_resize(lab_trace_history *history, table *live, size_t op,
                          const lab_trace_record *record) {
    if (record->result == 0 && record->size != 0) {
        history->failed++;
        return;
    }
    uint32_t block = take_out(live, record->old);
    if (block == NO_BLOCK) {
        history->foreign++;
        if (record->result != 0) {
            follow_birth(history, live, op, record);
        }
        return;
    }
    if (record->result == 0) {
        add_event(history, LAB_EVENT_RESIZE_FREE, block, op, record);
        return;
    }
    settle(history, live, block, op, record);
    add_event(history, LAB_EVENT_RESIZE, block, op, record);
}

static void follow_free(lab_trace_history *history, table *live, size_t op,
                        const lab_trace_record *record) {
    uint32_t block = take_out(live, record->old);
    if (block == NO_BLOCK) {
        history->foreign++;
    } else {
        add_event(history, LAB_EVENT_DEATH, block, op, record);
    }
}

bool lab_trace_history_build(lab_trace_history *history, const lab_trace *trace) {
    memset(history, 0, sizeof *history);
    table live = {0};
    history->ops = trace->count;
    /* A record makes at most two events: the death of a lost block, and its own. */
    if (trace->count < SIZE_MAX / sizeof *history->events / 2) {
        history->events = malloc((trace->count * 2 + 1) * sizeof *history->events);
    }
    bool ok = history->events != NULL;
    for (size_t i = 0; ok && i < trace->count; i++) {
        const lab_trace_record *record = &trace->records[i];
        ok = make_room(&live);
        if (!ok) {
            break;
        }
        switch (record->kind) {
        case LAB_TRACE_FREE:
            follow_free(history, &live, i, record);
            break;
        case LAB_TRACE_REALLOC:
            follow_resize(history, &live, i, record);
            break;
        default:
            follow_birth(history, &live, i, record);
            break;
        }
    }
    free(live.entries);
    if (!ok) {
        lab_trace_history_clean_up(history);
    }
    return ok;
}

void lab_trace_history_clean_up(lab_trace_history *history) {
    free(history->events);
    memset(history, 0, sizeof *history);
}
