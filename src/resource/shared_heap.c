/* SPDX-License-Identifier: MIT */
/* The calls of the shared heap: each takes the lock, brings its view of the heap into line with
 * what others have done, does the operation with a journal, and publishes the result. */
#include "tagheap/shared_heap.h"

#include <stdalign.h>
#include <string.h>

#include "heap/call.h"
#include "heap/fast.h"
#include "resource/shared_heap.h"

/* So often a heap that others change is looked at, at most. */
#define LOOKS 100u

static const th_shared_intent undoing = {.kind = TH_SHARED_UNDO};
static const th_shared_intent moving = {.kind = TH_SHARED_MOVE};

/* ---- the lock ------------------------------------------------------------------------------ */

/* What a dead process has left, or one that has left a callback without returning. */
static th_status repair(th_shared_heap *shared) {
    th_fault fault;
    th_shared_object *object = th_shared_object_of(shared);
    bool repaired = th_shared_repair(shared, &fault);
    th_track_release(shared->heap.base, th_managed_bytes(&shared->heap));
    if (!repaired) {
        th_publish(&object->refused, (uint32_t)fault.kind + 1);
        shared->seen = ~object->state;
    }
    return repaired ? TH_OK : TH_ERR_CORRUPT;
}

/* Have others worked in the heap since? The number of operations has more bits than the state,
 * whose number comes back. */
static bool is_behind(const th_shared_heap *shared, uint32_t state) {
    const th_shared_control *control =
        &th_shared_object_of(shared)->controls[th_shared_control_number(state)];
    return state != shared->seen || control->operations != shared->operations;
}

/* Takes the lock for the first time. If another attachment of this thread has it, the lock says
 * so. */
static th_status take(th_shared_heap *shared, uint64_t wait_ns) {
    th_shared_object *object = th_shared_object_of(shared);
    th_status status = th_process_lock_try_acquire(&object->lock, wait_ns);
    if (status != TH_OK && status != TH_ERR_STALE) {
        return status;
    }
    bool dead = status == TH_ERR_STALE;
    uint32_t state = th_published(&object->state);
    status = TH_OK;
    if (object->refused != 0) {
        status = TH_ERR_CORRUPT;
    } else if (dead || th_shared_kind(state) != TH_SHARED_NONE) {
        status = repair(shared);
    } else if (is_behind(shared, state) && !th_shared_load(shared, state)) {
        status = TH_ERR_CORRUPT;
    }
    if (status == TH_OK && dead) {
        status = th_process_lock_mend(&object->lock);
    }
    if (status != TH_OK) { /* of a dead one, and not mended: nobody gets it any more */
        (void)th_process_lock_release(&object->lock);
    }
    return status;
}

/* Is a call of this attachment in progress? For a callback it is a fault to ask; a signal handler
 * cannot know. */
static bool is_inside(th_shared_heap *shared) {
    if (!shared->is_inside) {
        return false;
    }
    (void)th_refuse(&shared->heap, shared->heap.busy);
    return true;
}

/* May the caller use the attachment now? TH_ERR_STALE: it was forked while a call was in progress,
 * of whichever thread, or the lock was held. */
static th_status admit(th_shared_heap *shared) {
    uint64_t process = th_process_id();
    if ((shared->is_inside || shared->held > 0) && shared->process != process) {
        return TH_ERR_STALE;
    }
    shared->process = process;
    return is_inside(shared) ? TH_ERR_BUSY : TH_OK;
}

/* Of an attachment that has the lock: is it another thread's, or was it that of one that has ended?
 */
static bool is_anothers(const th_shared_heap *shared) {
    return shared->thread != th_process_thread();
}

/* With the lock afterwards, if it returns TH_OK. */
static th_status have_lock(th_shared_heap *shared) {
    if (shared->held > 0 && !is_anothers(shared)) {
        return TH_OK;
    }
    /* The lock of a thread that lives is not to be had; that of one that has ended is anybody's. */
    th_status status = take(shared, shared->held > 0 ? 0 : shared->wait_ns);
    if (status == TH_OK) {
        shared->held = 0;
    }
    return status;
}

/* Begins a call. False: it cannot, and the status says why. */
static bool enter(th_shared_heap *shared) {
    if (shared == NULL || shared->object == NULL) {
        return false;
    }
    if (shared->read_only) {
        shared->status = TH_ERR_UNSUPPORTED;
        return false;
    }
    th_status status = admit(shared);
    if (status == TH_OK) {
        shared->is_inside = true;
        status = have_lock(shared);
        shared->held += status == TH_OK;
        shared->is_inside = status == TH_OK;
    }
    shared->status = status;
    return status == TH_OK;
}

static void leave(th_shared_heap *shared) {
    shared->is_inside = true; /* of unlock and clean_up as well */
    shared->held--;
    if (shared->held == 0) {
        (void)th_process_lock_release(&th_shared_object_of(shared)->lock);
    }
    shared->status = TH_OK; /* whatever a signal handler was told */
    shared->is_inside = false;
}

/* Begins an operation. */
static bool begin(th_shared_heap *shared, const th_shared_intent *intent) {
    if (!enter(shared)) {
        return false;
    }
    th_shared_journal(shared, intent);
    return true;
}

/* Ends it: from here on it has happened. */
static void finish(th_shared_heap *shared) {
    shared->heap.journal = NULL;
    th_track_release(shared->heap.base, th_managed_bytes(&shared->heap));
    th_shared_commit(shared);
    leave(shared);
}

th_status th_shared_heap_lock(th_shared_heap *shared) {
    if (!enter(shared)) {
        return th_shared_heap_status(shared);
    }
    shared->thread = th_process_thread();
    shared->is_inside = false;
    return TH_OK;
}

void th_shared_heap_unlock(th_shared_heap *shared) {
    if (shared == NULL || shared->held == 0) {
        return;
    }
    th_status status = admit(shared);
    if (status == TH_OK && is_anothers(shared)) {
        status = TH_ERR_BUSY;
    }
    if (status == TH_OK) {
        leave(shared);
    } else {
        shared->status = status;
    }
}

void th_shared_heap_clean_up(th_shared_heap *shared) {
    static const th_shared_heap none = {0};
    if (shared == NULL) {
        return;
    }
    th_status status = admit(shared);
    if (status == TH_OK && shared->held > 0 && !enter(shared)) {
        status = shared->status; /* another thread's */
    }
    if (status == TH_ERR_BUSY) {
        shared->status = status;
        return;
    }
    while (status == TH_OK && shared->held > 0) {
        leave(shared);
    }
    *shared = none;
}

th_status th_shared_heap_status(const th_shared_heap *shared) {
    return shared == NULL || shared->object == NULL ? TH_ERR_NULL : shared->status;
}

/* ---- references ---------------------------------------------------------------------------- */

void *th_shared_heap_at(const th_shared_heap *shared, th_shared_ref ref) {
    return shared == NULL || shared->object == NULL || ref == 0 ? NULL : th_at(&shared->heap, ref);
}

th_shared_ref th_shared_heap_ref(const th_shared_heap *shared, const void *payload) {
    if (shared == NULL || shared->object == NULL || payload == NULL) {
        return 0;
    }
    return (th_shared_ref)(((uintptr_t)payload - (uintptr_t)shared->heap.base) / TH_DWORD_BYTES);
}

/* The header's offset. */
static uint32_t block_of(const th_shared_heap *shared, th_shared_ref ref) {
    return ref - th_header_dwords(&shared->heap);
}

/* ---- operations ---------------------------------------------------------------------------- */

static th_shared_ref make(th_shared_heap *shared, size_t bytes, size_t alignment, uint32_t tag,
                          uint32_t site, bool zeroed) {
    if (!begin(shared, &undoing)) {
        return 0;
    }
    void *payload = NULL;
    if (alignment <= TH_SHARED_HEAP_ALIGNMENT_MAX) {
        payload = zeroed ? th_heap_alloc_zeroed(&shared->heap, bytes, alignment, tag, site)
                         : th_heap_alloc_at(&shared->heap, bytes, alignment, tag, site);
    }
    finish(shared);
    return th_shared_heap_ref(shared, payload);
}

th_shared_ref th_shared_heap_alloc(th_shared_heap *shared, size_t bytes, uint32_t tag) {
    return make(shared, bytes, 1, tag, 0, false);
}

th_shared_ref th_shared_heap_alloc_at(th_shared_heap *shared, size_t bytes, size_t alignment,
                                      uint32_t tag, uint32_t site) {
    return make(shared, bytes, alignment, tag, site, false);
}

th_shared_ref th_shared_heap_alloc_zeroed(th_shared_heap *shared, size_t bytes, size_t alignment,
                                          uint32_t tag, uint32_t site) {
    return make(shared, bytes, alignment, tag, site, true);
}

size_t th_shared_heap_free(th_shared_heap *shared, th_shared_ref ref) {
    if (!begin(shared, &undoing)) {
        return 0;
    }
    shared->now =
        (th_shared_intent){.kind = TH_SHARED_FREE, .first = block_of(shared, ref), .second = 0};
    size_t freed = th_heap_free(&shared->heap, th_shared_heap_at(shared, ref));
    finish(shared);
    return freed;
}

th_shared_ref th_shared_heap_resize(th_shared_heap *shared, th_shared_ref ref, size_t bytes) {
    if (bytes == 0) {
        (void)th_shared_heap_free(shared, ref);
        return 0;
    }
    if (!begin(shared, &undoing)) {
        return 0;
    }
    void *payload = th_shared_heap_at(shared, ref);
    uint32_t block = block_of(shared, ref);
    size_t before = th_heap_requested_size(&shared->heap, payload);
    if (bytes < before) {
        /* The canary takes the place of contents. */
        shared->now = (th_shared_intent){.kind = TH_SHARED_SHRINK, .first = block, .second = bytes};
    } else { /* if it moves, the old block is freed when the new one is whole */
        shared->then = (th_shared_intent){.kind = TH_SHARED_FREE, .first = block, .second = 0};
    }
    /* Of what is no block a fault has been raised: no second one. */
    payload = before != 0 ? th_heap_realloc(&shared->heap, payload, bytes) : NULL;
    finish(shared);
    return th_shared_heap_ref(shared, payload);
}

size_t th_shared_heap_trim(th_shared_heap *shared, th_shared_ref ref) {
    if (!begin(shared, &undoing)) {
        return 0;
    }
    size_t freed = th_heap_trim(&shared->heap, th_shared_heap_at(shared, ref));
    finish(shared);
    return freed;
}

bool th_shared_heap_retag(th_shared_heap *shared, th_shared_ref ref, uint32_t tag) {
    if (!begin(shared, &undoing)) {
        return false;
    }
    bool done = th_heap_retag(&shared->heap, th_shared_heap_at(shared, ref), tag);
    finish(shared);
    return done;
}

uint32_t th_shared_heap_free_tags(th_shared_heap *shared, uint32_t low, uint32_t high) {
    const th_shared_intent freeing = {.kind = TH_SHARED_FREE_TAGS, .first = low, .second = high};
    if (!begin(shared, &freeing)) {
        return 0;
    }
    uint32_t freed = th_heap_free_tags(&shared->heap, low, high);
    finish(shared);
    return freed;
}

/* ---- compaction ---------------------------------------------------------------------------- */

/* The caller's callback, which may fork: the child must leave the heap alone. */
typedef struct asking {
    th_heap_move_fn may_move;
    void *context;
    uint64_t process;
    bool child;
} asking;

static bool ask(void *context, uint32_t tag, void *from, void *to, size_t bytes) {
    asking *a = context;
    if (a->child) {
        return false;
    }
    bool yes = a->may_move(a->context, tag, from, to, bytes);
    a->child = th_process_id() != a->process;
    return yes && !a->child;
}

th_heap_compaction th_shared_heap_compact(th_shared_heap *shared, size_t budget_bytes,
                                          th_heap_move_fn may_move, void *context) {
    static const th_heap_compaction nothing = {0};
    if (!begin(shared, &moving)) {
        return nothing;
    }
    asking a = {.may_move = may_move, .context = context, .process = shared->process};
    shared->thread = th_process_thread(); /* over the callbacks, as by lock */
    th_heap_compaction result =
        th_heap_compact_some(&shared->heap, budget_bytes, may_move != NULL ? ask : NULL, &a);
    if (a.child) {
        shared->heap.journal = NULL;
        shared->status = TH_ERR_STALE;
        shared->is_inside = false;
        return nothing;
    }
    finish(shared);
    return result;
}

/* ---- queries ------------------------------------------------------------------------------- */

th_shared_ref th_shared_heap_find(th_shared_heap *shared, uint32_t tag, uint32_t site) {
    th_shared_ref found = 0;
    if (!enter(shared)) {
        return 0;
    }
    th_heap_block block;
    for (bool more = th_heap_first(&shared->heap, &block); more && found == 0;
         more = th_heap_next(&shared->heap, &block)) {
        if (block.requested_bytes != 0 && block.tag == tag && block.site == site) {
            found = th_shared_heap_ref(shared, block.payload);
        }
    }
    leave(shared);
    return found;
}

size_t th_shared_heap_requested_size(th_shared_heap *shared, th_shared_ref ref) {
    if (!enter(shared)) {
        return 0;
    }
    size_t bytes = th_heap_requested_size(&shared->heap, th_shared_heap_at(shared, ref));
    leave(shared);
    return bytes;
}

th_shared_heap_stats th_shared_heap_get_stats(th_shared_heap *shared) {
    th_shared_heap_stats stats = {.operations = 0};
    if (enter(shared)) {
        th_heap_stats heap = th_heap_get_stats(&shared->heap);
        stats.region_bytes = heap.region_bytes;
        stats.used_bytes = heap.used_bytes;
        stats.high_water_bytes = heap.high_water_bytes;
        stats.free_bytes = heap.free_bytes;
        stats.largest_free_bytes = heap.largest_free_bytes;
        stats.head_blocks = heap.head_blocks;
        stats.tail_blocks = heap.tail_blocks;
        stats.free_blocks = heap.free_blocks;
        stats.failed_allocs = heap.failed_allocs;
        stats.operations = shared->operations;
        stats.moves = shared->moves;
        stats.repairs = shared->repairs;
        leave(shared);
    }
    return stats;
}

th_status th_shared_heap_check(th_shared_heap *shared, th_fault *fault) {
    th_fault found;
    if (fault == NULL) {
        fault = &found;
    }
    *fault =
        (th_fault){.kind = TH_FAULT_NONE, .block = TH_FAULT_NOWHERE, .offset = TH_FAULT_NOWHERE};
    if (!enter(shared)) {
        return th_shared_heap_status(shared);
    }
    th_status status = th_heap_check(&shared->heap, fault);
    leave(shared);
    return status;
}

/* ---- without the lock ---------------------------------------------------------------------- */

/* One look. TH_OK: nothing has changed meanwhile; TH_ERR_CORRUPT: nothing has, and it is damaged.
 */
static th_status look_once(th_shared_heap *view, th_shared_heap_look_fn look, void *context) {
    static const th_status told[2][2] = {{TH_ERR_BUSY, TH_ERR_CORRUPT}, {TH_ERR_BUSY, TH_OK}};
    const th_shared_object *object = view->object;
    uint32_t state = th_published(&object->state);
    if (th_shared_kind(state) != TH_SHARED_NONE) {
        return TH_ERR_BUSY;
    }
    bool is_whole = th_shared_load(view, state);
    if (is_whole) {
        look(context, &view->heap);
        if (is_behind(view, state)) {
            return TH_ERR_BUSY;
        }
    }
    return told[is_whole][th_published_still(&object->state) == state];
}

/* What looks like damage may be a change that is in progress. */
static void tell_nobody(void *context, const th_fault *fault) {
    (void)context;
    (void)fault;
}

th_status th_shared_heap_view(const th_shared_heap *shared, th_shared_heap_look_fn look,
                              void *context) {
    if (shared == NULL || shared->object == NULL || look == NULL) {
        return TH_ERR_NULL;
    }
    th_shared_heap view = *shared;
    view.heap.journal = NULL;
    view.heap.config.guarding.on_fault = tell_nobody;
    view.heap.index = (th_heap_index_arrays){0}; /* a walk believes only what it has just read */
    const uint32_t *is_refused = &th_shared_object_of(shared)->refused;
    th_status status = TH_ERR_BUSY;
    for (unsigned i = 0; i < LOOKS && th_published(is_refused) == 0; i++) {
        status = look_once(&view, look, context);
        if (status == TH_OK) {
            return TH_OK;
        }
        th_process_yield();
    }
    return th_published(is_refused) == 0 ? status : TH_ERR_CORRUPT;
}
