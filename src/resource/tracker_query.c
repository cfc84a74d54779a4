/* SPDX-License-Identifier: MIT */
/* What a tracker knows, and the proof that it is true. */
#include "alloc/guarding.h"
#include "resource/tracker_table.h"

static th_tracker_block block_of(const th_tracker *tracker, const th_tracker_record *record) {
    return (th_tracker_block){.address = (const void *)record->address,
                              .bytes = record->bytes,
                              .site = tracker->sites[record->site],
                              .serial = record->serial};
}

bool th_tracker_find(const th_tracker *tracker, const void *address, th_tracker_block *block) {
    const th_tracker_record *record =
        tracker != NULL ? th_tracker_look_up(tracker, (uintptr_t)address) : NULL;
    if (record == NULL) {
        return false;
    }
    if (block != NULL) {
        *block = block_of(tracker, record);
    }
    return true;
}

bool th_tracker_visit_blocks(const th_tracker *tracker, th_tracker_block_fn visit, void *context) {
    size_t places = tracker != NULL ? tracker->capacity : 0;
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < places; i++) {
        if (tracker->records[i].address != 0) {
            th_tracker_block block = block_of(tracker, &tracker->records[i]);
            goes_on = visit(context, &block);
        }
    }
    return goes_on;
}

bool th_tracker_visit_sites(const th_tracker *tracker, th_tracker_site_fn visit, void *context) {
    size_t sites = tracker != NULL ? tracker->site_count : 0;
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < sites; i++) {
        goes_on = visit(context, tracker->sites[i]);
    }
    return goes_on;
}

bool th_tracker_visit_events(const th_tracker *tracker, th_tracker_event_fn visit, void *context) {
    uint64_t room = tracker != NULL ? tracker->config.history_events : 0;
    uint64_t seen = room > 0 ? tracker->events_seen : 0;
    bool goes_on = true;
    for (uint64_t at = seen > room ? seen - room : 0; goes_on && at < seen; at++) {
        goes_on = visit(context, &tracker->events[at % room]);
    }
    return goes_on;
}

th_tracker_stats th_tracker_get_stats(const th_tracker *tracker) {
    if (tracker == NULL) {
        return (th_tracker_stats){0};
    }
    return (th_tracker_stats){.live = tracker->live,
                              .live_max = tracker->live_max,
                              .requested_bytes = tracker->live_bytes,
                              .requested_bytes_max = tracker->live_bytes_max,
                              .estimated_bytes = tracker->live_estimate,
                              .allocs = tracker->serial,
                              .frees = tracker->frees,
                              .failed_allocs = tracker->failed_allocs,
                              .sites = tracker->site_count,
                              .own_bytes = tracker->own_bytes};
}

/* ---- the proof ---------------------------------------------------------------------------- */

static th_status corrupt(th_fault *fault, th_fault_kind kind, uint64_t expected, uint64_t found) {
    return th_guarding_corrupt(fault, kind, TH_FAULT_NOWHERE, TH_FAULT_NOWHERE, expected, found);
}

/* Counts what is live at each site anew. */
static th_status count_records(const th_tracker *tracker, th_fault *fault) {
    uint64_t bytes = 0;
    size_t live = 0;
    for (size_t i = 0; i < tracker->capacity; i++) {
        const th_tracker_record *record = &tracker->records[i];
        if (record->address == 0) {
            continue;
        }
        if (th_tracker_look_up(tracker, record->address) != record) {
            return corrupt(fault, TH_FAULT_INDEX, i, record->address & UINT32_MAX);
        }
        if (record->site >= tracker->site_count) {
            return corrupt(fault, TH_FAULT_CONTROL, tracker->site_count, record->site);
        }
        tracker->sites[record->site]->counted[0]++;
        tracker->sites[record->site]->counted[1] += record->bytes;
        live++;
        bytes += record->bytes;
    }
    if (live != tracker->live) {
        return corrupt(fault, TH_FAULT_COUNT, live, tracker->live);
    }
    return bytes != tracker->live_bytes ? corrupt(fault, TH_FAULT_COUNT, bytes, tracker->live_bytes)
                                        : TH_OK;
}

static th_status check_sites(const th_tracker *tracker, th_fault *fault) {
    uint64_t estimate = 0;
    for (size_t i = 0; i < tracker->site_count; i++) {
        const th_tracker_site *site = tracker->sites[i];
        if (!th_tracker_site_is_found(tracker, site)) {
            return corrupt(fault, TH_FAULT_INDEX, i, site->number);
        }
        if (site->live_blocks != site->counted[0]) {
            return corrupt(fault, TH_FAULT_COUNT, site->counted[0], site->live_blocks);
        }
        if (site->live_bytes != site->counted[1]) {
            return corrupt(fault, TH_FAULT_COUNT, site->counted[1], site->live_bytes);
        }
        estimate += site->live_estimate;
    }
    return estimate != tracker->live_estimate
               ? corrupt(fault, TH_FAULT_COUNT, estimate, tracker->live_estimate)
               : TH_OK;
}

th_status th_tracker_check(const th_tracker *tracker, th_fault *fault) {
    th_no_fault(fault);
    if (!th_tracker_is_started(tracker)) {
        return TH_ERR_NULL;
    }
    for (size_t i = 0; i < tracker->site_count; i++) {
        tracker->sites[i]->counted[0] = 0;
        tracker->sites[i]->counted[1] = 0;
    }
    th_status status = count_records(tracker, fault);
    if (status == TH_OK) {
        status = check_sites(tracker, fault);
    }
    if (status != TH_OK || tracker->config.tracked.table == NULL) {
        return status;
    }
    return th_allocator_check(tracker->config.tracked, fault);
}

/* ---- snapshots ---------------------------------------------------------------------------- */

th_status th_tracker_snapshot_init(th_tracker_snapshot *snapshot, const th_tracker *tracker) {
    if (snapshot == NULL || !th_tracker_is_started(tracker)) {
        return TH_ERR_NULL;
    }
    th_tracker_snapshot fresh = {.serial = tracker->serial,
                                 .site_count = tracker->site_count,
                                 .backing = tracker->config.backing};
    if (fresh.site_count > 0) {
        fresh.counts =
            th_allocator_alloc_array(fresh.backing, fresh.site_count, sizeof *fresh.counts);
        if (fresh.counts == NULL) {
            return TH_ERR_EXHAUSTED;
        }
    }
    for (size_t i = 0; i < fresh.site_count; i++) {
        fresh.counts[i] = (th_tracker_count){.blocks = tracker->sites[i]->live_blocks,
                                             .bytes = tracker->sites[i]->live_bytes};
    }
    *snapshot = fresh;
    return TH_OK;
}

void th_tracker_snapshot_clean_up(th_tracker_snapshot *snapshot) {
    if (snapshot != NULL) {
        th_allocator_free(snapshot->backing, snapshot->counts);
        *snapshot = (th_tracker_snapshot){0};
    }
}

static th_tracker_count count_at(const th_tracker_snapshot *snapshot, size_t number) {
    th_tracker_count none = {0};
    return number < snapshot->site_count ? snapshot->counts[number] : none;
}

bool th_tracker_visit_changes(const th_tracker *tracker, const th_tracker_snapshot *before,
                              const th_tracker_snapshot *after, th_tracker_change_fn visit,
                              void *context) {
    size_t sites = tracker != NULL && before != NULL ? tracker->site_count : 0;
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < sites; i++) {
        const th_tracker_site *site = tracker->sites[i];
        th_tracker_change change = {.site = site,
                                    .before = count_at(before, i),
                                    .after = {site->live_blocks, site->live_bytes}};
        if (after != NULL) {
            change.after = count_at(after, i);
        }
        if (change.before.blocks != change.after.blocks ||
            change.before.bytes != change.after.bytes) {
            goes_on = visit(context, &change);
        }
    }
    return goes_on;
}
