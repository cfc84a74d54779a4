/* SPDX-License-Identifier: MIT */
/* heaplab cost on a Cortex-M under qemu: plays scripts and prints what the last call of each costs.
 *
 *   cost [--index none|given] FILE...          (through scripts/run-cortex, with
 * COUNT_INSTRUCTIONS=1)
 *
 * qemu runs with -icount: an instruction takes 2^ICOUNT_SHIFT ns of the board's time, which the
 * processor's own timer, SysTick, counts down by one every TICK_NS. That is exact as long as a call
 * takes less than 2^24 ticks, 2.6 million instructions. */
#define _POSIX_C_SOURCE 200112L

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worst/cost.h"

enum { ICOUNT_SHIFT = 8, TICK_NS = 40, TICKS_MASK = 0xFFFFFF };

typedef struct systick {
    volatile uint32_t control, reload, current;
} systick;

static systick *timer(void) {
    return (systick *)0xE000E010u;
}

static volatile uint32_t flag; /* nobody looks at it here */
volatile uint32_t *lab_count_flag = &flag;
static uint32_t started;

void lab_count_begin(lab_count_how how) {
    if (how == LAB_COUNT_STEPS) {
        started = timer()->current;
    }
}

uint64_t lab_count_end(lab_count_how how) {
    uint32_t ticks = (started - timer()->current) & TICKS_MASK;
    return how == LAB_COUNT_STEPS
               ? ((uint64_t)ticks * TICK_NS + (1u << ICOUNT_SHIFT) / 2) >> ICOUNT_SHIFT
               : 0;
}

/* What newlib's aligned_alloc calls, and newlib does not have here. */
int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    *memory = memalign(alignment, bytes);
    return *memory != NULL ? 0 : ENOMEM;
}

void lab_count_nothing(void) {
    __asm__ volatile("");
}

static lab_script script;
static lab_cost last;

static bool is_last(void *context, size_t index) {
    (void)context;
    return index + 1 == script.count;
}

static void note(void *context, const lab_cost *cost) {
    (void)context;
    last = *cost;
}

static bool read_script(const char *path) {
    static char text[2 << 20];
    lab_text_error error;
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    bool read = file != NULL && size < sizeof text && lab_script_parse(&script, text, size, &error);
    if (file != NULL) {
        (void)fclose(file);
    }
    return read;
}

static bool count(const char *path, th_heap_index index) {
    const lab_cost_options options = {.how = LAB_COUNT_STEPS, .chosen = is_last, .note = note};
    lab_cost_player *player =
        read_script(path) ? lab_cost_player_new(script.config.dwords, index) : NULL;
    bool counted = player != NULL && lab_cost_play(player, &script, &options) &&
                   last.op + 1 == script.count && last.kind < LAB_COST_KINDS;
    if (counted) {
        printf("%s: operation %u, %s: %lu instructions", path, (unsigned)last.op + 1,
               lab_cost_name(last.kind), (unsigned long)last.count);
        printf(last.kind == LAB_COST_ALIGNED_K ? ", k %lu\n" : "\n", (unsigned long)last.k);
    } else {
        (void)fprintf(stderr, "cost: %s: no script whose last call can be counted here\n", path);
    }
    lab_cost_player_destroy(player);
    return counted;
}

int main(int argc, char **argv) {
    th_heap_index index = TH_HEAP_INDEX_GIVEN;
    int first = 1;
    if (argc > 2 && strcmp(argv[1], "--index") == 0) {
        index = strcmp(argv[2], "none") == 0 ? TH_HEAP_INDEX_NONE : TH_HEAP_INDEX_GIVEN;
        first = 3;
    }
    timer()->reload = TICKS_MASK;
    timer()->current = 0;
    timer()->control = 5; /* enabled, by the processor's clock */
    bool counted = first < argc;
    for (int i = first; i < argc; i++) {
        counted = count(argv[i], index) && counted;
    }
    return counted ? 0 : 2;
}
