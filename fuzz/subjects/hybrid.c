/* SPDX-License-Identifier: MIT */
/* Hybrid buffers: one for each block. The variant says how much memory each has embedded, which is
 * the backing's, too. A reset releases them all, and later blocks use them again. */
#include <stdlib.h>

#include "subjects/ground.h"
#include "subjects/subjects.h"
#include "tagheap/hybrid.h"

enum { EMBEDDED_ALIGNMENT_MAX = 64 };

typedef struct buffer buffer;
struct buffer {
    th_hybrid hybrid;
    void *embedded; /* NULL: none */
    buffer *next;
};

typedef struct state {
    buffer *buffers;
    buffer *released; /* the last one first */
    size_t embedded_bytes;
    lab_setup setup;
} state;

static buffer *find(const state *s, const void *data) {
    buffer *at = s->buffers;
    while (at != NULL && th_hybrid_data(&at->hybrid) != data) {
        at = at->next;
    }
    return at;
}

/* A buffer that is in no list ends. */
static void end_buffer(state *s, buffer *b) {
    th_hybrid_clean_up(&b->hybrid);
    th_allocator_free(s->setup.backing, b->embedded);
    free(b);
}

static void drop(state *s, buffer *b) {
    buffer **link = &s->buffers;
    while (*link != b) {
        link = &(*link)->next;
    }
    *link = b->next;
    end_buffer(s, b);
}

/* The buffer found no memory for `bytes` bytes: there must be none, not just none left over. */
static void expect_none(const state *s, size_t bytes, size_t alignment) {
    const th_fault fault = {.kind = TH_FAULT_COUNT, .expected = (uint32_t)bytes};
    void *block = th_allocator_alloc_aligned(s->setup.backing, bytes, alignment);
    if (block != NULL) {
        s->setup.on_fault(s->setup.fault_context, &fault);
    }
    th_allocator_free(s->setup.backing, block);
}

/* One that was released, for the same alignment; NULL: there is none. */
static buffer *take_released(state *s, size_t alignment) {
    buffer **link = &s->released;
    while (*link != NULL && (*link)->hybrid.config.alignment != alignment) {
        link = &(*link)->next;
    }
    buffer *b = *link;
    if (b != NULL) {
        *link = b->next;
    }
    return b;
}

/* NULL: not enough memory. */
static buffer *make_buffer(state *s, size_t alignment) {
    buffer *b = calloc(1, sizeof *b);
    size_t embedded_bytes = alignment <= EMBEDDED_ALIGNMENT_MAX ? s->embedded_bytes : 0;
    th_hybrid_config config = {.backing = s->setup.backing,
                               .alignment = alignment,
                               .guarding = lab_ground_guarding(&s->setup)};
    if (b == NULL) {
        abort();
    }
    if (embedded_bytes > 0) {
        b->embedded = th_allocator_alloc_aligned(s->setup.backing, embedded_bytes, alignment);
    }
    if ((embedded_bytes > 0 && b->embedded == NULL) ||
        th_hybrid_init(&b->hybrid, b->embedded, embedded_bytes, &config) != TH_OK) {
        free(b);
        return NULL;
    }
    return b;
}

static void *alloc(void *self, size_t bytes, size_t alignment) {
    state *s = self;
    buffer *b = take_released(s, alignment);
    if (b == NULL) {
        b = make_buffer(s, alignment);
    }
    if (b == NULL) {
        return NULL;
    }
    b->next = s->buffers;
    s->buffers = b;
    if (th_hybrid_resize(&b->hybrid, bytes) != TH_OK) {
        expect_none(s, bytes, alignment);
        drop(s, b);
        return NULL;
    }
    return th_hybrid_data(&b->hybrid);
}

static void free_block(void *self, void *pointer) {
    drop(self, find(self, pointer));
}

static bool resize_in_place(void *self, void *pointer, size_t bytes) {
    buffer *b = find(self, pointer);
    return bytes <= th_hybrid_get_stats(&b->hybrid).capacity_bytes &&
           th_hybrid_resize(&b->hybrid, bytes) == TH_OK;
}

static void *resize(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    buffer *b = find(self, pointer);
    (void)kept;
    if (th_hybrid_resize(&b->hybrid, bytes) != TH_OK) {
        expect_none(self, bytes, alignment);
        return NULL;
    }
    return th_hybrid_data(&b->hybrid);
}

/* It is as it was at first: where it is has to be its embedded memory. */
static void release(state *s, buffer *b) {
    const th_fault fault = {.kind = TH_FAULT_COUNT};
    bool empty = th_hybrid_release(&b->hybrid) == TH_OK && th_hybrid_size(&b->hybrid) == 0 &&
                 th_hybrid_data(&b->hybrid) == b->embedded && th_hybrid_is_embedded(&b->hybrid);
    if (!empty) {
        s->setup.on_fault(s->setup.fault_context, &fault);
    }
}

static th_status reset(void *self) {
    state *s = self;
    while (s->buffers != NULL) {
        buffer *b = s->buffers;
        s->buffers = b->next;
        release(s, b);
        b->next = s->released;
        s->released = b;
    }
    return TH_OK;
}

static bool owns(const void *self, const void *pointer) {
    const state *s = self;
    for (const buffer *b = s->buffers; b != NULL; b = b->next) {
        uintptr_t distance = (uintptr_t)pointer - (uintptr_t)th_hybrid_data(&b->hybrid);
        if (distance < th_hybrid_size(&b->hybrid)) {
            return true;
        }
    }
    return false;
}

static size_t usable_size(const void *self, const void *pointer) {
    return th_hybrid_size(&find(self, pointer)->hybrid);
}

static th_status check_list(const buffer *b, th_fault *fault) {
    th_status status = TH_OK;
    for (; status == TH_OK && b != NULL; b = b->next) {
        status = th_hybrid_check(&b->hybrid, fault);
    }
    return status;
}

static th_status check(const void *self, th_fault *fault) {
    const state *s = self;
    th_status status = check_list(s->buffers, fault);
    return status == TH_OK ? check_list(s->released, fault) : status;
}

static bool create(const lab_setup *setup, lab_instance *instance) {
    static const th_allocator_table table = {.alloc = alloc,
                                             .free = free_block,
                                             .resize_in_place = resize_in_place,
                                             .realloc = resize,
                                             .reset = reset,
                                             .owns = owns,
                                             .usable_size = usable_size,
                                             .check = check};
    static const size_t embedded_bytes[] = {64, 0, 1, 256};
    state *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return false;
    }
    s->setup = *setup;
    s->embedded_bytes = embedded_bytes[setup->variant % 4];
    instance->state = s;
    instance->allocator = (th_allocator){.table = &table, .self = s};
    return true;
}

static void destroy(void *self) {
    state *s = self;
    while (s->buffers != NULL) {
        drop(s, s->buffers);
    }
    while (s->released != NULL) {
        buffer *b = s->released;
        s->released = b->next;
        end_buffer(s, b);
    }
    free(s);
}

/* Of the buffer made last. Nothing else ever comes to lie there. */
static void watch(const void *self, lab_watched *watched) {
    const state *s = self;
    if (s->buffers != NULL) {
        lab_ground_watch(&s->buffers->hybrid.span, watched);
        watched->room = 0;
    }
}

static void measure(const void *self, lab_figures *figures) {
    const state *s = self;
    figures->exact = LAB_FIGURE_LIVE | LAB_FIGURE_REQUESTED;
    for (const buffer *b = s->buffers; b != NULL; b = b->next) {
        figures->live++;
        figures->requested += th_hybrid_get_stats(&b->hybrid).bytes;
    }
}

const lab_subject lab_subject_hybrid = {
    .version = LAB_SUBJECT_VERSION,
    .name = "hybrid",
    .purpose = "hybrid buffers, one for each block",
    .flags = LAB_SUBJECT_FREES | LAB_SUBJECT_GROWS | LAB_SUBJECT_TRACKED | LAB_SUBJECT_ENDS,
    .create = create,
    .destroy = destroy,
    .measure = measure,
    .watch = watch,
};
