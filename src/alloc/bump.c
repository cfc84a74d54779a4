/* SPDX-License-Identifier: MIT */
/* Bump heap: one span. */
#include "tagheap/bump.h"

#include <string.h>

#include "alloc/span.h"
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

/* Level 3: the checker after each operation. */
static void settle(const th_bump *bump) {
    th_fault fault;
    if (th_guarding_level(guarding_of(bump)) >= 3 && th_bump_check(bump, &fault) != TH_OK) {
        th_guarding_report(guarding_of(bump), &fault);
    }
}

static inline void *place(th_bump *bump, size_t bytes, size_t mask) {
    unsigned char *start;
    if (!th_span_find(&bump->span, bytes, mask, &start)) {
        bump->failed_allocs += bytes != 0;
        return NULL;
    }
    bool taken = th_span_take(&bump->span, guarding_of(bump), NUMBER, start, bytes);
    bump->allocs += taken;
    settle(bump);
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

bool th_bump_resize(th_bump *bump, void *pointer, size_t bytes) {
    if (pointer == NULL || !verify_pointer(bump, pointer) || pointer != bump->span.last) {
        return false;
    }
    note_high_water(bump);
    bool resized = th_span_resize(&bump->span, guarding_of(bump), NUMBER, bytes);
    settle(bump);
    return resized;
}

void th_bump_free(th_bump *bump, void *pointer) {
    if (pointer == NULL || !verify_pointer(bump, pointer) || pointer != bump->span.last ||
        !th_span_verify(&bump->span, guarding_of(bump), NUMBER, bump->span.last)) {
        return;
    }
    note_high_water(bump);
    th_span_cut(&bump->span, guarding_of(bump), bump->span.last);
    settle(bump);
}

th_status th_bump_reset(th_bump *bump) {
    if (!th_span_verify(&bump->span, guarding_of(bump), NUMBER, bump->span.base)) {
        return TH_ERR_CORRUPT;
    }
    note_high_water(bump);
    th_span_cut(&bump->span, guarding_of(bump), bump->span.base);
    settle(bump);
    return TH_OK;
}

bool th_bump_owns(const th_bump *bump, const void *pointer) {
    return th_span_holds(&bump->span, pointer);
}

th_bump_stats th_bump_get_stats(const th_bump *bump) {
    size_t used = th_span_used(&bump->span);
    return (th_bump_stats){.used_bytes = used,
                           .left_bytes = th_span_room(&bump->span),
                           .high_water_bytes = used > bump->high_water ? used : bump->high_water,
                           .allocs = bump->allocs,
                           .failed_allocs = bump->failed_allocs};
}

th_status th_bump_check(const th_bump *bump, th_fault *fault) {
    return th_span_check(&bump->span, guarding_of(bump), NUMBER, fault);
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return place(self, bytes, alignment - 1);
}

static void table_free(void *self, void *pointer) {
    th_bump_free(self, pointer);
}

static bool table_resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_bump_resize(self, pointer, bytes);
}

/* What shrinks stays, for its memory could not be used anyway. A bad pointer has been reported by
 * table_resize_in_place, which is always asked first; after the end every pointer is one. */
static void *table_resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
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

static void table_reset(void *self) {
    (void)th_bump_reset(self);
}

static bool table_owns(const void *self, const void *pointer) {
    return th_bump_owns(self, pointer);
}

static th_status table_check(const void *self, th_fault *fault) {
    return th_bump_check(self, fault);
}

th_allocator th_bump_allocator(th_bump *bump) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .free = table_free,
                                             .resize_in_place = table_resize_in_place,
                                             .resize = table_resize,
                                             .reset = table_reset,
                                             .owns = table_owns,
                                             .check = table_check};
    return (th_allocator){.table = &table, .self = bump};
}
