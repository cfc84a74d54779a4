/* SPDX-License-Identifier: MIT */
/* The life of a run: regions, the loop over the operations, the end. */
#define _DEFAULT_SOURCE

#include "runner/runner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runner/state.h"

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
    r->slots = malloc(LAB_SLOTS_MAX * sizeof *r->slots);
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
    for (uint32_t i = 0; i < LAB_SLOTS_MAX; i++) {
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

/* ---- the loop ----------------------------------------------------------------------------- */

#define AND_CHECK(name) &&lab_check_##name(r)

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
    assert(!lab_op_allocates(op) || count_tries(r) == tries_before + 1);
    (void)op;
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

/* Ends a heap that may be damaged; what it says of that concerns no other run. */
static void forget_failed(lab_runner *r) {
    r->attacking = true;
    lab_forget(&r->heap);
    r->attacking = false;
    memset(&r->heap, 0, sizeof r->heap);
}

static bool play_once(lab_runner *r, const lab_script *script, const lab_run_options *options,
                      lab_comparison comparison, lab_failure *failure) {
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
    r->comparison = comparison;
    memset(&r->counts, 0, sizeof r->counts);
    bool passed = lab_start(r, guard, &accepted);
    if (passed && accepted) {
        if (options != NULL && options->after_op != NULL) {
            options->after_op(options->context, &r->heap, NULL, 0);
        }
        passed = play_ops(r, options) && finish(r);
    }
    if (!passed && accepted && options != NULL && options->on_failure != NULL) {
        options->on_failure(options->context, &r->heap, &r->model);
    }
    if (!passed) {
        forget_failed(r);
    }
    return passed;
}

bool lab_runner_play(lab_runner *r, const lab_script *script, const lab_run_options *options,
                     lab_failure *failure, lab_run_counts *counts) {
    lab_comparison comparison = options != NULL ? options->comparison : LAB_COMPARE_ALL;
    bool passed = play_once(r, script, options, comparison, failure);
    if (!passed && comparison == LAB_COMPARE_SPARSE) {
        /* Where does it begin? If ALL finds nothing, a run depends on something beside the script,
         * and what was found is all that there is. */
        const lab_failure found = *failure;
        assert(options->inject == NULL);
        if (play_once(r, script, options, LAB_COMPARE_ALL, failure)) {
            *failure = found;
        }
    }
    if (counts != NULL) {
        lab_run_counts_add(counts, &r->counts);
    }
    return passed;
}
