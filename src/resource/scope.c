/* SPDX-License-Identifier: MIT */
/* Scopes: an array of records, by ascending token, the last one of which is the next to run. What
 * is taken out of the middle moves the later ones down. */
#include "tagheap/scope.h"

#include <assert.h>
#include <string.h>

#include "alloc/guarding.h"
#include "base/align.h"

enum { NOT_STARTED = 0, OPEN, CLOSING };
enum { RECORD_ALIGNMENT = 8, FIRST_RECORDS = 8 };

struct th_scope_record {
    uint64_t token;
    th_scope_cleanup_fn run;
    void *context;
    bool on_error_only;
};

static_assert(sizeof(th_scope_record) <= TH_SCOPE_RECORD_BYTES, "what the header says");
static_assert(_Alignof(th_scope_record) <= RECORD_ALIGNMENT, "what the header says");

static void tell(const th_scope *scope, th_scope_event event, uint64_t token) {
    if (scope->config.hook != NULL) {
        scope->config.hook(scope->config.hook_context, event, token);
    }
}

/* May it be changed? */
static th_status enter(const th_scope *scope) {
    if (scope == NULL || scope->state == NOT_STARTED) {
        return TH_ERR_NULL;
    }
    return scope->state == OPEN ? TH_OK : TH_ERR_BUSY;
}

/* ---- records ------------------------------------------------------------------------------ */

static bool is_backed(const th_scope *scope) {
    return scope->records != scope->config.memory;
}

static void give_back_records(th_scope *scope) {
    if (is_backed(scope)) {
        th_allocator_free(scope->config.backing, scope->records);
    }
}

/* Room for `capacity` records, more than there is, in a new block. */
static bool grow(th_scope *scope, size_t capacity) {
    th_scope_record *records =
        th_allocator_alloc_array(scope->config.backing, capacity, sizeof *records);
    if (records == NULL) {
        return false;
    }
    if (scope->count > 0) {
        memcpy(records, scope->records, scope->count * sizeof *records);
    }
    give_back_records(scope);
    scope->records = records;
    scope->capacity = capacity;
    return true;
}

/* Room for `more` records: at first for twice as many as there are, and if there is no memory for
 * that, for what is needed. */
static th_status make_room(th_scope *scope, size_t more) {
    size_t limit = scope->config.deferred_max;
    if (more > SIZE_MAX - scope->count || (limit != 0 && scope->count + more > limit)) {
        return TH_ERR_TOO_LARGE;
    }
    size_t needed = scope->count + more;
    size_t ample = scope->capacity < FIRST_RECORDS ? FIRST_RECORDS : 2 * scope->capacity;
    if (needed <= scope->capacity || (ample > needed && grow(scope, ample)) ||
        grow(scope, needed)) {
        return TH_OK;
    }
    return TH_ERR_EXHAUSTED;
}

static void append(th_scope *scope, th_scope_record record, uint64_t *token) {
    record.token = scope->next++;
    scope->records[scope->count++] = record;
    if (scope->count > scope->peak) {
        scope->peak = scope->count;
    }
    if (token != NULL) {
        *token = record.token;
    }
    tell(scope, TH_SCOPE_DEFERRED, record.token);
}

static th_scope_record take_out(th_scope *scope, size_t place) {
    th_scope_record record = scope->records[place];
    scope->count--;
    memmove(scope->records + place, scope->records + place + 1,
            (scope->count - place) * sizeof record);
    return record;
}

/* The place of the token; false, after a fault, if it is not registered. */
static bool find(const th_scope *scope, uint64_t token, size_t *place) {
    size_t low = 0;
    size_t high = scope->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scope->records[middle].token < token) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *place = low;
    if (low < scope->count && scope->records[low].token == token) {
        return true;
    }
    if (th_guarding_level(&scope->config.guarding) > 0) {
        bool was_given = token != 0 && token < scope->next;
        th_guarding_raise(&scope->config.guarding,
                          was_given ? TH_FAULT_DOUBLE_FREE : TH_FAULT_NOT_A_BLOCK, SIZE_MAX,
                          SIZE_MAX, 0, token);
    }
    return false;
}

TH_DEFINE_SETTLE(scope);

/* The record at the place is gone without having run. */
static void forget(th_scope *scope, size_t place) {
    const th_scope_record record = take_out(scope, place);
    tell(scope, TH_SCOPE_CANCELLED, record.token);
    th_scope_settle(scope);
}

/* ---- starting ----------------------------------------------------------------------------- */

static void end_child(void *context) {
    th_scope *child = context;
    child->parent_token = 0; /* the parent has forgotten it */
    th_scope_clean_up(child);
}

static th_status verify_config(const th_scope_config *config) {
    size_t capacity = config->memory_bytes / sizeof(th_scope_record);
    if (!th_is_aligned((uintptr_t)config->memory, RECORD_ALIGNMENT)) {
        return TH_ERR_MISALIGNED;
    }
    bool has_memory = config->memory != NULL && capacity > 0;
    bool has_backing = config->backing.table != NULL;
    return (has_memory || has_backing) && th_guarding_is_valid(&config->guarding) &&
                   th_backing_is_usable(&config->backing)
               ? TH_OK
               : TH_ERR_CONFIG;
}

th_status th_scope_init(th_scope *scope, const th_scope_config *config) {
    uint64_t token = 0;
    if (scope == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = verify_config(config);
    if (status == TH_OK && config->parent != NULL) {
        status = th_scope_defer(config->parent, end_child, scope, &token);
    }
    if (status != TH_OK) {
        return status;
    }
    *scope = (th_scope){.records = config->memory,
                        .next = 1,
                        .parent_token = token,
                        .state = OPEN,
                        .config = *config};
    if (config->memory != NULL) {
        scope->capacity = config->memory_bytes / sizeof(th_scope_record);
    }
    return TH_OK;
}

/* ---- ending ------------------------------------------------------------------------------- */

static void run_all(th_scope *scope) {
    scope->state = CLOSING;
    while (scope->count > 0) {
        th_scope_record record = scope->records[--scope->count];
        if (record.on_error_only && scope->error == TH_OK) {
            tell(scope, TH_SCOPE_CANCELLED, record.token);
            continue;
        }
        tell(scope, TH_SCOPE_RUN, record.token);
        scope->runs++;
        record.run(record.context);
    }
    tell(scope, TH_SCOPE_ENDED, 0);
}

/* May it begin to end? */
static th_status enter_end(const th_scope *scope) {
    th_status status = enter(scope);
    if (status == TH_ERR_BUSY) {
        th_guarding_raise_reentry(&scope->config.guarding);
    }
    return status;
}

th_status th_scope_reset(th_scope *scope) {
    th_status status = enter_end(scope);
    if (status != TH_OK) {
        return status;
    }
    run_all(scope);
    status = scope->error;
    scope->error = TH_OK;
    scope->state = OPEN;
    th_scope_settle(scope);
    return status;
}

/* Takes a child that has ended out of its parent, which may be ending itself: it still holds the
 * token then, if the child ends before it is its turn. */
static void leave_parent(const th_scope *child) {
    th_scope *parent = child->config.parent;
    size_t place;
    if (child->parent_token != 0 && find(parent, child->parent_token, &place)) {
        forget(parent, place);
    }
}

void th_scope_clean_up(th_scope *scope) {
    if (enter_end(scope) != TH_OK) {
        return;
    }
    run_all(scope);
    leave_parent(scope);
    give_back_records(scope);
    *scope = (th_scope){0};
}

/* ---- registering -------------------------------------------------------------------------- */

/* Room for one more, if the scope may be changed. */
static th_status admit(th_scope *scope) {
    th_status status = enter(scope);
    if (status != TH_OK) {
        return status;
    }
    status = make_room(scope, 1);
    scope->refusals += status != TH_OK;
    return status;
}

static th_status defer(th_scope *scope, th_scope_record record, uint64_t *token) {
    if (token != NULL) {
        *token = 0;
    }
    th_status status = record.run != NULL ? admit(scope) : TH_ERR_NULL;
    if (status != TH_OK) {
        return status;
    }
    append(scope, record, token);
    th_scope_settle(scope);
    return TH_OK;
}

th_status th_scope_defer(th_scope *scope, th_scope_cleanup_fn cleanup, void *context,
                         uint64_t *token) {
    return defer(scope, (th_scope_record){.run = cleanup, .context = context}, token);
}

th_status th_scope_defer_on_error(th_scope *scope, th_scope_cleanup_fn cleanup, void *context,
                                  uint64_t *token) {
    const th_scope_record record = {.run = cleanup, .context = context, .on_error_only = true};
    return defer(scope, record, token);
}

th_status th_scope_defer_or_run(th_scope *scope, th_scope_cleanup_fn cleanup, void *context,
                                uint64_t *token) {
    th_status status = th_scope_defer(scope, cleanup, context, token);
    if (status != TH_OK && cleanup != NULL) {
        cleanup(context);
    }
    return status;
}

th_status th_scope_reserve(th_scope *scope, size_t count) {
    th_status status = enter(scope);
    return status == TH_OK ? make_room(scope, count) : status;
}

/* ---- one by one --------------------------------------------------------------------------- */

/* The place of a token of an open scope. */
static th_status look_up(const th_scope *scope, uint64_t token, size_t *place) {
    th_status status = enter(scope);
    if (status != TH_OK) {
        return status;
    }
    return find(scope, token, place) ? TH_OK : TH_ERR_CORRUPT;
}

th_status th_scope_run(th_scope *scope, uint64_t token) {
    size_t place;
    th_status status = look_up(scope, token, &place);
    if (status != TH_OK) {
        return status;
    }
    th_scope_record record = take_out(scope, place);
    tell(scope, TH_SCOPE_RUN, token);
    scope->runs++;
    th_scope_settle(scope);
    record.run(record.context);
    return TH_OK;
}

th_status th_scope_cancel(th_scope *scope, uint64_t token) {
    size_t place;
    th_status status = look_up(scope, token, &place);
    if (status != TH_OK) {
        return status;
    }
    forget(scope, place);
    return TH_OK;
}

th_status th_scope_hand_over(th_scope *scope, uint64_t token, th_scope *to, uint64_t *new_token) {
    size_t place;
    if (new_token != NULL) {
        *new_token = 0;
    }
    th_status status = look_up(scope, token, &place);
    if (status != TH_OK) {
        return status;
    }
    status = admit(to);
    if (status != TH_OK) {
        return status;
    }
    /* Out first: a hook that is told of it may change the places. */
    append(to, take_out(scope, place), new_token);
    tell(scope, TH_SCOPE_CANCELLED, token);
    th_scope_settle(to);
    th_scope_settle(scope);
    return TH_OK;
}

/* ---- errors and questions ----------------------------------------------------------------- */

th_status th_scope_fail(th_scope *scope, th_status status) {
    if (scope == NULL || scope->state == NOT_STARTED) {
        return TH_ERR_NULL;
    }
    if (scope->error == TH_OK && status != TH_OK) {
        scope->error = status;
        tell(scope, TH_SCOPE_FAILED, 0);
    }
    return scope->error;
}

th_status th_scope_error(const th_scope *scope) {
    if (scope == NULL || scope->state == NOT_STARTED) {
        return TH_ERR_NULL;
    }
    return scope->error;
}

th_scope_stats th_scope_get_stats(const th_scope *scope) {
    if (scope == NULL) {
        return (th_scope_stats){0};
    }
    return (th_scope_stats){.deferred = scope->count,
                            .deferred_peak = scope->peak,
                            .runs = scope->runs,
                            .refusals = scope->refusals,
                            .records_bytes = scope->capacity * sizeof(th_scope_record)};
}

th_status th_scope_check(const th_scope *scope, th_fault *fault) {
    uint64_t before = 0;
    th_no_fault(fault);
    if (scope == NULL || scope->state == NOT_STARTED) {
        return TH_ERR_NULL;
    }
    if (scope->count > scope->capacity) {
        return th_guarding_corrupt(fault, TH_FAULT_COUNT, SIZE_MAX, SIZE_MAX, scope->capacity,
                                   scope->count);
    }
    for (size_t i = 0; i < scope->count; i++) {
        const th_scope_record *record = scope->records + i;
        if (record->token <= before || record->token >= scope->next || record->run == NULL) {
            return th_guarding_corrupt(fault, TH_FAULT_CHAIN, i, SIZE_MAX, before, record->token);
        }
        before = record->token;
    }
    return TH_OK;
}
