/* SPDX-License-Identifier: MIT */
#include "runner/rules.h"

#include <assert.h>
#include <stdlib.h>

#include "tagheap/heap.h"

enum { CHECKER_INTERVAL = 64, COMPARISON_INTERVAL = 64, SPARSE_INTERVAL = 8, MOVES_FIRST = 64 };

size_t lab_region_start(const lab_config *config) {
    return LAB_ARENA_START + lab_config_start_bytes(config);
}

uint32_t lab_seed_of(uint32_t number) {
    return number * 0x85EBCA6Bu;
}

lab_heap_history lab_heap_history_none(const lab_exact *model) {
    return (lab_heap_history){.ever_low = 0, .ever_high = model->dwords, .stale = 0};
}

void lab_heap_history_note(lab_heap_history *history, const lab_exact *model,
                           const lab_extent *extent) {
    uint32_t end = extent->offset + model->header + extent->size;
    if (lab_exact_is_head(model, extent) && end > history->ever_low) {
        history->ever_low = end;
    } else if (!lab_exact_is_head(model, extent) && extent->offset < history->ever_high) {
        history->ever_high = extent->offset;
    }
}

bool lab_checker_is_due(int guard, size_t index, const lab_script *script) {
    return guard < 3 || index % CHECKER_INTERVAL == 0 || index == script->count;
}

bool lab_comparison_is_due(size_t index, const lab_script *script) {
    return index % COMPARISON_INTERVAL == 0 || index == script->count;
}

bool lab_sparse_is_due(size_t index, const lab_script *script) {
    return (script->count - index) % SPARSE_INTERVAL == 0;
}

bool lab_asks_to_move(const lab_op *op) {
    return op->kind == LAB_OP_COMPACT_SOME || op->veto != 0 || op->reenter;
}

bool lab_moves_add(lab_moves *moves, const lab_exact *model, const lab_op *op, lab_move move) {
    if (moves->count == moves->capacity) {
        size_t capacity = moves->capacity == 0 ? MOVES_FIRST : 2 * moves->capacity;
        lab_move *grown = realloc(moves->at, capacity * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        moves->at = grown;
        moves->capacity = capacity;
    }
    /* Sites are slots plus one; during the question the block is still at `from`. */
    move.slot = lab_exact_find(model, move.from)->site - 1;
    move.vetoed = (op->veto >> (move.slot % 8) & 1) != 0;
    moves->at[moves->count++] = move;
    return true;
}

bool lab_low_memory_ask(lab_low_memory *low, lab_exact *model, const lab_slot *slots,
                        uint32_t count) {
    low->calls++;
    if (low->freed != LAB_EXACT_NONE) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i].block != LAB_EXACT_NONE && i != low->protected_slot) {
            low->freed = i;
            (void)lab_exact_alloc(model, 4, lab_impossible_bytes(model), 0, 0);
            (void)lab_exact_free(model, slots[i].block);
            return true;
        }
    }
    return false;
}

static_assert((int)LAB_LAYOUT_CLASSIC == (int)LAB_EXACT_CLASSIC &&
                  (int)LAB_LAYOUT_LEAN == (int)LAB_EXACT_LEAN &&
                  (int)LAB_LAYOUT_WIDE == (int)LAB_EXACT_WIDE &&
                  (int)LAB_LAYOUT_AUTO == (int)LAB_EXACT_AUTO,
              "the model takes the script's layouts");
static_assert(LAB_ARENA_START + 15 * 16 + 4 * LAB_DWORDS_MAX + 4096 < LAB_ARENA_BYTES,
              "a region and its edges fit");

th_heap_config lab_heap_config(const lab_config *config, int asked) {
    return (th_heap_config){.alignment = config->alignment,
                            .guarding.level = lab_guard(config, asked),
                            .layout = lab_heap_layout(config)};
}

th_heap_layout lab_heap_layout(const lab_config *config) {
    static const th_heap_layout layouts[LAB_LAYOUT_COUNT] = {
        [LAB_LAYOUT_CLASSIC] = TH_HEAP_LAYOUT_CLASSIC,
        [LAB_LAYOUT_LEAN] = TH_HEAP_LAYOUT_LEAN,
        [LAB_LAYOUT_WIDE] = TH_HEAP_LAYOUT_WIDE,
        [LAB_LAYOUT_AUTO] = TH_HEAP_LAYOUT_AUTO};
    return layouts[config->layout];
}

/* ---- the heap's index --------------------------------------------------------------------- */

bool lab_index_open(lab_index *index) {
    index->store_bytes = TH_HEAP_INDEX_BYTES_MAX(LAB_ARENA_BYTES, 4) / 16 * 16 + 16;
    index->store = malloc(index->store_bytes);
    return index->store != NULL;
}

void lab_index_close(lab_index *index) {
    free(index->store);
    index->store = NULL;
}

void lab_index_choose(lab_index *index, const lab_config *config) {
    index->bytes = th_heap_index_bytes((size_t)config->dwords * 4, config->alignment);
    index->memory =
        lab_config_has_index(config) ? index->store + (index->store_bytes - index->bytes) : NULL;
}

void lab_index_tell(const lab_index *index, th_heap_config *config) {
    config->index = index->memory != NULL ? TH_HEAP_INDEX_GIVEN : TH_HEAP_INDEX_NONE;
    config->index_memory = index->memory;
    config->index_bytes = index->bytes;
}
