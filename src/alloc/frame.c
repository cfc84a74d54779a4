/* SPDX-License-Identifier: MIT */
/* Frame arena: two spans that change places. */
#include "tagheap/frame.h"

#include <string.h>

#include "alloc/span.h"
#include "alloc/thunks.h"
#include "base/align.h"

#define UNIT TH_ALLOCATOR_ALIGNMENT

static const th_guarding *guarding_of(const th_frame *frame) {
    return &frame->config.guarding;
}

static bool is_guarded(const th_frame *frame) {
    return th_guarding_level(guarding_of(frame)) > 0;
}

static size_t number_before(const th_frame *frame) {
    return 1 - frame->current;
}

static size_t skipped_in(const void *memory) {
    return (size_t)(0 - (uintptr_t)memory) & (UNIT - 1);
}

static th_status check_config(const th_frame_config *config) {
    const bool has_backing = config->backing.table != NULL;
    const bool has_memory = config->memory != NULL;
    if (!has_backing && !has_memory) {
        return TH_ERR_NULL;
    }
    if ((has_backing && has_memory) || !th_guarding_is_valid(&config->guarding) ||
        !th_backing_is_usable(&config->backing)) {
        return TH_ERR_CONFIG;
    }
    if (config->frame_bytes > PTRDIFF_MAX / 4 || config->memory_bytes > PTRDIFF_MAX / 4) {
        return TH_ERR_TOO_LARGE;
    }
    if (has_backing) {
        return config->frame_bytes > 0 ? TH_OK : TH_ERR_TOO_SMALL;
    }
    return config->memory_bytes >= skipped_in(config->memory) + 2 * UNIT ? TH_OK : TH_ERR_TOO_SMALL;
}

th_status th_frame_init(th_frame *frame, const th_frame_config *config) {
    if (frame == NULL || config == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = check_config(config);
    if (status != TH_OK) {
        return status;
    }
    th_frame fresh = {.config = *config};
    unsigned char *first = config->memory;
    size_t bytes = config->frame_bytes;
    size_t pitch = (bytes + UNIT - 1) & ~(UNIT - 1);
    if (first == NULL) {
        fresh.owned_bytes = pitch + bytes;
        fresh.owned = th_allocator_alloc_aligned(config->backing, fresh.owned_bytes, UNIT);
        first = fresh.owned;
    } else {
        first += skipped_in(first);
        pitch = ((config->memory_bytes - skipped_in(config->memory)) / 2) & ~(UNIT - 1);
        bytes = pitch;
    }
    if (first == NULL) {
        return TH_ERR_EXHAUSTED;
    }
    fresh.config.frame_bytes = bytes;
    fresh.span = th_span_make(first, bytes);
    fresh.before = th_span_make(first + pitch, bytes);
    *frame = fresh;
    return TH_OK;
}

void th_frame_clean_up(th_frame *frame) {
    if (frame == NULL || frame->span.base == NULL) {
        return;
    }
    (void)th_span_verify(&frame->span, guarding_of(frame), frame->current, frame->span.base);
    (void)th_span_verify(&frame->before, guarding_of(frame), number_before(frame),
                         frame->before.base);
    th_span_release(&frame->span);
    th_span_release(&frame->before);
    th_allocator_free(frame->config.backing, frame->owned);
    *frame = (th_frame){0};
}

TH_DEFINE_SETTLE(frame);

static inline void *place(th_frame *frame, size_t bytes, size_t mask) {
    if (frame == NULL) {
        return NULL;
    }
    unsigned char *start;
    if (!th_span_find(&frame->span, bytes, mask, &start)) {
        frame->failed_allocs += bytes != 0;
        frame->failed_in_frame += bytes != 0;
        return NULL;
    }
    bool taken = th_span_take(&frame->span, guarding_of(frame), frame->current, start, bytes);
    frame->allocs += taken;
    th_frame_settle(frame);
    return taken ? start : NULL;
}

void *th_frame_alloc(th_frame *frame, size_t bytes) {
    return place(frame, bytes, TH_ALLOCATOR_ALIGNMENT - 1);
}

void *th_frame_alloc_aligned(th_frame *frame, size_t bytes, size_t alignment) {
    return th_is_power_of_two(alignment) ? place(frame, bytes, alignment - 1) : NULL;
}

bool th_frame_owns(const th_frame *frame, const void *pointer) {
    if (frame == NULL) {
        return false;
    }
    return th_span_holds(&frame->span, pointer) || th_span_holds(&frame->before, pointer);
}

static bool verify_pointer(const th_frame *frame, const void *pointer) {
    if (!is_guarded(frame) || th_frame_owns(frame, pointer)) {
        return true;
    }
    if (th_span_covers(&frame->before, pointer)) {
        th_span_raise_bad_pointer(&frame->before, guarding_of(frame), number_before(frame),
                                  pointer);
    } else {
        th_span_raise_bad_pointer(&frame->span, guarding_of(frame), frame->current, pointer);
    }
    return false;
}

static void note_high_water(th_frame *frame) {
    size_t used = th_span_used(&frame->span);
    frame->high_water = used > frame->high_water ? used : frame->high_water;
}

bool th_frame_resize_in_place(th_frame *frame, void *pointer, size_t bytes) {
    if (frame == NULL || pointer == NULL || !verify_pointer(frame, pointer) ||
        pointer != frame->span.last) {
        return false;
    }
    note_high_water(frame);
    bool resized = th_span_resize(&frame->span, guarding_of(frame), frame->current, bytes);
    th_frame_settle(frame);
    return resized;
}

th_status th_frame_flip(th_frame *frame) {
    if (frame == NULL || frame->span.base == NULL) {
        return TH_ERR_NULL;
    }
    th_span next = frame->before;
    if (!th_span_verify(&next, guarding_of(frame), number_before(frame), next.base)) {
        return TH_ERR_CORRUPT;
    }
    note_high_water(frame);
    th_span_cut(&next, guarding_of(frame), next.base);
    frame->before = frame->span;
    frame->span = next;
    frame->current = number_before(frame);
    frame->frames++;
    frame->failed_in_frame = 0;
    th_frame_settle(frame);
    return TH_OK;
}

th_frame_stats th_frame_get_stats(const th_frame *frame) {
    if (frame == NULL) {
        return (th_frame_stats){0};
    }
    size_t used = th_span_used(&frame->span);
    return (th_frame_stats){.frames = frame->frames,
                            .frame_bytes = frame->config.frame_bytes,
                            .used_bytes = used,
                            .used_before_bytes = th_span_used(&frame->before),
                            .high_water_bytes = used > frame->high_water ? used : frame->high_water,
                            .allocs = frame->allocs,
                            .failed_allocs = frame->failed_allocs,
                            .failed_in_frame = frame->failed_in_frame};
}

th_status th_frame_check(const th_frame *frame, th_fault *fault) {
    th_no_fault(fault);
    if (frame == NULL || frame->span.base == NULL) {
        return TH_ERR_NULL;
    }
    th_status status = th_span_check(&frame->span, guarding_of(frame), frame->current, fault);
    if (status != TH_OK) {
        return status;
    }
    return th_span_check(&frame->before, guarding_of(frame), number_before(frame), fault);
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return place(self, bytes, alignment - 1);
}

static void table_free(void *self, void *pointer) {
    (void)verify_pointer(self, pointer);
}

static bool table_resize_in_place(void *self, void *pointer, size_t bytes) {
    return th_frame_resize_in_place(self, pointer, bytes);
}

/* What shrinks stays, for its memory could not be used anyway. A bad pointer has been reported by
 * resize_in_place, which is always asked first; after the end every pointer is one. */
static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    th_frame *frame = self;
    if (!th_frame_owns(frame, pointer)) {
        return NULL;
    }
    if (bytes <= kept) {
        return pointer;
    }
    void *block = place(frame, bytes, alignment - 1);
    return block != NULL ? memcpy(block, pointer, kept) : NULL;
}

static th_status table_reset(void *self) {
    return th_frame_flip(self);
}

static bool table_owns(const void *self, const void *pointer) {
    return th_frame_owns(self, pointer);
}

TH_THUNK_CHECK(frame);

th_allocator th_frame_allocator(th_frame *frame) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .free = table_free,
                                             .resize_in_place = table_resize_in_place,
                                             .realloc = table_realloc,
                                             .reset = table_reset,
                                             .owns = table_owns,
                                             .check = th_frame_thunk_check};
    return th_allocator_of(&table, frame);
}
