/* SPDX-License-Identifier: MIT */
/* Worker statistics. Executions are counted without any help from the targets: when LAB_STATS is
 * set, LLVMFuzzerInitialize starts the engine's driver a second time, with a callback that counts
 * and calls the target. (The first driver has done nothing yet at that point and never goes on.)
 *
 *   main -> driver -> LLVMFuzzerInitialize -> driver(count_input) -> LLVMFuzzerTestOneInput
 *
 * AFL++'s driver forks: a process plays some thousand inputs, then another one goes on. Each adds
 * to what the page held when it began.
 */
#define _GNU_SOURCE

#include "engines/stats.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static_assert(sizeof(lab_stats_counter) == 32, "scripts/fuzz_lib/stats.py reads this layout");
static_assert(sizeof(lab_stats_page) == 16 + 32 * LAB_STATS_COUNTERS_MAX,
              "scripts/fuzz_lib/stats.py reads this layout");
static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counters are shared between processes");

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Weak: an engine need not have it. */
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *, size_t))
    __attribute__((weak));

static lab_stats_page *page; /* NULL: nothing is published */

/* What the page held when this process began with its first input. */
static uint64_t before[LAB_STATS_COUNTERS_MAX], executions_before;

static lab_stats_page *map_page(const char *path) {
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) {
        return NULL;
    }
    void *mapped = MAP_FAILED;
    if (ftruncate(file, (off_t)sizeof(lab_stats_page)) == 0) {
        mapped = mmap(NULL, sizeof(lab_stats_page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    (void)close(file);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static void set(_Atomic uint64_t *value, uint64_t to) {
    atomic_store_explicit(value, to, memory_order_relaxed);
}

void lab_stats_name(unsigned index, const char *name) {
    assert(index < LAB_STATS_COUNTERS_MAX);
    if (page != NULL) {
        (void)snprintf(page->counters[index].name, LAB_STATS_NAME_BYTES_MAX, "%s", name);
    }
}

void lab_stats_set(unsigned index, uint64_t value) {
    assert(index < LAB_STATS_COUNTERS_MAX);
    if (page != NULL) {
        set(&page->counters[index].value, before[index] + value);
    }
}

/* Stopped between two inputs, a forked process does not notice that the engine has gone: it must
 * go with its parent, which notices. */
static void begin_process(void) {
    executions_before = atomic_load_explicit(&page->executions, memory_order_relaxed);
    for (unsigned i = 0; i < LAB_STATS_COUNTERS_MAX; i++) {
        before[i] = atomic_load_explicit(&page->counters[i].value, memory_order_relaxed);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Where a planted bug is marked (bugs/marks.h); elsewhere there is no such object. */
extern volatile unsigned char lab_marks[LAB_STATS_MARKS] __attribute__((weak));

/* The first time counts, whichever process it was in. */
static void note_marks(void) {
    static const char *const names[LAB_STATS_MARKS] = {"reached", "triggered"};
    for (unsigned i = 0; lab_marks != NULL && i < LAB_STATS_MARKS; i++) {
        unsigned counter = LAB_STATS_COUNTERS_MAX - LAB_STATS_MARKS + i;
        _Atomic uint64_t *value = &page->counters[counter].value;
        if (lab_marks[i] != 0 && atomic_load_explicit(value, memory_order_relaxed) == 0) {
            struct timespec now;
            (void)clock_gettime(CLOCK_MONOTONIC, &now);
            lab_stats_name(counter, names[i]);
            set(value, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
        }
    }
}

static int count_input(const uint8_t *bytes, size_t size) {
    static uint64_t executions;
    if (executions == 0) {
        begin_process();
    }
    int status = LLVMFuzzerTestOneInput(bytes, size);
    set(&page->executions, executions_before + ++executions);
    note_marks();
    return status;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *path = getenv("LAB_STATS");
    if (page != NULL || path == NULL || LLVMFuzzerRunDriver == NULL) {
        return 0;
    }
    page = map_page(path);
    if (page == NULL) {
        (void)fprintf(stderr, "LAB_STATS=%s: cannot be written and mapped\n", path);
        exit(2);
    }
    memcpy(page->magic, LAB_STATS_MAGIC, sizeof page->magic);
    exit(LLVMFuzzerRunDriver(argc, argv, count_input));
}
