/* SPDX-License-Identifier: MIT */
#include "contract/observer.h"

#include <string.h>

static lab_figures figures_of(const lab_observer *w) {
    lab_figures figures = {0};
    if (w->subject->measure != NULL) {
        w->subject->measure(w->instance.state, &figures);
    }
    return figures;
}

/* ---- what is seen ------------------------------------------------------------------------- */

/* A call that moved a block had both of them for a moment: the most there can have been. */
static void note_used(lab_observer *w, bool moved) {
    lab_figures figures = figures_of(w);
    uint64_t most = figures.used + (moved ? w->used : 0);
    w->used = figures.used;
    w->peak_least = w->used > w->peak_least ? w->used : w->peak_least;
    w->peak_most = most > w->peak_most ? most : w->peak_most;
}

static void note_refusal(lab_observer *w, size_t bytes, size_t alignment) {
    const lab_instance *instance = &w->instance;
    bool fits = (instance->bytes_max == 0 || bytes <= instance->bytes_max) &&
                (instance->alignment_max == 0 || alignment <= instance->alignment_max);
    w->refused++;
    w->refused_in_frame++;
    w->refused_fitting += fits;
}

/* A request was answered; one of 0 bytes is none that can be refused. */
static void note_answer(lab_observer *w, const void *block, size_t bytes, size_t alignment) {
    if (block != NULL) {
        w->allocs++;
    } else if (bytes != 0) {
        note_refusal(w, bytes, alignment);
    }
    note_used(w, false);
}

void lab_observer_look(lab_observer *w) {
    note_used(w, false);
}

void lab_observer_flip(lab_observer *w) {
    w->refused_in_frame = 0;
    note_used(w, false);
}

/* ---- the table ---------------------------------------------------------------------------- */

static void *alloc(void *self, size_t bytes, size_t alignment) {
    lab_observer *w = self;
    th_allocator subject = w->instance.allocator;
    void *block = subject.table->alloc(subject.self, bytes, alignment);
    note_answer(w, block, bytes, alignment);
    return block;
}

void *lab_observer_alloc_tagged(lab_observer *w, size_t bytes, size_t alignment, uint32_t tag,
                                bool zeroed) {
    void *block = w->subject->tags->alloc(w->instance.state, bytes, alignment, tag, zeroed);
    note_answer(w, block, bytes, alignment);
    return block;
}

void *lab_observer_alloc_array(lab_observer *w, size_t count, size_t size) {
    bool is_size = count != 0 && size != 0 && count <= PTRDIFF_MAX / size;
    void *block = w->subject->alloc_array(w->instance.state, count, size);
    if (block != NULL) {
        w->allocs++;
    } else if (is_size) {
        note_refusal(w, count * size, TH_ALLOCATOR_ALIGNMENT);
    }
    note_used(w, false);
    return block;
}

static void free_block(void *self, void *pointer) {
    lab_observer *w = self;
    th_allocator subject = w->instance.allocator;
    if (w->subject->free_block != NULL) {
        w->freed = w->subject->free_block(w->instance.state, pointer);
    } else {
        subject.table->free(subject.self, pointer);
    }
    note_used(w, false);
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    lab_observer *w = self;
    th_allocator subject = w->instance.allocator;
    bool done = subject.table->resize_in_place(subject.self, pointer, bytes);
    note_used(w, false);
    return done;
}

static void *resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    lab_observer *w = self;
    th_allocator subject = w->instance.allocator;
    uintptr_t old = (uintptr_t)pointer;
    void *block = subject.table->realloc(subject.self, pointer, kept, bytes, alignment);
    bool moved = block != NULL && (uintptr_t)block != old;
    w->allocs += moved;
    if (block == NULL && bytes != 0) {
        note_refusal(w, bytes, alignment);
    }
    note_used(w, moved);
    return block;
}

static th_status reset(void *self) {
    lab_observer *w = self;
    th_allocator subject = w->instance.allocator;
    th_status status = subject.table->reset(subject.self);
    lab_observer_flip(w);
    return status;
}

static bool owns(const void *self, const void *pointer) {
    const lab_observer *w = self;
    return th_allocator_owns(w->instance.allocator, pointer);
}

static size_t usable_size(const void *self, const void *pointer) {
    const lab_observer *w = self;
    return th_allocator_usable_size(w->instance.allocator, pointer);
}

static th_status check(const void *self, th_fault *fault) {
    const lab_observer *w = self;
    return th_allocator_check(w->instance.allocator, fault);
}

void lab_observer_start(lab_observer *w, const lab_subject *subject, lab_instance *instance) {
    const th_allocator_table *has = instance->allocator.table;
    memset(w, 0, sizeof *w);
    w->subject = subject;
    w->instance = *instance;
    w->table = (th_allocator_table){.alloc = alloc,
                                    .free = free_block,
                                    .resize_in_place =
                                        has->resize_in_place != NULL ? resize_in_place : NULL,
                                    .realloc = has->realloc != NULL ? resize : NULL,
                                    .reset = has->reset != NULL ? reset : NULL,
                                    .owns = has->owns != NULL ? owns : NULL,
                                    .usable_size = has->usable_size != NULL ? usable_size : NULL,
                                    .check = has->check != NULL ? check : NULL};
    instance->allocator = (th_allocator){.table = &w->table, .self = w};
    note_used(w, false);
}

/* ---- the comparison ----------------------------------------------------------------------- */

bool lab_observer_agrees(const lab_observer *w, const lab_contract *model,
                         const lab_backing *backing, lab_observer_figure *wrong) {
    const lab_figures f = figures_of(w);
    const lab_observer_figure rows[] = {
        {LAB_FIGURE_LIVE, "live blocks", model->live, model->live, f.live},
        {LAB_FIGURE_REQUESTED, "requested bytes", model->live_bytes, model->live_bytes,
         f.requested},
        {LAB_FIGURE_PEAK, "high-water mark", w->peak_least, w->peak_most, f.peak},
        {LAB_FIGURE_RESERVED, "reserved bytes", backing->live, backing->live, f.reserved},
        {LAB_FIGURE_ALLOCS, "allocations", w->allocs, w->allocs, f.allocs},
        {LAB_FIGURE_REFUSED, "refusals", w->refused, w->refused, f.refused},
        {LAB_FIGURE_REFUSED_FITTING, "refusals", w->refused_fitting, w->refused_fitting, f.refused},
        {LAB_FIGURE_REFUSED_IN_FRAME, "refusals in the frame", w->refused_in_frame,
         w->refused_in_frame, f.refused_in_frame},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((f.exact & rows[i].exact) != 0 &&
            (rows[i].found < rows[i].least || rows[i].found > rows[i].most)) {
            *wrong = rows[i];
            return false;
        }
    }
    return true;
}
