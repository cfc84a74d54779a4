/* SPDX-License-Identifier: MIT */
/* The life of a run: regions, start, the loop over the operations, the end. */
#define _DEFAULT_SOURCE

#include "runner/runner.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runner/state.h"

#define SLOTS_MAX 65536u

const char *lab_property_name(lab_property property) {
    static const char *const names[] = {
        [LAB_PROPERTY_NONE] = "none",
        [LAB_PROPERTY_INIT] = "init",
        [LAB_PROPERTY_RESULT] = "result",
        [LAB_PROPERTY_CALLBACK] = "callback",
        [LAB_PROPERTY_LOW_MEMORY] = "low-memory",
        [LAB_PROPERTY_REENTRY] = "reentry",
        [LAB_PROPERTY_BLOCKS] = "blocks",
        [LAB_PROPERTY_STATS] = "stats",
        [LAB_PROPERTY_FIND] = "find",
        [LAB_PROPERTY_CONTENTS] = "contents",
        [LAB_PROPERTY_CHECKER] = "checker",
        [LAB_PROPERTY_FAULT] = "fault",
        [LAB_PROPERTY_ATTACK] = "attack",
        [LAB_PROPERTY_LOCK] = "lock",
        [LAB_PROPERTY_BOUNDS] = "bounds",
        [LAB_PROPERTY_MEMORY] = "memory",
    };
    return (size_t)property < sizeof names / sizeof names[0] ? names[property] : "?";
}

bool lab_fail(lab_runner *r, lab_property property, const char *detail, const char *format, ...) {
    lab_failure *failure = r->failure;
    if (failure->property != LAB_PROPERTY_NONE) {
        return false;
    }
    failure->property = property;
    failure->op = r->index;
    failure->detail = detail;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(failure->message, sizeof failure->message, format, arguments);
    va_end(arguments);
    return false;
}

bool lab_expect(lab_runner *r, lab_property property, const char *detail, uint64_t expected,
                uint64_t found) {
    if (expected == found) {
        return true;
    }
    return lab_fail(r, property, detail, "%s: expected %llu, found %llu", detail,
                    (unsigned long long)expected, (unsigned long long)found);
}

unsigned char *lab_payload(const lab_runner *r, uint32_t block) {
    return block == LAB_EXACT_NONE ? NULL : r->base + 4 * (size_t)(block + r->model.header);
}

ptrdiff_t lab_place_of(const lab_runner *r, const void *address) {
    return (ptrdiff_t)((uintptr_t)address - (uintptr_t)r->base);
}

uint32_t lab_block_of(const lab_runner *r, const void *payload) {
    if (payload == NULL) {
        return LAB_EXACT_NONE;
    }
    uintptr_t distance = (uintptr_t)payload - (uintptr_t)r->base;
    if (distance % 4 != 0 || distance / 4 < r->model.header || distance / 4 >= r->model.dwords) {
        return LAB_BLOCK_FOREIGN;
    }
    return (uint32_t)(distance / 4) - r->model.header;
}

/* Zeroed; what no run touches costs nothing, for a runner may live for one script only. NULL: there
 * is no memory. */
static unsigned char *arena_open(void) {
    unsigned char *map = mmap(NULL, 2 * LAB_ARENA_BYTES, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        return NULL;
    }
    size_t below = (0 - (uintptr_t)map) % LAB_ARENA_BYTES;
    if (below > 0) {
        (void)munmap(map, below);
    }
    (void)munmap(map + below + LAB_ARENA_BYTES, LAB_ARENA_BYTES - below);
    return map + below;
}

static void arena_close(unsigned char *arena) {
    if (arena != NULL) {
        (void)munmap(arena, LAB_ARENA_BYTES);
    }
}

lab_runner *lab_runner_new(void) {
    lab_runner *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return NULL;
    }
    r->slots = malloc(SLOTS_MAX * sizeof *r->slots);
    r->snapshot.bytes = malloc(LAB_ARENA_BYTES);
    bool indexes = true;
    for (unsigned i = 0; i < 2; i++) {
        r->arenas[i] = arena_open();
        indexes = lab_index_open(&r->indexes[i]) && indexes;
    }
    if (!indexes || r->slots == NULL || r->snapshot.bytes == NULL || r->arenas[0] == NULL ||
        r->arenas[1] == NULL) {
        lab_runner_destroy(r);
        return NULL;
    }
    for (uint32_t i = 0; i < SLOTS_MAX; i++) {
        r->slots[i].block = LAB_EXACT_NONE;
    }
    return r;
}

void lab_runner_destroy(lab_runner *r) {
    if (r == NULL) {
        return;
    }
    lab_forget(&r->heap);
    lab_exact_clean_up(&r->model);
    arena_close(r->arenas[0]);
    arena_close(r->arenas[1]);
    lab_index_close(&r->indexes[0]);
    lab_index_close(&r->indexes[1]);
    free(r->snapshot.bytes);
    free(r->slots);
    free(r->moves.at);
    free(r);
}

#define AND_CHECK(name) &&lab_check_##name(r)

/* ---- start -------------------------------------------------------------------------------- */

void lab_forget(th_heap *heap) {
    th_heap old = *heap;
    if (old.base == NULL) {
        return;
    }
    th_heap_clean_up(heap);
    size_t low = (size_t)old.low_used + old.header_dwords;
    size_t high = old.high_used > low ? old.high_used : low;
    memset(old.base, 0, 4 * (low < old.dwords ? low : old.dwords));
    if (high < old.dwords) {
        memset(old.base + 4 * high, 0, 4 * (old.dwords - high));
    }
}

bool lab_start(lab_runner *r, int guard, bool *accepted) {
    const lab_config *config = &r->script->config;
    size_t start = lab_region_start(config);
    for (uint32_t i = 0; i < r->slots_used; i++) {
        r->slots[i].block = LAB_EXACT_NONE;
    }
    r->slots_used = 0;
    r->lock_depth = 0;
    lab_forget(&r->heap);
    r->base = r->arenas[r->arena] + start;
    r->region_bytes = (size_t)config->dwords * 4;
    bool hooks = config->skew % 2 == 0; /* with and without lock hooks */
    th_heap_config heap_config = {
        .alignment = config->alignment,
        .guard = lab_guard(config, guard),
        .layout = lab_heap_layout(config),
        .on_fault = lab_on_fault,
        .fault_context = r,
        .low_memory = config->low_memory ? lab_heap_low_memory : NULL,
        .low_memory_context = r,
        .lock = hooks ? lab_lock : NULL,
        .unlock = hooks ? lab_unlock : NULL,
        .lock_context = r,
    };
    lab_index_choose(&r->indexes[0], config);
    lab_index_choose(&r->indexes[1], config);
    lab_index_tell(&r->indexes[r->arena], &heap_config);
    *accepted = lab_exact_start(&r->model, start, r->region_bytes, config->alignment,
                                lab_model_layout(config));
    if (*accepted) {
        lab_write_edges(r, r->arena);
    }
    th_status status = th_heap_init(&r->heap, r->base, r->region_bytes, &heap_config);
    if (*accepted != (status == TH_OK)) {
        return lab_fail(r, LAB_PROPERTY_INIT, th_status_name(status),
                        "a region of %u dwords at alignment %u: expected %s, found %s",
                        config->dwords, config->alignment, *accepted ? "TH_OK" : "a refusal",
                        th_status_name(status));
    }
    if (!*accepted) {
        return true;
    }
    r->past = lab_past_none(&r->model);
    r->model.low_memory = config->low_memory ? lab_model_low_memory : NULL;
    r->model.low_memory_context = r;
    return true LAB_CHECKS_OF_STATE(AND_CHECK);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static bool after(lab_runner *r) {
    if (r->failure->property != LAB_PROPERTY_NONE) {
        return false; /* a callback noticed it, and could not end the operation */
    }
    r->counts.checked++;
    return true LAB_CHECKS_OF_OP(AND_CHECK) LAB_CHECKS_OF_STATE(AND_CHECK);
}

/* Allocations made or refused so far. */
static uint64_t count_tries(const lab_runner *r) {
    return r->seed + r->counts.failed_allocs;
}

/* A runner that takes an allocation for played without asking heap and model finds nothing. */
static void assert_tried(const lab_runner *r, const lab_op *op, uint64_t tries_before) {
    bool is_alloc = op->kind == LAB_OP_ALLOC || op->kind == LAB_OP_ALIGNED;
    assert(!is_alloc || count_tries(r) == tries_before + 1);
    (void)is_alloc;
    (void)tries_before;
}

static bool play_ops(lab_runner *r, const lab_run_options *options) {
    const lab_script *script = r->script;
    for (r->index = 0; r->index < script->count; r->index++) {
        const lab_op *op = &script->ops[r->index];
        lab_op other;
        bool acted = false;
        r->counts.ops++;
        if (r->inject != NULL && lab_op_suits(op, r->slots[op->slot].block != LAB_EXACT_NONE)) {
            op = lab_inject_op(r->inject, op, r->model.dwords, &other);
        }
        uint64_t tries = count_tries(r);
        if (!lab_perform(r, op, &acted)) {
            return false;
        }
        if (acted) {
            assert_tried(r, op, tries);
            r->counts.acted++;
            r->counts.by_kind[op->kind]++;
            if (!after(r)) {
                return false;
            }
        }
        if (options != NULL && options->after_op != NULL) {
            options->after_op(options->context, &r->heap, op, r->index);
        }
    }
    return true;
}

/* Everything is returned in the end. */
static bool finish(lab_runner *r) {
    r->op = NULL;
    r->index = r->script->count;
    uint32_t expected = lab_exact_free_tags(&r->model, 0, UINT32_MAX);
    uint32_t freed = th_heap_free_tags(&r->heap, 0, UINT32_MAX);
    for (uint32_t i = 0; i < r->slots_used; i++) {
        r->slots[i].block = LAB_EXACT_NONE;
    }
    return lab_expect(r, LAB_PROPERTY_RESULT, "freed", expected, freed) && after(r) &&
           lab_expect(r, LAB_PROPERTY_BLOCKS, "left", 2, r->model.count);
}

bool lab_runner_play(lab_runner *r, const lab_script *script, const lab_run_options *options,
                     lab_failure *failure, lab_run_counts *counts) {
    int guard = options != NULL ? options->guard : -1;
    bool accepted = false;
    memset(failure, 0, sizeof *failure);
    failure->detail = "";
    r->script = script;
    r->failure = failure;
    r->op = NULL;
    r->index = 0;
    r->seed = 0;
    r->arena = 0;
    r->faulted = false;
    r->attacking = false;
    r->expect_reentry = false;
    r->inject = options != NULL ? options->inject : NULL;
    r->comparison = options != NULL ? options->comparison : LAB_COMPARE_ALL;
    memset(&r->counts, 0, sizeof r->counts);
    bool passed = lab_start(r, guard, &accepted);
    if (passed && accepted) {
        if (options != NULL && options->after_op != NULL) {
            options->after_op(options->context, &r->heap, NULL, 0);
        }
        passed = play_ops(r, options) && finish(r);
    }
    if (counts != NULL) {
        lab_run_counts_add(counts, &r->counts);
    }
    return passed;
}

void lab_failure_print(const lab_failure *failure, const lab_script *script, FILE *out) {
    char line[LAB_OP_LINE_BYTES_MAX];
    const lab_op *op = failure->op < script->count ? &script->ops[failure->op] : NULL;
    line[0] = '\0';
    if (op != NULL) {
        (void)lab_op_format(op, line, sizeof line);
    }
    (void)fprintf(out, "FAILURE property=%s detail=%s op=%zu kind=%.*s\n",
                  lab_property_name(failure->property), failure->detail, failure->op,
                  op != NULL ? (int)strcspn(line, " ") : 3, op != NULL ? line : "end");
    (void)fprintf(out, "%s\n", failure->message);
    lab_script head = *script;
    head.count = op != NULL ? failure->op : script->count;
    lab_script_print(&head, out);
    if (op != NULL) {
        (void)fprintf(out, "%s    # <== here\n", line);
    }
}
