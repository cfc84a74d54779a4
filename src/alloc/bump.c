/* SPDX-License-Identifier: MIT */
/* Bump heap: one span. */
#include "tagheap/bump.h"

#include <string.h>

#include "alloc/span.h"
#include "alloc/thunks.h"
#include "base/align.h"

#define NUMBER ((size_t)0) /* of the only span, in faults */

static const th_guarding *guarding_of(const th_bump *bump) {
    return &bump->config.guarding;
}

th_status th_bump_init(th_bump *bump, void *memory, size_t bytes, const th_bump_config *config) {
    static const th_bump_config defaults = {0};
    if (bump == NULL || memory == NULL) {
        return TH_ERR_NULL;
    }
    if (bytes == 0) {
        return TH_ERR_TOO_SMALL;
    }
    if (bytes > PTRDIFF_MAX) {
        return TH_ERR_TOO_LARGE;
    }
    config = config != NULL ? config : &defaults;
    if (!th_guarding_is_valid(&config->guarding)) {
        return TH_ERR_CONFIG;
    }
    *bump = (th_bump){.span = th_span_make(memory, bytes), .config = *config};
    return TH_OK;
}

void th_bump_clean_up(th_bump *bump) {
    if (bump == NULL || bump->span.base == NULL) {
        return;
    }
    (void)th_span_verify(&bump->span, guarding_of(bump), NUMBER, bump->span.base);
    th_span_release(&bump->span);
    *bump = (th_bump){0};
}

TH_DEFINE_SETTLE(bump);

static inline void *place(th_bump *bump, size_t bytes, size_t mask) {
    if (bump == NULL) {
        return NULL;
    }
    unsigned char *start;
    if (!th_span_find(&bump->span, bytes, mask, &start)) {
        bump->failed_allocs += bytes != 0;
        return NULL;
    }
    bool taken = th_span_take(&bump->span, guarding_of(bump), NUMBER, start, bytes);
    bump->allocs += taken;
    th_bump_settle(bump);
    return taken ? start : NULL;
}

void *th_bump_alloc(th_bump *bump, size_t bytes) {
    return place(bump, bytes, TH_ALLOCATOR_ALIGNMENT - 1);
}

void *th_bump_alloc_aligned(th_bump *bump, size_t bytes, size_t alignment) {
    return th_is_power_of_two(alignment) ? place(bump, bytes, alignment - 1) : NULL;
}

/* A pointer that comes back lies in memory that is handed out. */
static bool verify_pointer(const th_bump *bump, const void *pointer) {
    if (th_guarding_level(guarding_of(bump)) == 0 || th_bump_owns(bump, pointer)) {
        return true;
    }
    th_span_raise_bad_pointer(&bump->span, guarding_of(bump), NUMBER, pointer);
    return false;
}

static void note_high_water(th_bump *bump) {
    size_t used = th_span_used(&bump->span);
    bump->high_water = used > bump->high_water ? used : bump->high_water;
}

bool th_bump_resize_in_place(th_bump *bump, void *pointer, size_t bytes) {
    if (bump == NULL || pointer == NULL || !verify_pointer(bump, pointer) ||
        pointer != bump->span.last) {
        return false;
    }
    note_high_water(bump);
    bool resized = th_span_resize(&bump->span, guarding_of(bump), NUMBER, bytes);
    th_bump_settle(bump);
    return resized;
}

void th_bump_free(th_bump *bump, void *pointer) {
    if (bump == NULL || pointer == NULL || !verify_pointer(bump, pointer) ||
        pointer != bump->span.last ||
        !th_span_verify(&bump->span, guarding_of(bump), NUMBER, bump->span.last)) {
        return;
    }
    note_high_water(bump);
    th_span_cut(&bump->span, guarding_of(bump), bump->span.last);
    th_bump_settle(bump);
}

th_status th_bump_reset(th_bump *bump) {
    if (bump == NULL || bump->span.base == NULL) {
        return TH_ERR_NULL;
    }
    if (!th_span_verify(&bump->span, guarding_of(bump), NUMBER, bump->span.base)) {
        return TH_ERR_CORRUPT;
    }
    note_high_water(bump);
    th_span_cut(&bump->span, guarding_of(bump), bump->span.base);
    th_bump_settle(bump);
    return TH_OK;
}

bool th_bump_owns(const th_bump *bump, const void *pointer) {
    if (bump == NULL) {
        return false;
    }
    return th_span_holds(&bump->span, pointer);
}

th_bump_stats th_bump_get_stats(const th_bump *bump) {
    if (bump == NULL) {
        return (th_bump_stats){0};
    }
    size_t used = th_span_used(&bump->span);
    return (th_bump_stats){.used_bytes = used,
                           .left_bytes = th_span_room(&bump->span),
                           .high_water_bytes = used > bump->high_water ? used : bump->high_water,
                           .allocs = bump->allocs,
                           .failed_allocs = bump->failed_allocs};
}

th_status th_bump_check(const th_bump *bump, th_fault *fault) {
    th_no_fault(fault);
    if (bump == NULL || bump->span.base == NULL) {
        return TH_ERR_NULL;
    }
    return th_span_check(&bump->span, guarding_of(bump), NUMBER, fault);
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return place(self, bytes, alignment - 1);
}

TH_THUNKS(bump);
TH_THUNK_RESIZE_IN_PLACE(bump);

/* What shrinks stays, for its memory could not be used anyway. A bad pointer has been reported by
 * resize_in_place, which is always asked first; after the end every pointer is one. */
static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_bump *bump = self;
    if (!th_bump_owns(bump, pointer)) {
        return NULL;
    }
    if (bytes <= kept) {
        return pointer;
    }
    void *block = place(bump, bytes, alignment - 1);
    if (block != NULL) {
        memcpy(block, pointer, kept);
        th_bump_free(bump, pointer);
    }
    return block;
}

th_allocator th_bump_allocator(th_bump *bump) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .resize_in_place = th_bump_thunk_resize_in_place,
                                             .realloc = table_realloc,
                                             TH_THUNKS_OF(bump)};
    return th_allocator_of(&table, bump);
}
