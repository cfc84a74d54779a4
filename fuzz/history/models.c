/* SPDX-License-Identifier: MIT */
#include "history/models.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- a pool --------------------------------------------------------------------------------- */

static void start_pool(const void *context, void *state) {
    (void)context;
    *(uint64_t *)state = 0; /* taken cells, a bit each */
}

static bool step_pool(const void *context, void *state, const lab_call_record *call) {
    unsigned cells = *(const unsigned *)context;
    uint64_t *taken = state;
    bool gives = call->kind == LAB_POOL_GIVE;
    uint64_t cell = gives ? call->arguments[0] : call->result;
    uint64_t all = cells == LAB_POOL_CELLS_MAX ? UINT64_MAX : (UINT64_C(1) << cells) - 1;
    if (!gives && cell == LAB_POOL_NONE) {
        return *taken == all;
    }
    if (cell >= cells || (*taken >> cell & 1) != gives) {
        return false;
    }
    *taken ^= UINT64_C(1) << cell;
    return true;
}

static void print_pool(const lab_call_record *call, char *text, size_t bytes) {
    if (call->kind == LAB_POOL_GIVE) {
        (void)snprintf(text, bytes, "give %" PRIu64, call->arguments[0]);
    } else if (call->result == LAB_POOL_NONE) {
        (void)snprintf(text, bytes, "take -> none");
    } else {
        (void)snprintf(text, bytes, "take -> %" PRIu64, call->result);
    }
}

lab_sequential lab_sequential_pool(const unsigned *cells) {
    return (lab_sequential){.state_bytes = sizeof(uint64_t),
                            .key_bytes = sizeof(uint64_t),
                            .start = start_pool,
                            .step = step_pool,
                            .print = print_pool,
                            .context = cells};
}

/* ---- blocks --------------------------------------------------------------------------------- */

typedef struct span {
    uint64_t at;
    uint64_t bytes;
} span;

/* In order of address, so that alike states are alike in memory; the rest is zero. */
typedef struct spans {
    uint64_t count;
    span live[LAB_BLOCKS_MAX];
} spans;

static void start_blocks(const void *context, void *state) {
    (void)context;
    (void)state;
}

static bool add_span(spans *s, uint64_t at, uint64_t bytes) {
    size_t place = 0;
    while (place < s->count && s->live[place].at < at) {
        place++;
    }
    bool fits_below = place == 0 || s->live[place - 1].at + s->live[place - 1].bytes <= at;
    bool fits_above = place == s->count || at + bytes <= s->live[place].at;
    if (!fits_below || !fits_above || s->count == LAB_BLOCKS_MAX) {
        return false;
    }
    memmove(&s->live[place + 1], &s->live[place], (size_t)(s->count - place) * sizeof(span));
    s->live[place] = (span){at, bytes};
    s->count++;
    return true;
}

static bool remove_span(spans *s, uint64_t at, uint64_t bytes) {
    size_t place = 0;
    while (place < s->count && s->live[place].at != at) {
        place++;
    }
    if (place == s->count || s->live[place].bytes != bytes) {
        return false;
    }
    s->count--;
    memmove(&s->live[place], &s->live[place + 1], (size_t)(s->count - place) * sizeof(span));
    s->live[s->count] = (span){0, 0};
    return true;
}

static bool step_blocks(const void *context, void *state, const lab_call_record *call) {
    spans *s = state;
    uint64_t bytes = call->arguments[0];
    (void)context;
    switch ((lab_block_call)call->kind) {
    case LAB_BLOCK_ALLOC:
        return call->result == LAB_BLOCK_NONE || add_span(s, call->result, bytes);
    case LAB_BLOCK_RESIZE:
        return call->result == LAB_BLOCK_NONE ||
               (remove_span(s, call->arguments[1], call->arguments[2]) &&
                add_span(s, call->result, bytes));
    case LAB_BLOCK_FREE:
        return remove_span(s, call->arguments[1], bytes);
    default:
        return true;
    }
}

static void print_block(const lab_call_record *call, char *text, size_t bytes) {
    static const char *const names[] = {"alloc", "resize", "free", "ask"};
    (void)snprintf(text, bytes, "%s %" PRIu64 " bytes, block %" PRIx64 " -> %" PRIx64,
                   names[call->kind], call->arguments[0], call->arguments[1], call->result);
}

lab_sequential lab_sequential_blocks(void) {
    return (lab_sequential){.state_bytes = sizeof(spans),
                            .key_bytes = sizeof(spans),
                            .start = start_blocks,
                            .step = step_blocks,
                            .print = print_block};
}

/* ---- the tagged heap ------------------------------------------------------------------------ */

/* LAST, and one more free extent than blocks. */
enum { EXTENTS_MAX = 2 * LAB_BLOCKS_MAX + 2 };

/* A model whose extents lie in the state. The key is what the blocks are; the rest follows. */
typedef struct heap_state {
    uint64_t count;
    lab_extent extents[EXTENTS_MAX];
    lab_exact model;
} heap_state;

static void store(heap_state *s, const lab_exact *model) {
    memset(s->extents, 0, sizeof s->extents);
    s->count = model->count;
    memcpy(s->extents, model->extents, model->count * sizeof(lab_extent));
    s->model = *model;
    s->model.extents = NULL;
}

static void start_heap(const void *context, void *state) {
    const lab_heap_start *start = context;
    lab_exact model = {0};
    if (lab_exact_start(&model, start->base, start->bytes, start->alignment, start->layout)) {
        store(state, &model);
    }
    lab_exact_clean_up(&model);
}

static uint64_t address_of(uint32_t offset) {
    return offset == LAB_EXACT_NONE ? LAB_BLOCK_NONE : (uint64_t)offset + 1;
}

/* What the call comes to. */
static uint64_t play_exact(lab_exact *model, const lab_call_record *call) {
    size_t bytes = (size_t)call->arguments[0];
    uint32_t block = (uint32_t)(call->arguments[1] - 1);
    lab_exact_stats stats;
    switch ((lab_block_call)call->kind) {
    case LAB_BLOCK_ALLOC:
        return address_of(lab_exact_alloc(model, (uint32_t)call->arguments[3], bytes,
                                          (uint32_t)(call->arguments[3] >> 32), 0));
    case LAB_BLOCK_RESIZE:
        return address_of(lab_exact_resize(model, block, bytes));
    case LAB_BLOCK_FREE:
        return lab_exact_free(model, block);
    default:
        lab_exact_get_stats(model, &stats);
        return stats.largest_free;
    }
}

/* Is the block that the call is about there? The exact model wants it to be. */
static bool is_live(const lab_exact *model, const lab_call_record *call) {
    if (call->kind != LAB_BLOCK_RESIZE && call->kind != LAB_BLOCK_FREE) {
        return true;
    }
    for (uint32_t i = 0; i < model->count; i++) {
        if (model->extents[i].offset == (uint32_t)(call->arguments[1] - 1)) {
            return !lab_exact_is_free(model, &model->extents[i]);
        }
    }
    return false;
}

/* Each call makes two extents more at most: with fewer than so many left, nothing is known. */
static bool step_heap(const void *context, void *state, const lab_call_record *call) {
    heap_state *s = state;
    lab_extent extents[EXTENTS_MAX];
    (void)context;
    if (s->count == 0 || s->count + 2 >= EXTENTS_MAX) {
        return false;
    }
    lab_exact model = s->model;
    memcpy(extents, s->extents, sizeof extents);
    model.extents = extents;
    model.capacity = EXTENTS_MAX; /* it never grows: there is room */
    if (!is_live(&model, call) || play_exact(&model, call) != call->result) {
        return false;
    }
    store(s, &model);
    return true;
}

lab_sequential lab_sequential_heap(const lab_heap_start *start) {
    return (lab_sequential){.state_bytes = sizeof(heap_state),
                            .key_bytes = offsetof(heap_state, model),
                            .start = start_heap,
                            .step = step_heap,
                            .print = print_block,
                            .context = start};
}
