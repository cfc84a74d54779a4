/* SPDX-License-Identifier: MIT */
#include "alloc/slab.h"

#include <assert.h>
#include <string.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "tagheap/pages.h"

enum { EMPTY, PARTIAL, FULL };

static_assert(offsetof(th_slab_head, range) == 0, "a range of the set is a slab");

/* The number of unused bytes of an object, in its last bytes. */
typedef uint32_t TH_MAY_ALIAS slack_word;

/* A live object, or one about to be. */
typedef struct place {
    th_slab_head *head;
    th_cells cells;
    size_t index;
    size_t requested;
    size_t canary_end;
} place;

static int level_of(const th_slab *slab) {
    return th_guarding_level(&slab->config.guarding);
}

TH_DEFINE_SETTLE(slab);

TH_DEFINE_IS_SOUND(slab);

/* ---- slabs and their lists ---------------------------------------------------------------- */

/* Each value has an odd factor of its own, so that every bit of it counts in the high half of the
 * sum. */
static uint32_t check_due(const th_slab_head *head) {
    uint64_t sum = (uintptr_t)head->range.start * UINT64_C(0x9E3779B97F4A7C15);
    sum += head->range.bytes * UINT64_C(0xC2B2AE3D27D4EB4F);
    sum += (uintptr_t)head->owner * UINT64_C(0x165667B19E3779F9);
    sum += head->first * UINT64_C(0x85EBCA77C2B2AE63);
    sum += (uintptr_t)head * UINT64_C(0x27D4EB2F165667C5);
    return (uint32_t)(sum >> 32);
}

static uint32_t live_of(const th_slab_head *head) {
    uint32_t live = (uint32_t)head->live;
    return head->live < 0 ? 0 - live : live;
}

static int kind_of(const th_slab_head *head) {
    if (head->live == 0) {
        return EMPTY;
    }
    return head->live < 0 ? FULL : PARTIAL;
}

static th_slab_head *quick_due(const th_slab *slab) {
    return slab->quick_bits != 0 ? slab->lists[PARTIAL] : NULL;
}

static void link_slab(th_slab *slab, th_slab_head *head, int kind) {
    head->prev = NULL;
    head->next = slab->lists[kind];
    if (head->next != NULL) {
        head->next->prev = head;
    }
    slab->lists[kind] = head;
    slab->empty_slabs += kind == EMPTY;
    slab->quick = quick_due(slab);
}

static void unlink_slab(th_slab *slab, th_slab_head *head, int kind) {
    if (head->next != NULL) {
        head->next->prev = head->prev;
    }
    if (head->prev != NULL) {
        head->prev->next = head->next;
    } else {
        slab->lists[kind] = head->next;
    }
    slab->empty_slabs -= kind == EMPTY;
    slab->quick = quick_due(slab);
}

static th_slab_head *get_memory(const th_slab *slab) {
    if (slab->config.slabs_max != 0 && slab->slabs >= slab->config.slabs_max) {
        return NULL;
    }
    if (slab->config.backing.table == NULL) {
        return th_pages_map(slab->slab_bytes, slab->slab_bytes);
    }
    return th_allocator_alloc_aligned(slab->config.backing, slab->slab_bytes, slab->slab_bytes);
}

static th_slab_head *make_slab(th_slab *slab) {
    th_slab_head *head = get_memory(slab);
    if (head == NULL) {
        return NULL;
    }
    uint32_t first = slab->first + slab->next_colour * slab->colour_step;
    slab->next_colour = (slab->next_colour + 1) % slab->colours;
    *head = (th_slab_head){
        .range = {.start = (unsigned char *)head + first, .bytes = slab->capacity * slab->stride},
        .owner = slab,
        .first = first};
    head->check = check_due(head);
    unsigned char *states_end = head->state + slab->capacity;
    th_track_close(states_end, (size_t)((unsigned char *)head + slab->slab_bytes - states_end));
    th_ranges_insert(slab->ranges, &head->range);
    link_slab(slab, head, EMPTY);
    slab->slabs++;
    slab->slabs_made++;
    return head;
}

/* An empty slab leaves. */
static void return_slab(th_slab *slab, th_slab_head *head) {
    unlink_slab(slab, head, EMPTY);
    th_ranges_remove(slab->ranges, &head->range);
    slab->slabs--;
    slab->slabs_returned++;
    th_track_open(head, slab->slab_bytes);
    if (slab->config.backing.table == NULL) {
        (void)th_pages_release(head, slab->slab_bytes); /* accessible: gone, or kept */
    } else {
        th_allocator_free(slab->config.backing, head);
    }
}

TH_NOINLINE static void relist(th_slab *slab, th_slab_head *head, int was, int kind) {
    unlink_slab(slab, head, was);
    link_slab(slab, head, kind);
    if (kind == EMPTY && slab->empty_slabs > slab->empty_slabs_max) {
        return_slab(slab, head);
    }
}

/* So many of its objects are live now: which list is right for the slab? */
static inline void set_live(th_slab *slab, th_slab_head *head, uint32_t live) {
    int was = kind_of(head);
    head->live = live < slab->capacity ? (int32_t)live : -(int32_t)live;
    int kind = kind_of(head);
    if (kind != was) {
        relist(slab, head, was, kind);
    }
}

static void return_all(th_slab *slab) {
    for (int kind = EMPTY; kind <= FULL; kind++) {
        while (slab->lists[kind] != NULL) {
            th_slab_head *head = slab->lists[kind];
            unlink_slab(slab, head, kind);
            link_slab(slab, head, EMPTY);
            return_slab(slab, head);
        }
    }
}

/* What the system would not take before has to be asked for again some time: now. */
static void return_kept(const th_slab *slab) {
    if (slab->config.backing.table == NULL) {
        (void)th_pages_return_kept(); /* what remains is in th_pages_kept() */
    }
}

void th_slab_clean_up(th_slab *slab) {
    if (slab != NULL) {
        return_all(slab);
        return_kept(slab);
        memset(slab, 0, sizeof *slab);
    }
}

/* ---- objects ------------------------------------------------------------------------------ */

static th_cells cells_of(const th_slab_head *head) {
    return (th_cells){(unsigned char *)(uintptr_t)head->range.start, head->owner->stride,
                      head->owner->alignment, head->used};
}

static slack_word *slack_place(const place *at) {
    return (slack_word *)(void *)(th_cell_at(&at->cells, at->index) + at->cells.stride -
                                  sizeof(slack_word));
}

static TH_TRACK_BLIND uint32_t load_slack(const place *at) {
    th_track_blind_begin();
    uint32_t slack = *slack_place(at);
    th_track_trust(&slack, sizeof slack);
    th_track_blind_end();
    return slack;
}

static TH_TRACK_BLIND void store_slack(const place *at, uint32_t slack) {
    th_track_blind_begin();
    *slack_place(at) = slack;
    th_track_blind_end();
}

/* Notes in the object's state how many of its bytes are asked for; before it is closed. */
static inline void set_requested(place *at, size_t bytes) {
    size_t slack = at->cells.stride - bytes;
    bool is_long = slack > TH_SLAB_SLACK_MAX;
    at->requested = bytes;
    at->canary_end = at->cells.stride - (is_long ? sizeof(slack_word) : 0);
    at->head->state[at->index] = is_long ? TH_SLAB_STATE_LONG : (uint8_t)(1 + slack);
    if (is_long) {
        store_slack(at, (uint32_t)slack);
    }
}

/* Reads the state of a live object. TH_ERR_CORRUPT: its last bytes cannot be what was written: then
 * all of it counts as asked for. */
static inline th_status get_requested(place *at, th_fault *fault) {
    size_t stride = at->cells.stride;
    unsigned state = at->head->state[at->index];
    if (state != TH_SLAB_STATE_LONG) {
        at->requested = stride - (state - 1);
        at->canary_end = stride;
        return TH_OK;
    }
    uint32_t slack = load_slack(at);
    at->canary_end = stride - sizeof(slack_word);
    if (slack <= TH_SLAB_SLACK_MAX || slack >= stride) {
        at->requested = at->canary_end;
        return th_guarding_corrupt(fault, TH_FAULT_CANARY, at->index,
                                   at->index * stride + at->canary_end, TH_SLAB_SLACK_MAX + 1,
                                   slack);
    }
    at->requested = stride - slack;
    return TH_OK;
}

/* A live object's state and canary. */
static inline th_status verify_live(place *at, int level, th_fault *fault) {
    th_status status = get_requested(at, fault);
    if (status != TH_OK || level < 1) {
        return status;
    }
    return th_cell_verify_canary(&at->cells, at->index, at->requested, at->canary_end, fault);
}

/* Does one of the objects that were used begin there? */
static bool is_object(const th_slab_head *head, const void *pointer, size_t *index) {
    size_t offset = (size_t)((uintptr_t)pointer - (uintptr_t)head->range.start);
    *index = th_slab_index(head->owner, offset);
    return *index < head->used && *index * head->owner->stride == offset;
}

/* Could `object` be the next in the free list of this slab? */
static bool is_free_object(const th_slab_head *head, const void *object) {
    size_t index;
    return is_object(head, object, &index) && head->state[index] == TH_SLAB_STATE_FREE;
}

static th_status verify_free(const th_cells *cells, const th_slab_head *head, size_t index,
                             const void *next, th_fault *fault) {
    int level = level_of(head->owner);
    if (level >= 1 && next != NULL && !is_free_object(head, next)) {
        return th_cells_bad_link(cells, index, next, fault);
    }
    return level >= 2 ? th_cell_verify_poison(cells, index, TH_CELL_LINK_BYTES, fault) : TH_OK;
}

th_status th_slab_verify_head(const th_slab_head *head, th_fault *fault) {
    uint32_t due = check_due(head);
    if (head->check == due) {
        return TH_OK;
    }
    return th_guarding_corrupt(fault, TH_FAULT_HEADER, SIZE_MAX, SIZE_MAX, due, head->check);
}

/* The object of this slab at `pointer`: at level 0 it is taken to be one, and live. */
static inline th_status find_in(th_slab_head *head, const void *pointer, place *at,
                                th_fault *fault) {
    int level = level_of(head->owner);
    at->head = head;
    at->cells = cells_of(head);
    if (level < 1) {
        at->index =
            th_slab_index(head->owner, (size_t)((const unsigned char *)pointer - at->cells.start));
        (void)get_requested(at, fault);
        return TH_OK;
    }
    if (!is_object(head, pointer, &at->index)) {
        return th_cells_not_a_cell(&at->cells, pointer, fault);
    }
    if (head->state[at->index] == TH_SLAB_STATE_FREE) {
        return th_cells_double_free(&at->cells, at->index, fault);
    }
    return verify_live(at, level, fault);
}

/* The live object at `pointer`. */
static inline th_status find_live(const th_slab *slab, const void *pointer, place *at,
                                  th_fault *fault) {
    th_slab_head *head;
    if (level_of(slab) < 1) {
        head = (th_slab_head *)((uintptr_t)pointer & ~(uintptr_t)(slab->slab_bytes - 1));
        return find_in(head, pointer, at, fault);
    }
    head = th_slab_find(*slab->ranges, pointer);
    if (head == NULL) {
        return th_cells_foreign(pointer, fault);
    }
    th_status status = th_slab_verify_head(head, fault);
    if (status != TH_OK) {
        return status;
    }
    return head->owner == slab ? find_in(head, pointer, at, fault)
                               : th_cells_foreign(pointer, fault);
}

static bool require_live(const th_slab *slab, const void *pointer, place *at) {
    th_fault fault;
    return pointer != NULL &&
           th_guarding_passes(&slab->config.guarding, find_live(slab, pointer, at, &fault), &fault);
}

th_status th_slab_verify(const th_slab *slab, const void *object, th_fault *fault) {
    place at;
    return find_live(slab, object, &at, fault);
}

/* ---- allocation --------------------------------------------------------------------------- */

/* Takes an object out of a slab that is not full. False iff damage was met and reported. */
static bool take_object(const th_slab *slab, th_slab_head *head, place *at) {
    th_fault fault;
    at->head = head;
    if (level_of(slab) >= 1 &&
        !th_guarding_passes(&slab->config.guarding, th_slab_verify_head(head, &fault), &fault)) {
        return false;
    }
    if (head->free_list == NULL) {
        at->index = head->used++;
        at->cells = cells_of(head);
        return true;
    }
    at->cells = cells_of(head);
    at->index = th_slab_index(slab, (size_t)((unsigned char *)head->free_list - at->cells.start));
    void *next = th_cell_link_load(head->free_list);
    if (!th_guarding_passes(&slab->config.guarding,
                            verify_free(&at->cells, head, at->index, next, &fault), &fault)) {
        return false;
    }
    head->free_list = next;
    return true;
}

static void *alloc_bytes(th_slab *slab, size_t bytes) {
    place at;
    th_slab_head *head = slab->lists[slab->lists[PARTIAL] != NULL ? PARTIAL : EMPTY];
    if (head == NULL) {
        head = make_slab(slab);
    }
    if (head == NULL) {
        slab->failed_allocs++;
        return NULL;
    }
    if (!take_object(slab, head, &at)) {
        return NULL;
    }
    set_requested(&at, bytes);
    th_cell_open(&at.cells, at.index, bytes, at.canary_end, false, level_of(slab));
    slab->live++;
    set_live(slab, head, live_of(head) + 1);
    return th_cell_at(&at.cells, at.index);
}

TH_NOINLINE static void *alloc_carefully(th_slab *slab, size_t bytes) {
    if (slab == NULL || bytes - 1 >= slab->config.object_bytes) {
        return NULL;
    }
    void *object = alloc_bytes(slab, bytes);
    th_slab_settle(slab);
    return object;
}

/* The first partial slab has become full by this object. */
TH_NOINLINE static void *fill_up(th_slab *slab, void *object) {
    set_live(slab, slab->quick, slab->capacity);
    return object;
}

void *th_slab_take_fresh(th_slab *slab, uint32_t state) {
    th_slab_head *head = slab->quick;
    uint32_t index = head->used;
    void *object = (unsigned char *)(uintptr_t)head->range.start + index * slab->stride;
    head->used = index + 1;
    slab->live++;
    head->live++;
    head->state[index] = (uint8_t)state;
    return index + 1 < slab->capacity ? object : fill_up(slab, object);
}

void *th_slab_take_last(th_slab *slab, void *object) {
    return slab->quick->used < slab->capacity ? object : fill_up(slab, object);
}

void *th_slab_alloc_bytes(th_slab *slab, size_t bytes) {
    if (slab == NULL || slab->quick == NULL || slab->stride - bytes > TH_SLAB_SLACK_MAX ||
        bytes - 1 >= slab->config.object_bytes) {
        return alloc_carefully(slab, bytes);
    }
    return th_slab_take(slab, (uint32_t)(1 + slab->stride - bytes));
}

void *th_slab_alloc(th_slab *slab) {
    if (slab == NULL || slab->quick == NULL) {
        return alloc_carefully(slab, slab != NULL ? slab->config.object_bytes : 0);
    }
    return th_slab_take(slab, slab->whole_state);
}

/* A live object ends. */
static inline void free_object(th_slab *slab, const place *at) {
    void *object = th_cell_at(&at->cells, at->index);
    th_cell_link_store(object, at->head->free_list);
    th_cell_close(&at->cells, at->index, TH_CELL_LINK_BYTES, level_of(slab));
    at->head->free_list = object;
    at->head->state[at->index] = TH_SLAB_STATE_FREE;
    th_slab_note_peak(slab);
    slab->live--;
    set_live(slab, at->head, live_of(at->head) - 1);
}

TH_NOINLINE static void free_carefully(th_slab *slab, void *object) {
    place at;
    if (slab->slab_bytes != 0 && require_live(slab, object, &at)) {
        free_object(slab, &at);
    }
    th_slab_settle(slab);
}

/* No object lies where its slab begins: what does is NULL, or must not be quick. */
void th_slab_free(th_slab *slab, void *object) {
    if (slab == NULL) {
        return;
    }
    size_t offset = (uintptr_t)object & slab->quick_bits;
    if (offset != 0) {
        th_slab_head *head = (th_slab_head *)(void *)((unsigned char *)object - offset);
        if (!th_slab_changes_list(head)) {
            th_slab_put(slab, head, object, th_slab_index(slab, offset - head->first));
            return;
        }
    }
    free_carefully(slab, object);
}

size_t th_slab_free_in(th_slab_head *head, void *object) {
    th_slab *slab = head->owner;
    th_fault fault;
    place at;
    size_t requested = 0;
    if (th_guarding_passes(&slab->config.guarding, find_in(head, object, &at, &fault), &fault)) {
        requested = at.requested;
        free_object(slab, &at);
    }
    th_slab_settle(slab);
    return requested;
}

bool th_slab_resize_in_place(th_slab *slab, void *object, size_t bytes) {
    place at;
    if (slab == NULL) {
        return false;
    }
    bool done = bytes - 1 < slab->config.object_bytes && require_live(slab, object, &at);
    if (done) {
        size_t old_bytes = at.requested;
        set_requested(&at, bytes);
        th_cell_reopen(&at.cells, at.index, old_bytes, bytes, at.canary_end, level_of(slab));
    }
    th_slab_settle(slab);
    return done;
}

size_t th_slab_requested_size(const th_slab *slab, const void *object) {
    place at;
    return slab != NULL && slab->slab_bytes != 0 && require_live(slab, object, &at) ? at.requested
                                                                                    : 0;
}

/* ---- all at once -------------------------------------------------------------------------- */

th_status th_slab_reset(th_slab *slab) {
    if (slab == NULL || slab->slab_bytes == 0) {
        return TH_ERR_NULL;
    }
    if (!th_slab_is_sound(slab)) {
        return TH_ERR_CORRUPT;
    }
    for (int kind = PARTIAL; kind <= FULL; kind++) {
        while (slab->lists[kind] != NULL) {
            th_slab_head *head = slab->lists[kind];
            head->used = 0;
            head->free_list = NULL;
            th_track_close(head->range.start, head->range.bytes);
            set_live(slab, head, 0);
        }
    }
    th_slab_note_peak(slab);
    slab->live = 0;
    th_slab_settle(slab);
    return TH_OK;
}

size_t th_slab_trim(th_slab *slab) {
    if (slab == NULL) {
        return 0;
    }
    size_t before = slab->slabs;
    while (slab->lists[EMPTY] != NULL) {
        return_slab(slab, slab->lists[EMPTY]);
    }
    return_kept(slab);
    th_slab_settle(slab);
    return before - slab->slabs;
}

/* ---- the checker -------------------------------------------------------------------------- */

static th_status wrong_count(size_t expected, size_t found, th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, expected, found);
}

/* Is this the header of one of our slabs? An address that every colour gives to an object leads to
 * it, if it is, and nothing else is touched. */
static bool is_slab(const th_slab *slab, const th_slab_head *head) {
    size_t inside = slab->first + (slab->colours - 1) * slab->colour_step;
    return th_is_aligned((uintptr_t)head, slab->slab_bytes) &&
           th_slab_find(*slab->ranges, (const unsigned char *)head + inside) == head;
}

static th_status check_objects(const th_slab_head *head, th_fault *fault) {
    place at = {.head = (th_slab_head *)(uintptr_t)head, .cells = cells_of(head)};
    size_t live = 0;
    for (at.index = 0; at.index < head->used; at.index++) {
        if (head->state[at.index] != TH_SLAB_STATE_FREE) {
            th_status status = verify_live(&at, level_of(head->owner), fault);
            if (status != TH_OK) {
                return status;
            }
            live++;
        }
    }
    return live == live_of(head) ? TH_OK : wrong_count(live, live_of(head), fault);
}

/* Exactly the objects that were used and are not live. */
static th_status check_free_list(const th_slab_head *head, th_fault *fault) {
    th_cells cells = cells_of(head);
    size_t due = head->used - live_of(head);
    size_t count = 0;
    const unsigned char *object = head->free_list;
    if (object != NULL && !is_free_object(head, object)) {
        return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, 0,
                                   (uint32_t)(uintptr_t)object);
    }
    for (; object != NULL && count <= due; count++) {
        size_t index = th_slab_index(head->owner, (size_t)(object - cells.start));
        const void *next = th_cell_link_load(object);
        th_status status = verify_free(&cells, head, index, next, fault);
        if (status != TH_OK) {
            return status;
        }
        object = next;
    }
    return count == due ? TH_OK : wrong_count(due, count, fault);
}

/* A list or what it leads to: `head` is no slab of ours, or not in its place. */
static th_status bad_list(const th_slab_head *head, th_fault *fault) {
    return th_guarding_corrupt(fault, TH_FAULT_CHAIN, SIZE_MAX, SIZE_MAX, 0,
                               (uint32_t)(uintptr_t)head);
}

static th_status check_slab(const th_slab *slab, const th_slab_head *head, const th_slab_head *prev,
                            int kind, th_fault *fault) {
    if (!is_slab(slab, head) || head->prev != prev) {
        return bad_list(head, fault);
    }
    th_status status = th_slab_verify_head(head, fault);
    if (status != TH_OK) {
        return status;
    }
    uint32_t live = live_of(head);
    if (head->used > slab->capacity || live > head->used || kind_of(head) != kind ||
        (kind == FULL) != (live == slab->capacity)) {
        return wrong_count(head->used, live, fault);
    }
    status = check_objects(head, fault);
    return status == TH_OK ? check_free_list(head, fault) : status;
}

th_status th_slab_check(const th_slab *slab, th_fault *fault) {
    th_no_fault(fault);
    if (slab == NULL || slab->slab_bytes == 0) {
        return TH_ERR_NULL;
    }
    size_t slabs = 0;
    size_t live = 0;
    size_t empty = 0;
    for (int kind = EMPTY; kind <= FULL; kind++) {
        const th_slab_head *prev = NULL;
        for (const th_slab_head *head = slab->lists[kind]; head != NULL; head = head->next) {
            th_status status = check_slab(slab, head, prev, kind, fault);
            if (status != TH_OK) {
                return status;
            }
            slabs++;
            live += live_of(head);
            empty += kind == EMPTY;
            prev = head;
        }
    }
    if (slabs != slab->slabs) {
        return wrong_count(slabs, slab->slabs, fault);
    }
    if (empty != slab->empty_slabs) {
        return wrong_count(empty, slab->empty_slabs, fault);
    }
    if (live != slab->live) {
        return wrong_count(live, slab->live, fault);
    }
    return slab->quick == quick_due(slab) ? TH_OK : bad_list(slab->quick, fault);
}

/* ---- queries ------------------------------------------------------------------------------ */

bool th_slab_owns(const th_slab *slab, const void *address) {
    const th_slab_head *head =
        slab != NULL && slab->ranges != NULL ? th_slab_find(*slab->ranges, address) : NULL;
    if (head == NULL || head->owner != slab) {
        return false;
    }
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)head->range.start);
    size_t index = offset / slab->stride;
    return index < head->used && head->state[index] != TH_SLAB_STATE_FREE;
}

th_slab_stats th_slab_get_stats(const th_slab *slab) {
    if (slab == NULL) {
        return (th_slab_stats){0};
    }
    return (th_slab_stats){.live = slab->live,
                           .live_max = slab->live > slab->live_max ? slab->live : slab->live_max,
                           .capacity = slab->slabs * slab->capacity,
                           .slabs = slab->slabs,
                           .empty_slabs = slab->empty_slabs,
                           .slab_bytes = slab->slab_bytes,
                           .stride_bytes = slab->stride,
                           .slabs_made = slab->slabs_made,
                           .slabs_returned = slab->slabs_returned,
                           .failed_allocs = slab->failed_allocs};
}
