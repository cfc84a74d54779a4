/* SPDX-License-Identifier: MIT */
/* The tracker: what happens to blocks. Whatever a request needs of the tracker's own memory is got
 * before the allocator below is asked, so that nothing has to be taken back. */
#include "tagheap/tracker.h"

#include "alloc/guarding.h"
#include "base/align.h"
#include "resource/tracker_note.h"
#include "resource/tracker_sample.h"

static const th_tracker_origin unknown = {.file = NULL};

/* Begins each call that changes something. False: it must not, after a fault if it comes from
 * inside on_event. */
static bool enter(const th_tracker *tracker) {
    if (!th_tracker_is_started(tracker)) {
        return false;
    }
    if (tracker->is_telling) {
        th_guarding_raise_reentry(&tracker->config.guarding);
        return false;
    }
    return true;
}

/* ---- life --------------------------------------------------------------------------------- */

static bool is_valid(const th_tracker_config *config) {
    return config->backing.table != NULL && th_backing_is_usable(&config->backing) &&
           th_backing_is_usable(&config->tracked) && config->frames_max <= TH_TRACKER_FRAMES_MAX &&
           th_guarding_is_valid(&config->guarding);
}

th_status th_tracker_init(th_tracker *tracker, const th_tracker_config *config) {
    if (tracker == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_tracker fresh = {.config = *config};
    if (fresh.config.backing.table == NULL) {
        fresh.config.backing = fresh.config.tracked;
    }
    if (!is_valid(&fresh.config)) {
        return TH_ERR_CONFIG;
    }
    if (fresh.config.frames_max == 0) {
        fresh.config.frames_max = TH_TRACKER_FRAMES_MAX;
    }
    if (config->history_events > 0) {
        fresh.events = th_tracker_take(&fresh, config->history_events, sizeof *fresh.events);
        if (fresh.events == NULL) {
            return TH_ERR_EXHAUSTED;
        }
    }
    th_tracker_sample_start(&fresh);
    fresh.view = (th_tracker_view){.tracker = tracker};
    *tracker = fresh;
    return TH_OK;
}

void th_tracker_clean_up(th_tracker *tracker) {
    if (!enter(tracker)) {
        return;
    }
    th_tracker_drop_tables(tracker);
    th_tracker_give(tracker, tracker->events,
                    tracker->config.history_events * sizeof *tracker->events);
    *tracker = (th_tracker){0};
}

/* ---- misuse ------------------------------------------------------------------------------- */

/* Was there a block at the address, as far as the history reaches? */
static bool is_remembered(const th_tracker *tracker, uintptr_t address) {
    for (uint32_t i = 0; i < tracker->config.history_events;
         i++) { /* unused ones have no address */
        const th_event *what = &tracker->events[i].what;
        if ((uintptr_t)what->address == address || (uintptr_t)what->old_address == address) {
            return true;
        }
    }
    return false;
}

/* Its record, NULL if it has none. Does it have to have one? */
static bool is_stray(const th_tracker *tracker, const void *block, th_tracker_record **record) {
    *record = th_tracker_look_up(tracker, (uintptr_t)block);
    return *record == NULL && tracker->config.sample_bytes == 0;
}

/* May a block at this address be freed or resized? A fault says if not. */
static bool is_live(const th_tracker *tracker, const void *block, th_tracker_record **record) {
    if (!is_stray(tracker, block, record)) {
        return true;
    }
    th_fault_kind kind =
        is_remembered(tracker, (uintptr_t)block) ? TH_FAULT_DOUBLE_FREE : TH_FAULT_FOREIGN;
    th_guarding_raise(&tracker->config.guarding, kind, TH_FAULT_NOWHERE, TH_FAULT_NOWHERE, 0,
                      (uint32_t)(uintptr_t)block);
    return false;
}

TH_DEFINE_SETTLE(tracker);

/* ---- blocks ------------------------------------------------------------------------------- */

/* A request that was not met; `block` of `old_bytes` stays, if there is one. */
static void note_failure(th_tracker *tracker, const th_tracker_pending *next,
                         const th_tracker_origin *origin, size_t bytes, const void *block,
                         size_t old_bytes) {
    const th_event what = {.kind = TH_EVENT_FAIL,
                           .tag = origin->tag,
                           .old_tag = origin->tag,
                           .site = origin->line,
                           .old_address = block,
                           .bytes = bytes,
                           .old_bytes = old_bytes};
    th_tracker_note_failure(tracker, &what, next->site);
}

static bool is_request(size_t bytes, size_t alignment) {
    return bytes > 0 && bytes <= PTRDIFF_MAX && th_is_power_of_two(alignment);
}

void *th_tracker_alloc_from(th_tracker *tracker, size_t bytes, size_t alignment,
                            th_tracker_origin origin) {
    th_tracker_pending next;
    void *block = NULL;
    if (!enter(tracker) || !is_request(bytes, alignment)) {
        return NULL;
    }
    if (th_tracker_prepare(tracker, bytes, &origin, &next)) {
        block = th_allocator_alloc_aligned(tracker->config.tracked, bytes, alignment);
    }
    if (block != NULL) {
        th_tracker_commit(tracker, &next, block, bytes, NULL);
    } else {
        note_failure(tracker, &next, &origin, bytes, NULL, 0);
    }
    th_tracker_settle(tracker);
    return block;
}

void *th_tracker_alloc_aligned(th_tracker *tracker, size_t bytes, size_t alignment) {
    return th_tracker_alloc_from(tracker, bytes, alignment, unknown);
}

void *th_tracker_alloc(th_tracker *tracker, size_t bytes) {
    return th_tracker_alloc_from(tracker, bytes, TH_ALLOCATOR_ALIGNMENT, unknown);
}

void th_tracker_free(th_tracker *tracker, void *block) {
    th_tracker_record *record;
    if (block == NULL || !enter(tracker) || !is_live(tracker, block, &record)) {
        return;
    }
    if (record == NULL) {
        th_allocator_free(tracker->config.tracked, block);
        return;
    }
    const th_tracker_record was = *record;
    th_tracker_drop(tracker, record); /* whatever the allocator below says */
    th_allocator_free(tracker->config.tracked, block);
    th_tracker_note_free_of(tracker, &was);
    th_tracker_settle(tracker);
}

/* With the record that the block had; a block that is tracked only before or only after it has
 * moved, since only samples are, has gone, or is new. */
static void note_moved(th_tracker *tracker, th_tracker_record *record,
                       const th_tracker_pending *next, const void *block, size_t bytes) {
    if (record != NULL && next->site != NULL) {
        const th_tracker_before before = {.address = (const void *)record->address,
                                          .bytes = record->bytes,
                                          .tag = tracker->sites[record->site]->tag};
        th_tracker_drop(tracker, record);
        th_tracker_commit(tracker, next, block, bytes, &before);
        return;
    }
    if (record != NULL) {
        th_tracker_note_end(tracker, record);
    }
    th_tracker_commit(tracker, next, block, bytes, NULL);
}

static void *move(th_tracker *tracker, void *block, size_t kept, size_t bytes, size_t alignment,
                  const th_tracker_origin *origin) {
    th_tracker_pending next;
    const void *from = block; /* a number once it has moved */
    void *moved = NULL;
    if (th_tracker_prepare(tracker, bytes, origin, &next)) {
        moved = th_allocator_realloc(tracker->config.tracked, block, kept, bytes, alignment, NULL);
    }
    th_tracker_record *record = th_tracker_look_up(tracker, (uintptr_t)from);
    size_t old_bytes = record != NULL ? record->bytes : 0;
    if (moved != NULL) {
        note_moved(tracker, record, &next, moved, bytes);
    } else {
        note_failure(tracker, &next, origin, bytes, from, old_bytes);
    }
    th_tracker_settle(tracker);
    return moved;
}

void *th_tracker_realloc_from(th_tracker *tracker, void *block, size_t kept, size_t bytes,
                              size_t alignment, th_tracker_origin origin) {
    th_tracker_record *record;
    if (block == NULL) {
        return th_tracker_alloc_from(tracker, bytes, alignment, origin);
    }
    if (bytes == 0) {
        th_tracker_free(tracker, block);
        return NULL;
    }
    if (!enter(tracker) || !is_request(bytes, alignment) || !is_live(tracker, block, &record)) {
        return NULL;
    }
    return move(tracker, block, kept, bytes, alignment, &origin);
}

bool th_tracker_resize_in_place(th_tracker *tracker, void *block, size_t bytes) {
    th_tracker_record *record;
    if (block == NULL || !enter(tracker) || !is_live(tracker, block, &record)) {
        return false;
    }
    bool done = th_allocator_resize_in_place(tracker->config.tracked, block, bytes);
    if (done && record != NULL) {
        th_tracker_note_resize(tracker, record, bytes);
    }
    th_tracker_settle(tracker);
    return done;
}

th_status th_tracker_reset(th_tracker *tracker) {
    if (!enter(tracker)) {
        return th_tracker_is_started(tracker) ? TH_ERR_BUSY : TH_ERR_NULL;
    }
    th_status status = th_allocator_reset(tracker->config.tracked);
    if (status != TH_OK) {
        return status;
    }
    th_tracker_note_reset(tracker);
    th_tracker_settle(tracker);
    return TH_OK;
}

bool th_tracker_owns(const th_tracker *tracker, const void *pointer) {
    return th_tracker_is_started(tracker) && th_allocator_owns(tracker->config.tracked, pointer);
}

/* ---- notes of others' blocks -------------------------------------------------------------- */

bool th_tracker_sample(th_tracker *tracker, size_t bytes, uint32_t *points) {
    return enter(tracker) && th_tracker_sample_draw(tracker, bytes, points);
}

bool th_tracker_note_sample(th_tracker *tracker, const void *address, size_t bytes, uint32_t points,
                            th_tracker_origin origin) {
    if (address == NULL || !enter(tracker)) {
        return false;
    }
    th_tracker_pending next = {.points = points};
    bool done = th_tracker_make_ready(tracker, &origin, &next);
    if (done) {
        th_tracker_commit(tracker, &next, address, bytes, NULL);
    } else {
        note_failure(tracker, &next, &origin, bytes, NULL, 0);
    }
    th_tracker_settle(tracker);
    return done;
}

bool th_tracker_note_alloc(th_tracker *tracker, const void *address, size_t bytes,
                           th_tracker_origin origin) {
    static const th_tracker_pending untracked = {.site = NULL};
    uint32_t points;
    if (address == NULL || !enter(tracker)) {
        return false;
    }
    if (th_tracker_sample_draw(tracker, bytes, &points)) {
        return th_tracker_note_sample(tracker, address, bytes, points, origin);
    }
    th_tracker_commit(tracker, &untracked, address, bytes, NULL);
    return true;
}

bool th_tracker_note_free(th_tracker *tracker, const void *address) {
    th_tracker_record *record =
        enter(tracker) ? th_tracker_look_up(tracker, (uintptr_t)address) : NULL;
    if (record == NULL) {
        return false;
    }
    th_tracker_note_end(tracker, record);
    th_tracker_settle(tracker);
    return true;
}

static void follow_tag(th_tracker *tracker, const th_event *event) {
    th_tracker_record *record = th_tracker_look_up(tracker, (uintptr_t)event->address);
    if (record != NULL && !th_tracker_note_tag(tracker, record, event->tag)) {
        tracker->failed_allocs++;
    }
}

void th_tracker_on_event(void *context, const th_event *event) {
    th_tracker *tracker = context;
    if (event == NULL || !enter(tracker)) {
        return;
    }
    switch (event->kind) {
    case TH_EVENT_ALLOC:
        (void)th_tracker_note_alloc(tracker, event->address, event->bytes,
                                    (th_tracker_origin){.line = event->site, .tag = event->tag});
        break;
    case TH_EVENT_FREE:
        (void)th_tracker_note_free(tracker, event->old_address);
        break;
    case TH_EVENT_RESIZE:
    case TH_EVENT_MOVE:
        th_tracker_note_move(tracker, event->kind, event->old_address, event->address,
                             event->bytes);
        if (event->tag != event->old_tag) {
            follow_tag(tracker, event);
        }
        break;
    case TH_EVENT_RETAG:
        follow_tag(tracker, event);
        break;
    case TH_EVENT_FAIL:
        th_tracker_note_failure(tracker, event, NULL);
        break;
    case TH_EVENT_RESET:
        th_tracker_note_reset(tracker);
        break;
    }
    th_tracker_settle(tracker);
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static void *view_alloc(void *self, size_t bytes, size_t alignment) {
    const th_tracker_view *view = self;
    return th_tracker_alloc_from(view->tracker, bytes, alignment, view->origin);
}

static void view_free(void *self, void *block) {
    th_tracker_free(((th_tracker_view *)self)->tracker, block);
}

static bool view_resize_in_place(void *self, void *block, size_t bytes) {
    return th_tracker_resize_in_place(((th_tracker_view *)self)->tracker, block, bytes);
}

/* What is wrong with the block was said when it could not be resized in place. */
static void *view_realloc(void *self, void *block, size_t kept, size_t bytes, size_t alignment) {
    const th_tracker_view *view = self;
    th_tracker_record *record;
    if (!enter(view->tracker) || is_stray(view->tracker, block, &record)) {
        return NULL;
    }
    return move(view->tracker, block, kept, bytes, alignment, &view->origin);
}

static th_status view_reset(void *self) {
    return th_tracker_reset(((th_tracker_view *)self)->tracker);
}

static bool view_owns(const void *self, const void *pointer) {
    return th_tracker_owns(((const th_tracker_view *)self)->tracker, pointer);
}

static size_t view_usable_size(const void *self, const void *pointer) {
    const th_tracker *tracker = ((const th_tracker_view *)self)->tracker;
    th_tracker_record *record;
    return th_tracker_is_started(tracker) && is_live(tracker, pointer, &record)
               ? th_allocator_usable_size(tracker->config.tracked, pointer)
               : 0;
}

static th_status view_check(const void *self, th_fault *fault) {
    return th_tracker_check(((const th_tracker_view *)self)->tracker, fault);
}

th_allocator th_tracker_view_allocator(th_tracker_view *view) {
    static const th_allocator_table table = {.alloc = view_alloc,
                                             .free = view_free,
                                             .resize_in_place = view_resize_in_place,
                                             .realloc = view_realloc,
                                             .reset = view_reset,
                                             .owns = view_owns,
                                             .usable_size = view_usable_size,
                                             .check = view_check};
    return (th_allocator){.table = view != NULL ? &table : NULL, .self = view};
}

th_allocator th_tracker_allocator(th_tracker *tracker) {
    return th_tracker_view_allocator(tracker != NULL ? &tracker->view : NULL);
}
