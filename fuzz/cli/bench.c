/* SPDX-License-Identifier: MIT */
/* heaplab bench: checked operations per second and core, and their cost in a small region against
 * a large one.
 *
 * The same scripts (bytes, decoded each time as a fuzz target does) are played in a region of 750
 * dwords and in one of 75,000: the same blocks, the same operations, only the region differs.
 * Rounds alternate between the two and the best of each counts, so that a busy machine disturbs
 * the ratio little. Times are processor time of this process. */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "runner/runner.h"

enum { DONE = 0, FOUND = 1, BAD_INPUT = 2 };
enum { SCRIPTS = 64, OPS = 256, ROUNDS = 15, SLOTS = 32, SMALL_DWORDS = 750, LARGE_DWORDS = 75000 };

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Half of the slots live on average: each operation picks a slot and frees or resizes what is
 * there, or allocates; now and then a compaction, a trim, a range of tags. */
static lab_op random_op(uint64_t *state, bool *live) {
    lab_op op;
    memset(&op, 0, sizeof op);
    uint64_t r = random_next(state);
    uint32_t size = 1 + (uint32_t)(r >> 32) % 60;
    uint16_t slot = (uint16_t)(r % SLOTS);
    unsigned choice = (unsigned)(r >> 8) % 64;
    if (choice == 0) {
        op.kind = LAB_OP_COMPACT;
        op.veto = (uint8_t)(r >> 16 & 0x11);
        return op;
    } else if (choice == 1) {
        op.kind = LAB_OP_COMPACT_SOME;
        op.size.value = size;
        return op;
    } else if (live[slot] && choice < 12) {
        op.kind = LAB_OP_RESIZE;
        op.size.value = size;
    } else if (live[slot] && choice < 16) {
        op.kind = LAB_OP_TRIM;
    } else if (live[slot]) {
        op.kind = LAB_OP_FREE;
        live[slot] = false;
    } else {
        op.kind = choice < 8 ? LAB_OP_ALIGNED : LAB_OP_ALLOC;
        op.align = op.kind == LAB_OP_ALIGNED ? 4 : 0;
        op.tag = (uint16_t)((r >> 16) & 0x7) | (slot % 3 == 0 ? 0x4000 : 0x1000);
        op.size.value = size;
        live[slot] = true;
    }
    op.slot = slot;
    return op;
}

static bool make_script(uint64_t seed, uint32_t dwords, bytes *out) {
    lab_script script = {.config = {.dwords = dwords, .alignment = 8, .guard = 3, .slots = 64}};
    bool live[SLOTS] = {false};
    bool ok = true;
    for (unsigned i = 0; ok && i < OPS; i++) {
        ok = lab_script_append(&script, random_op(&seed, live));
    }
    out->size = lab_script_encode(&script, NULL, 0);
    out->data = ok ? malloc(out->size) : NULL;
    if (out->data != NULL) {
        (void)lab_script_encode(&script, out->data, out->size);
    }
    lab_script_clean_up(&script);
    return out->data != NULL;
}

typedef struct census {
    uint64_t live, free, ops;
} census;

static void count_blocks(void *context, const th_heap *heap, const lab_op *op, size_t index) {
    census *c = context;
    (void)op;
    (void)index;
    c->live += heap->head_blocks + heap->tail_blocks;
    c->free += heap->free_blocks;
    c->ops++;
}

static bool play_all(lab_runner *runner, lab_script *script, const bytes *scripts,
                     const lab_run_options *options, lab_run_counts *counts) {
    for (unsigned i = 0; i < SCRIPTS; i++) {
        lab_failure failure;
        if (!lab_script_decode(script, scripts[i].data, scripts[i].size) ||
            !lab_runner_play(runner, script, options, &failure, counts)) {
            lab_failure_print(&failure, script, stdout);
            return false;
        }
    }
    return true;
}

static double cpu_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Nanoseconds per checked operation, the best of several passes; negative after a failure. */
static double round_ns(lab_runner *runner, lab_script *script, const bytes *scripts) {
    lab_run_counts counts = {0};
    double start = cpu_seconds();
    for (unsigned i = 0; i < 4; i++) {
        if (!play_all(runner, script, scripts, NULL, &counts)) {
            return -1;
        }
    }
    return (cpu_seconds() - start) * 1e9 / (double)counts.checked;
}

static int measure(lab_runner *runner, bytes scripts[2][SCRIPTS]) {
    lab_script script = {0};
    double best[2] = {0, 0};
    census c = {0};
    lab_run_options options = {.guard = -1, .after_op = count_blocks, .context = &c};
    int status = play_all(runner, &script, scripts[0], &options, NULL) ? DONE : FOUND;
    for (unsigned round = 0; status == DONE && round < ROUNDS; round++) {
        for (unsigned which = 0; which < 2; which++) {
            double ns = round_ns(runner, &script, scripts[which]);
            status = ns < 0 ? FOUND : status;
            best[which] = round == 0 || ns < best[which] ? ns : best[which];
        }
    }
    lab_script_clean_up(&script);
    if (status == DONE) {
        (void)printf("guard level of this build: %d\n", th_heap_guard_max());
        (void)printf("blocks on average: %.1f live, %.1f free\n", (double)c.live / (double)c.ops,
                     (double)c.free / (double)c.ops);
        (void)printf("region of %5d dwords: %.0f checked operations/s on one core\n", SMALL_DWORDS,
                     1e9 / best[0]);
        (void)printf("region of %5d dwords: %.0f checked operations/s on one core\n", LARGE_DWORDS,
                     1e9 / best[1]);
        (void)printf("cost per operation, large region / small region: %.3f\n", best[1] / best[0]);
    }
    return status;
}

int lab_cli_bench(int argc, char **argv) {
    static bytes scripts[2][SCRIPTS];
    if (argc > 1) {
        (void)fprintf(stderr, "heaplab bench: unexpected argument '%s'\n", argv[1]);
        return BAD_INPUT;
    }
    lab_runner *runner = lab_runner_new();
    bool ready = runner != NULL;
    for (unsigned i = 0; ready && i < SCRIPTS; i++) {
        ready = make_script(i, SMALL_DWORDS, &scripts[0][i]) &&
                make_script(i, LARGE_DWORDS, &scripts[1][i]);
    }
    int status = BAD_INPUT;
    if (ready) {
        status = measure(runner, scripts);
    } else {
        (void)fprintf(stderr, "heaplab bench: no memory\n");
    }
    for (unsigned i = 0; i < SCRIPTS; i++) {
        free(scripts[0][i].data);
        free(scripts[1][i].data);
    }
    lab_runner_destroy(runner);
    return status;
}
