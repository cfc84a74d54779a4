/* SPDX-License-Identifier: MIT */
#include "mutate/live.h"

#include <string.h>

#include "tagheap/heap.h"

#define HEADER_BYTES (4 * LAB_CLASSIC_HEADER_DWORDS)

void lab_live_start(lab_live *live, const lab_config *config) {
    uint32_t bytes = 4 * config->dwords;
    live->count = 0;
    live->freed_count = 0;
    live->all = bytes > 2 * HEADER_BYTES ? bytes - 2 * HEADER_BYTES : 0;
    live->used = 0;
    live->alignment = config->alignment;
}

static uint32_t index_of(const lab_live *live, uint16_t slot) {
    uint32_t index = 0;
    while (index < live->count && live->blocks[index].slot != slot) {
        index++;
    }
    return index;
}

const lab_live_block *lab_live_find(const lab_live *live, uint16_t slot) {
    uint32_t index = index_of(live, slot);
    return index < live->count ? &live->blocks[index] : NULL;
}

uint32_t lab_live_room(const lab_live *live) {
    return live->used < live->all ? live->all - live->used : 0;
}

static uint32_t cost(const lab_live *live, uint32_t bytes) {
    return HEADER_BYTES + ((bytes + live->alignment - 1) & (0u - live->alignment));
}

/* Can there be a block of this size at all, given what is used already? */
static bool may_succeed(const lab_live *live, lab_size size, uint32_t used) {
    return size.kind == LAB_SIZE_BYTES && size.value > 0 && used + size.value <= live->all;
}

static void allocate(lab_live *live, const lab_op *op) {
    bool aligned = op->kind != LAB_OP_ALIGNED || lab_align_is_power(op->align);
    if (live->count == LAB_LIVE_MAX || op->tag > TH_TAG_TAIL_MAX || !aligned ||
        !may_succeed(live, op->size, live->used) || lab_live_find(live, op->slot) != NULL) {
        return;
    }
    lab_live_block *block = &live->blocks[live->count++];
    block->slot = op->slot;
    block->tag = op->tag;
    block->bytes = op->size.value;
    live->used += cost(live, block->bytes);
}

static void release(lab_live *live, uint32_t index) {
    uint32_t bytes = live->blocks[index].bytes;
    live->used -= cost(live, bytes);
    live->freed[live->freed_count++ % LAB_FREED_MAX] = bytes;
    live->blocks[index] = live->blocks[--live->count];
}

static void resize(lab_live *live, uint32_t index, lab_size size) {
    lab_live_block *block = &live->blocks[index];
    uint32_t others = live->used - cost(live, block->bytes);
    if (size.kind == LAB_SIZE_BYTES && size.value == 0) {
        release(live, index);
    } else if (may_succeed(live, size, others)) {
        block->bytes = size.value;
        live->used = others + cost(live, size.value);
    }
}

void lab_live_note(lab_live *live, const lab_op *op) {
    uint32_t index = index_of(live, op->slot);
    switch ((lab_op_kind)op->kind) {
    case LAB_OP_RESIZE:
        if (index < live->count) {
            resize(live, index, op->size);
        }
        break;
    case LAB_OP_FREE:
        if (index < live->count) {
            release(live, index);
        }
        break;
    case LAB_OP_FREE_TAGS:
        for (uint32_t i = live->count; i-- > 0;) {
            if (live->blocks[i].tag >= op->tag && live->blocks[i].tag <= op->tag_high) {
                release(live, i);
            }
        }
        break;
    case LAB_OP_INIT:
        live->count = 0;
        live->used = 0;
        break;
    default:
        if (lab_op_allocates(op)) {
            allocate(live, op);
        }
        break;
    }
}

void lab_live_until(lab_live *live, const lab_script *script, size_t at) {
    lab_live_start(live, &script->config);
    for (size_t i = 0; i < at; i++) {
        lab_live_note(live, &script->ops[i]);
    }
}
