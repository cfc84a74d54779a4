/* SPDX-License-Identifier: MIT */
/* What every program has: the heap, its callbacks, and what is compared with the model. */
#include "program/core.h"

th_heap heap;
uint64_t index_memory[2][TH_HEAP_INDEX_BYTES_MAX(REGION_BYTES, ALIGNMENT) / 8 + 1];
unsigned char *arenas[2];
unsigned arena;
unsigned char *base;
unsigned char *slot[SLOTS];
int lock_depth;
bool attacking, reentering;
unsigned attack_faults, reentries;
th_fault attack_fault;
unsigned low_calls;
int low_victim;

static volatile int current_op;
static th_fault unexpected; /* the first one that the script gave no reason for */

/* ---- differences ---- */

_Noreturn void differ(const char *property, const char *detail, uint64_t expected, uint64_t found) {
    bool same = strcmp(property, FAILING_PROPERTY) == 0 && strcmp(detail, FAILING_DETAIL) == 0;
    printf("%s: property=%s detail=%s op=%d: expected %llu, found %llu\n",
           same ? "reproduced" : "fails differently", property, detail, current_op,
           (unsigned long long)expected, (unsigned long long)found);
    exit(same ? 1 : 2);
}

void expect(const char *property, const char *detail, uint64_t expected, uint64_t found) {
    if (expected != found) {
        differ(property, detail, expected, found);
    }
}

/* Where the process ends by a signal: was that to be expected? */
static void on_signal(int number) {
    static const char same[] = "reproduced: " FAILING_SIGNATURE "\n";
    static const char other[] = "fails differently: a signal\n";
    bool awaited = FAILING_BY_SIGNAL && current_op == FAILING_OP;
    (void)number;
    (void)!write(STDOUT_FILENO, awaited ? same : other,
                 awaited ? sizeof same - 1 : sizeof other - 1);
    _exit(awaited ? 1 : 2);
}

/* Called by AddressSanitizer and UBSan, which then end the process with status 1. */
void __asan_on_error(void);
void __ubsan_on_report(void);

void __asan_on_error(void) {
    puts(FAILING_BY_SIGNAL && current_op == FAILING_OP ? "reproduced: " FAILING_SIGNATURE
                                                       : "fails differently: a sanitizer reports");
    fflush(stdout);
}

void __ubsan_on_report(void) {
    __asan_on_error();
}

static void on_fault(void *context, const th_fault *fault) {
    (void)context;
    if (attacking) {
        if (attack_faults++ == 0) {
            attack_fault = *fault;
        }
    } else if (reentering && fault->kind == TH_FAULT_REENTRY) {
        reentries++;
    } else if (unexpected.kind == TH_FAULT_NONE) {
        unexpected = *fault;
    }
}

void lock(void *context) {
    (void)context;
    lock_depth++;
}

void unlock(void *context) {
    (void)context;
    lock_depth--;
    if (lock_depth < 0) {
        differ(NAME_LOCK, "unlock", 0, 1);
    }
}

/* ---- blocks and their contents ---- */

unsigned char *at(uint32_t block) {
    return base + 4 * ((size_t)block + HEADER_DWORDS);
}

void expect_null(const void *payload) {
    if (payload != NULL) {
        differ(NAME_RESULT, "not-null", 0, (uint64_t)((uintptr_t)payload - (uintptr_t)base));
    }
}

void expect_block(uint32_t block, const void *payload) {
    if (payload != at(block)) {
        differ(NAME_RESULT, payload == NULL ? "null" : "block", block,
               payload == NULL ? 0 : ((uintptr_t)payload - (uintptr_t)base) / 4 - HEADER_DWORDS);
    }
}

static unsigned char content(size_t i, uint32_t seed) {
    return (unsigned char)((seed + (uint64_t)(i / 8)) * 0x9E3779B97F4A7C15u >> 8 * (i % 8));
}

void fill(unsigned char *payload, size_t from, size_t to, uint32_t seed) {
    for (size_t i = from; i < to; i++) {
        payload[i] = content(i, seed);
    }
}

void expect_zeros(const unsigned char *payload, size_t bytes) {
    size_t count = 0;
    while (count < bytes && payload[count] == 0) {
        count++;
    }
    expect(NAME_CONTENTS, "zeros", bytes, count);
}

void expect_contents(const char *detail, const unsigned char *payload, size_t bytes,
                     uint32_t seed) {
    for (size_t i = 0; i < bytes; i++) {
        if (payload[i] != content(i, seed)) {
            differ(NAME_CONTENTS, detail, content(i, seed), payload[i]);
        }
    }
}

void expect_open(const unsigned char *payload, size_t bytes) {
#if ASAN
    if (__asan_address_is_poisoned(payload) || __asan_address_is_poisoned(payload + bytes - 1) ||
        !__asan_address_is_poisoned(payload + bytes) ||
        (bytes % 4 == 0 && __asan_region_is_poisoned((void *)(uintptr_t)payload, bytes) != NULL)) {
        differ(NAME_CONTENTS, "access", 1, 0);
    }
#else
    (void)payload;
    (void)bytes;
#endif
}

/* ---- the whole heap ---- */

void expect_blocks(const expected_block *blocks, size_t count) {
    th_heap_block have;
    bool more = th_heap_first(&heap, &have);
    for (size_t i = 0; i < count; i++) {
        const expected_block *want = &blocks[i];
        if (!more) {
            differ(NAME_BLOCKS, "count", count, i);
        }
        expect(NAME_BLOCKS, "offset", want->offset, have.offset);
        expect(NAME_BLOCKS, "size", want->size, have.size_dwords);
        expect(NAME_BLOCKS, "tag", want->tag, have.tag);
        expect(NAME_BLOCKS, "alignment", want->alignment, have.alignment);
        expect(NAME_BLOCKS, "site", want->site, have.site);
        expect(NAME_BLOCKS, "next", i + 1 == count ? 0 : want->offset + HEADER_DWORDS + want->size,
               have.next_offset);
        expect(NAME_BLOCKS, "requested", want->requested, have.requested_bytes);
        expect_contents("bytes", at(want->offset), want->requested, want->seed);
        more = th_heap_next(&heap, &have);
    }
    expect(NAME_BLOCKS, "more", 0, more);
}

void expect_stats(const th_heap_stats *want) {
    th_heap_stats have = th_heap_get_stats(&heap);
    expect(NAME_STATS, "region", want->region_bytes, have.region_bytes);
    expect(NAME_STATS, "used", want->used_bytes, have.used_bytes);
    expect(NAME_STATS, "high-water", want->high_water_bytes, have.high_water_bytes);
    expect(NAME_STATS, "head", want->head_bytes, have.head_bytes);
    expect(NAME_STATS, "tail", want->tail_bytes, have.tail_bytes);
    expect(NAME_STATS, "free", want->free_bytes, have.free_bytes);
    expect(NAME_STATS, "free-head", want->free_head_bytes, have.free_head_bytes);
    expect(NAME_STATS, "largest-free", want->largest_free_bytes, have.largest_free_bytes);
    expect(NAME_STATS, "head-blocks", want->head_blocks, have.head_blocks);
    expect(NAME_STATS, "tail-blocks", want->tail_blocks, have.tail_blocks);
    expect(NAME_STATS, "free-blocks", want->free_blocks, have.free_blocks);
    expect(NAME_STATS, "failed-allocs", want->failed_allocs, have.failed_allocs);
}

void expect_sound(void) {
    th_fault fault = {.kind = TH_FAULT_COUNT};
    if (th_heap_check(&heap, &fault) != TH_OK) {
        differ(NAME_CHECKER, th_fault_name(fault.kind), 0, 1);
    }
    expect(NAME_CHECKER, "nothing found", TH_FAULT_NONE, fault.kind);
}

static unsigned char edge_byte(unsigned which) {
    return (unsigned char)(0xE7 ^ which);
}

void write_edges(unsigned which) {
    memset(arenas[which] + START - EDGE_BYTES, edge_byte(which), EDGE_BYTES);
    memset(arenas[which] + START + 4 * (size_t)DWORDS, edge_byte(which), EDGE_BYTES);
}

void expect_edges(void) {
    for (size_t i = 0; i < EDGE_BYTES; i++) {
        expect(NAME_BOUNDS, "below", edge_byte(arena), *(base - EDGE_BYTES + i));
    }
    for (size_t i = 0; i < EDGE_BYTES; i++) {
        expect(NAME_BOUNDS, "above", edge_byte(arena), base[4 * (size_t)DWORDS + i]);
    }
}

/* ---- operations ---- */

void begin(int op) {
    current_op = op;
    low_calls = 0;
    low_victim = -1;
}

void expect_no_fault(void) {
    if (unexpected.kind != TH_FAULT_NONE) {
        differ(NAME_FAULT, th_fault_name(unexpected.kind), 0, 1);
    }
}

void start(bool accepted, th_heap_low_memory_fn on_low_memory) {
    const th_heap_config config = {
        .alignment = ALIGNMENT,
        .layout = LAYOUT,
        .guarding.level = GUARD,
        .guarding.on_fault = on_fault,
        .low_memory = on_low_memory,
        .lock = {.acquire = HOOKS ? lock : NULL, .release = HOOKS ? unlock : NULL},
        .index = INDEX ? TH_HEAP_INDEX_GIVEN : TH_HEAP_INDEX_NONE,
        .index_memory = index_memory[arena],
        .index_bytes = sizeof index_memory[arena],
    };
    memset(slot, 0, sizeof slot);
    lock_depth = 0;
    forget(&heap);
    base = arenas[arena] + START;
    if (accepted) {
        write_edges(arena);
    }
    th_status status = th_heap_init(&heap, base, REGION_BYTES, &config);
    if (accepted != (status == TH_OK)) {
        differ(NAME_INIT, th_status_name(status), accepted, status == TH_OK);
    }
}

void set_up(void) {
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)signal(signals[i], on_signal);
    }
    (void)alarm(SECONDS_MAX);
    for (unsigned i = 0; i < 2; i++) {
        arenas[i] = aligned_alloc(ARENA_BYTES, ARENA_BYTES);
        if (arenas[i] == NULL) {
            perror("aligned_alloc");
            exit(2);
        }
        memset(arenas[i], 0, ARENA_BYTES);
    }
}
