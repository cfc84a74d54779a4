/* SPDX-License-Identifier: MIT */
#include "resource/tracker_note.h"

#include "resource/tracker_sample.h"

/* Of an event in which no tag changes. */
static th_event with_site(th_event what, const th_tracker_site *site) {
    what.site = site->line;
    what.tag = site->tag;
    what.old_tag = site->tag;
    return what;
}

static void note_event(th_tracker *tracker, const th_tracker_site *site, const th_event *what) {
    const th_tracker_config *config = &tracker->config;
    if (config->history_events > 0) {
        tracker->events[tracker->events_seen % config->history_events] =
            (th_tracker_event){.what = *what, .site = site, .serial = tracker->serial};
        tracker->events_seen++;
    }
    if (config->on_event != NULL) {
        tracker->is_telling = true;
        config->on_event(config->event_context, what);
        tracker->is_telling = false;
    }
}

static void note_at(th_tracker *tracker, const th_tracker_site *site, th_event what) {
    what = with_site(what, site);
    note_event(tracker, site, &what);
}

bool th_tracker_make_ready(th_tracker *tracker, const th_tracker_origin *origin,
                           th_tracker_pending *next) {
    next->site = th_tracker_intern(tracker, origin);
    return next->site != NULL && th_tracker_make_room(tracker);
}

bool th_tracker_prepare(th_tracker *tracker, size_t bytes, const th_tracker_origin *origin,
                        th_tracker_pending *next) {
    next->site = NULL;
    return !th_tracker_sample_draw(tracker, bytes, &next->points) ||
           th_tracker_make_ready(tracker, origin, next);
}

void th_tracker_note_failure(th_tracker *tracker, const th_event *what,
                             const th_tracker_site *site) {
    tracker->failed_allocs++;
    note_event(tracker, site, what);
}

/* ---- counters ----------------------------------------------------------------------------- */

static uint64_t estimate(const th_tracker *tracker, const th_tracker_record *record) {
    return record->points > 0 ? (uint64_t)record->points * tracker->config.sample_bytes
                              : record->bytes;
}

static void add_live(th_tracker *tracker, const th_tracker_record *record) {
    th_tracker_site *site = tracker->sites[record->site];
    uint64_t stands_for = estimate(tracker, record);
    site->live_blocks++;
    site->live_bytes += record->bytes;
    site->live_estimate += stands_for;
    tracker->live_bytes += record->bytes;
    tracker->live_estimate += stands_for;
    if (tracker->live_bytes > tracker->live_bytes_max) {
        tracker->live_bytes_max = tracker->live_bytes;
    }
}

static void remove_live(th_tracker *tracker, const th_tracker_record *record) {
    th_tracker_site *site = tracker->sites[record->site];
    uint64_t stood_for = estimate(tracker, record);
    site->live_blocks--;
    site->live_bytes -= record->bytes;
    site->live_estimate -= stood_for;
    tracker->live_bytes -= record->bytes;
    tracker->live_estimate -= stood_for;
}

/* One more that the site has ever had. */
static void count_block(const th_tracker *tracker, th_tracker_site *site,
                        const th_tracker_record *record) {
    site->allocs++;
    site->alloc_bytes += record->bytes;
    site->alloc_estimate += estimate(tracker, record);
}

/* ---- blocks ------------------------------------------------------------------------------- */

void th_tracker_drop(th_tracker *tracker, th_tracker_record *record) {
    remove_live(tracker, record);
    tracker->frees++;
    th_tracker_take_out(tracker, record);
}

void th_tracker_note_free_of(th_tracker *tracker, const th_tracker_record *was) {
    note_at(tracker, tracker->sites[was->site],
            (th_event){.kind = TH_EVENT_FREE,
                       .old_address = (const void *)was->address,
                       .old_bytes = was->bytes});
}

void th_tracker_note_end(th_tracker *tracker, th_tracker_record *record) {
    const th_tracker_record was = *record;
    th_tracker_drop(tracker, record);
    th_tracker_note_free_of(tracker, &was);
}

/* Something else has come to lie where the block was: it was freed without us. */
static void end_stale(th_tracker *tracker, const void *address) {
    th_tracker_record *stale = th_tracker_look_up(tracker, (uintptr_t)address);
    if (stale != NULL) {
        th_tracker_note_end(tracker, stale);
    }
}

void th_tracker_commit(th_tracker *tracker, const th_tracker_pending *next, const void *block,
                       size_t bytes, const th_tracker_before *before) {
    th_tracker_site *site = next->site;
    end_stale(tracker, block);
    if (site == NULL) {
        return;
    }
    const th_tracker_record record = {.address = (uintptr_t)block,
                                      .bytes = bytes,
                                      .serial = ++tracker->serial,
                                      .site = site->number,
                                      .points = next->points};
    th_tracker_put(tracker, &record);
    if (tracker->live > tracker->live_max) {
        tracker->live_max = tracker->live;
    }
    add_live(tracker, &record);
    count_block(tracker, site, &record);
    th_event what = {.kind = before != NULL ? TH_EVENT_RESIZE : TH_EVENT_ALLOC,
                     .address = block,
                     .bytes = bytes};
    what = with_site(what, site);
    if (before != NULL) {
        what.old_address = before->address;
        what.old_bytes = before->bytes;
        what.old_tag = before->tag;
    }
    note_event(tracker, site, &what);
}

void th_tracker_note_move(th_tracker *tracker, th_event_kind kind, const void *old_address,
                          const void *address, size_t bytes) {
    if (address != old_address) {
        end_stale(tracker, address);
    }
    th_tracker_record *record = th_tracker_look_up(tracker, (uintptr_t)old_address);
    if (record == NULL) {
        return;
    }
    th_tracker_record moved = *record;
    th_tracker_site *site = tracker->sites[moved.site];
    size_t old_bytes = moved.bytes;
    remove_live(tracker, &moved);
    th_tracker_take_out(tracker, record);
    moved.address = (uintptr_t)address;
    moved.bytes = bytes;
    th_tracker_put(tracker, &moved);
    add_live(tracker, &moved);
    if (bytes > old_bytes) {
        site->alloc_bytes += bytes - old_bytes;
        site->alloc_estimate += moved.points == 0 ? bytes - old_bytes : 0;
    }
    note_at(tracker, site,
            (th_event){.kind = kind,
                       .address = address,
                       .old_address = old_address,
                       .bytes = bytes,
                       .old_bytes = old_bytes});
}

void th_tracker_note_resize(th_tracker *tracker, th_tracker_record *record, size_t bytes) {
    const void *address = (const void *)record->address;
    th_tracker_note_move(tracker, TH_EVENT_RESIZE, address, address, bytes);
}

bool th_tracker_note_tag(th_tracker *tracker, th_tracker_record *record, uint32_t tag) {
    const th_tracker_site *site = tracker->sites[record->site];
    const void *address = (const void *)record->address;
    const th_tracker_origin origin = {site->file, site->line, tag, site->frames, site->depth};
    th_tracker_site *other = th_tracker_intern(tracker, &origin);
    if (other == NULL) {
        return false;
    }
    remove_live(tracker, record);
    record->site = other->number;
    add_live(tracker, record);
    count_block(tracker, other, record);
    th_event what = {.kind = TH_EVENT_RETAG,
                     .address = address,
                     .old_address = address,
                     .bytes = record->bytes,
                     .old_bytes = record->bytes};
    what = with_site(what, other);
    what.old_tag = site->tag;
    note_event(tracker, other, &what);
    return true;
}

void th_tracker_note_reset(th_tracker *tracker) {
    for (size_t i = 0; i < tracker->capacity; i++) {
        while (tracker->records[i].address != 0) { /* another one may move up here */
            th_tracker_drop(tracker, &tracker->records[i]);
        }
    }
    const th_event what = {.kind = TH_EVENT_RESET};
    note_event(tracker, NULL, &what);
}
