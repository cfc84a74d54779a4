/* SPDX-License-Identifier: MIT */
#include "tagheap/tag_totals.h"

#include <stdbool.h>
#include <string.h>

#include "base/no_fault.h"

static bool is_started(const th_tag_totals *totals) {
    return totals != NULL && totals->rows != NULL;
}

th_status th_tag_totals_init(th_tag_totals *totals, th_tag_total *rows, size_t rows_max) {
    if (totals == NULL || rows == NULL) {
        return TH_ERR_NULL;
    }
    if (rows_max == 0) {
        return TH_ERR_TOO_SMALL;
    }
    *totals = (th_tag_totals){.rows = rows, .rows_max = rows_max};
    return TH_OK;
}

void th_tag_totals_clean_up(th_tag_totals *totals) {
    if (totals != NULL) {
        *totals = (th_tag_totals){0};
    }
}

th_status th_tag_totals_forward(th_tag_totals *totals, th_event_fn forward, void *context) {
    if (!is_started(totals)) {
        return TH_ERR_NULL;
    }
    totals->forward = forward;
    totals->forward_context = context;
    return TH_OK;
}

th_status th_tag_totals_reset(th_tag_totals *totals) {
    if (!is_started(totals)) {
        return TH_ERR_NULL;
    }
    totals->used = 0;
    totals->all = (th_tag_total){0};
    totals->others = (th_tag_total){0};
    return TH_OK;
}

/* How many rows have smaller tags. */
static size_t rows_below(const th_tag_totals *totals, uint32_t tag) {
    size_t low = 0;
    size_t high = totals->used;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (totals->rows[middle].tag < tag) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool has_row(const th_tag_totals *totals, size_t at, uint32_t tag) {
    return at < totals->used && totals->rows[at].tag == tag;
}

/* Its row, made if there is room for one, else that of all others. */
static th_tag_total *row_for(th_tag_totals *totals, uint32_t tag) {
    size_t at = rows_below(totals, tag);
    if (has_row(totals, at, tag)) {
        return &totals->rows[at];
    }
    if (totals->used == totals->rows_max) {
        return &totals->others;
    }
    th_tag_total *row = &totals->rows[at];
    memmove(row + 1, row, (totals->used - at) * sizeof *row);
    totals->used++;
    *row = (th_tag_total){.tag = tag};
    return row;
}

static size_t without(size_t from, size_t taken) {
    return taken < from ? from - taken : 0;
}

static void note_peaks(th_tag_total *row) {
    row->peak_bytes = row->live_bytes > row->peak_bytes ? row->live_bytes : row->peak_bytes;
    row->peak_blocks = row->live_blocks > row->peak_blocks ? row->live_blocks : row->peak_blocks;
}

static void come(th_tag_total *row, size_t bytes) {
    row->allocs++;
    row->live_blocks++;
    row->live_bytes += bytes;
    note_peaks(row);
}

static void go(th_tag_total *row, size_t bytes) {
    row->frees++;
    row->live_blocks -= row->live_blocks > 0;
    row->live_bytes = without(row->live_bytes, bytes);
}

static void resize(th_tag_total *row, size_t bytes, size_t old_bytes) {
    row->resizes++;
    row->live_bytes = without(row->live_bytes, old_bytes) + bytes;
    note_peaks(row);
}

/* What is live over all tags is the sum of the rows, in which unknown blocks do not count out. */
static void follow(th_tag_total *all, const th_tag_total *before, const th_tag_total *row) {
    all->live_bytes += row->live_bytes - before->live_bytes;
    all->live_blocks += row->live_blocks - before->live_blocks;
    note_peaks(all);
}

static void count(th_tag_totals *totals, const th_event *event) {
    th_tag_total *all = &totals->all;
    th_tag_total *row = row_for(totals, event->tag);
    const th_tag_total before = *row;
    switch (event->kind) {
    case TH_EVENT_ALLOC:
        come(row, event->bytes);
        all->allocs++;
        break;
    case TH_EVENT_FREE:
        go(row, event->old_bytes);
        all->frees++;
        break;
    case TH_EVENT_RESIZE:
        if (event->tag != event->old_tag) {
            come(row, event->bytes);
            row->resizes++;
        } else {
            resize(row, event->bytes, event->old_bytes);
        }
        all->resizes++;
        break;
    case TH_EVENT_MOVE:
        row->moves++;
        all->moves++;
        break;
    case TH_EVENT_FAIL:
        row->failures++;
        all->failures++;
        break;
    case TH_EVENT_RETAG:
        come(row, event->bytes);
        break;
    default: /* what other objects may tell counts nothing here */
        break;
    }
    follow(all, &before, row);
}

static bool has_new_tag(const th_event *event) {
    return event->kind == TH_EVENT_RETAG ||
           (event->kind == TH_EVENT_RESIZE && event->tag != event->old_tag);
}

/* The tag that a block had counts it out. */
static void count_old_tag(th_tag_totals *totals, const th_event *event) {
    th_tag_total *row = row_for(totals, event->old_tag);
    const th_tag_total before = *row;
    go(row, event->old_bytes);
    follow(&totals->all, &before, row);
}

static void empty(th_tag_total *row) {
    row->frees += row->live_blocks;
    row->live_blocks = 0;
    row->live_bytes = 0;
}

static void empty_all(th_tag_totals *totals) {
    for (size_t i = 0; i < totals->used; i++) {
        empty(&totals->rows[i]);
    }
    empty(&totals->others);
    empty(&totals->all);
}

void th_tag_totals_on_event(void *context, const th_event *event) {
    th_tag_totals *totals = context;
    if (!is_started(totals)) {
        return;
    }
    if (event->kind == TH_EVENT_RESET) {
        empty_all(totals);
    } else if (has_new_tag(event)) {
        count_old_tag(totals, event);
        count(totals, event);
    } else {
        count(totals, event);
    }
    if (totals->forward != NULL) {
        totals->forward(totals->forward_context, event);
    }
}

th_tag_total th_tag_totals_find(const th_tag_totals *totals, uint32_t tag) {
    static const th_tag_total none;
    if (!is_started(totals)) {
        return none;
    }
    size_t at = rows_below(totals, tag);
    return has_row(totals, at, tag) ? totals->rows[at] : none;
}

const th_tag_total *th_tag_totals_row(const th_tag_totals *totals, size_t index) {
    return is_started(totals) && index < totals->used ? &totals->rows[index] : NULL;
}

th_tag_total th_tag_totals_others(const th_tag_totals *totals) {
    static const th_tag_total none;
    return is_started(totals) ? totals->others : none;
}

th_tag_totals_stats th_tag_totals_get_stats(const th_tag_totals *totals) {
    if (!is_started(totals)) {
        return (th_tag_totals_stats){0};
    }
    const th_tag_total *all = &totals->all;
    return (th_tag_totals_stats){.tags = totals->used,
                                 .live_bytes = all->live_bytes,
                                 .peak_bytes = all->peak_bytes,
                                 .live_blocks = all->live_blocks,
                                 .peak_blocks = all->peak_blocks,
                                 .allocs = all->allocs,
                                 .frees = all->frees,
                                 .resizes = all->resizes,
                                 .moves = all->moves,
                                 .failures = all->failures};
}

/* Notes what is wrong: at row `row`. */
static th_status wrong(th_fault *fault, size_t row, uint64_t expected, uint64_t found) {
    if (fault != NULL) {
        fault->kind = TH_FAULT_COUNT;
        fault->block = row;
        fault->expected = (uint32_t)expected;
        fault->found = (uint32_t)found;
    }
    return TH_ERR_CORRUPT;
}

th_status th_tag_totals_check(const th_tag_totals *totals, th_fault *fault) {
    th_no_fault(fault);
    if (!is_started(totals)) {
        return TH_ERR_NULL;
    }
    th_tag_total sum = totals->others;
    for (size_t i = 0; i < totals->used; i++) {
        const th_tag_total *row = &totals->rows[i];
        if (i > 0 && row->tag <= row[-1].tag) {
            return wrong(fault, i, (uint64_t)row[-1].tag + 1, row->tag);
        }
        if (row->peak_bytes < row->live_bytes) {
            return wrong(fault, i, row->live_bytes, row->peak_bytes);
        }
        if (row->peak_blocks < row->live_blocks) {
            return wrong(fault, i, row->live_blocks, row->peak_blocks);
        }
        sum.live_bytes += row->live_bytes;
        sum.live_blocks += row->live_blocks;
        sum.resizes += row->resizes;
        sum.moves += row->moves;
        sum.failures += row->failures;
    }
    const th_tag_total *all = &totals->all;
    const uint64_t due[] = {sum.live_bytes, sum.live_blocks, sum.resizes, sum.moves, sum.failures};
    const uint64_t found[] = {all->live_bytes, all->live_blocks, all->resizes, all->moves,
                              all->failures};
    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++) {
        if (due[i] != found[i]) {
            return wrong(fault, TH_FAULT_NOWHERE, due[i], found[i]);
        }
    }
    return TH_OK;
}
