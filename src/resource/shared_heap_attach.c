/* SPDX-License-Identifier: MIT */
/* Making a shared heap, attaching to one, and what can be wrong with memory that should be one. */
#include <string.h>

#include "base/align.h"
#include "base/mix.h"
#include "heap/fast.h"
#include "heap/index.h"
#include "heap/seal.h"
#include "resource/shared_heap.h"
#include "tagheap/lock.h"

/* Index and region begin at multiples of this. */
#define PART_ALIGNMENT ((size_t)64)

/* Smaller regions have no index: a walk is as fast there. */
#define INDEX_REGION_BYTES_MIN ((size_t)4096)

static_assert(offsetof(th_shared_header, mark) == 0, "the first bytes say what it is");

static const size_t index_start =
    (sizeof(th_shared_object) + PART_ALIGNMENT - 1) & ~(PART_ALIGNMENT - 1);

static uint64_t check_of(const th_shared_header *header) {
    uint64_t sum = th_mix(TH_SHARED_MARK, th_word_pair(header->version, header->lock_layout));
    sum = th_mix(sum, header->bytes);
    sum = th_mix(sum, header->index_start);
    sum = th_mix(sum, header->index_bytes);
    sum = th_mix(sum, header->region_start);
    sum = th_mix(sum, header->space);
    sum = th_mix(sum, th_word_pair(header->check_seed, header->dwords));
    sum = th_mix(sum, th_word_pair(header->last, header->tag_free));
    sum = th_mix(sum, th_word_pair(header->size_max, header->unit_dwords));
    sum = th_mix(sum, th_word_pair(header->header_dwords, header->guard));
    return th_mix(sum, header->layout);
}

/* ---- what memory may be -------------------------------------------------------------------- */

typedef struct finding {
    th_status status;
    const char *text;
} finding;

static const finding sound = {TH_OK, NULL};
static const finding no_memory = {TH_ERR_NULL, "there is no memory"};
static const finding misaligned = {TH_ERR_MISALIGNED,
                                   "the memory does not begin at a multiple of 4096 bytes"};
static const finding too_short = {TH_ERR_TOO_SMALL,
                                  "the memory is shorter than a shared heap's header"};
static const finding unfinished = {
    TH_ERR_BUSY, "there is no heap yet: its maker has not finished, or has died before"};
static const finding foreign = {TH_ERR_UNKNOWN, "this is no shared heap"};
static const finding other_machine = {TH_ERR_LAYOUT,
                                      "a machine of the other byte order has made the heap"};
static const finding other_version = {TH_ERR_LAYOUT, "another version has made the heap"};
static const finding other_library = {
    TH_ERR_LAYOUT, "a program with another word size or C library has made the heap"};
static const finding damaged = {TH_ERR_CORRUPT, "the header of the heap is damaged"};
static const finding other_guard = {TH_ERR_LAYOUT,
                                    "the heap has a higher guard level than this build"};
static const finding other_layout = {TH_ERR_LAYOUT,
                                     "the heap has a layout that this build does not contain"};
static const finding truncated = {TH_ERR_TOO_SMALL, "the memory is shorter than the heap says"};
static const finding extended = {TH_ERR_TOO_LARGE, "the memory is longer than the heap says"};
static const finding refused = {
    TH_ERR_CORRUPT, "a process has died in the heap, and what it left could not be repaired"};

static const finding elsewhere = {
    TH_ERR_UNSUPPORTED, "a process in another PID namespace (another container) has made the heap"};

static uint32_t swapped(uint32_t value) {
    return value >> 24 | (value >> 8 & 0xFF00u) | (value << 8 & 0xFF0000u) | value << 24;
}

static finding examine_header(const th_shared_header *header, size_t bytes) {
    if (header->version != TH_SHARED_VERSION) {
        return other_version;
    }
    if (header->lock_layout != th_process_lock_layout()) {
        return other_library;
    }
    if (header->check != check_of(header)) {
        return damaged;
    }
    if (header->guard > TH_GUARD) {
        return other_guard;
    }
    if (!th_layout_contained(header->layout)) {
        return other_layout;
    }
    if (bytes != header->bytes) {
        return bytes < header->bytes ? truncated : extended;
    }
    return sound;
}

/* Has its maker other numbers of processes and threads than this one, as far as both know? */
static bool is_elsewhere(const th_shared_header *header) {
    uint64_t here = th_process_space();
    return here != 0 && header->space != 0 && here != header->space;
}

static finding examine(const void *memory, size_t bytes) {
    if (memory == NULL) {
        return no_memory;
    }
    if (!th_is_aligned((uintptr_t)memory, TH_SHARED_HEAP_ALIGNMENT_MAX)) {
        return misaligned;
    }
    if (bytes < sizeof(th_shared_object)) {
        return too_short;
    }
    const th_shared_object *object = memory;
    uint32_t mark = th_published(&object->header.mark);
    if (mark == 0) {
        return unfinished;
    }
    if (mark != TH_SHARED_MARK) {
        return mark == swapped(TH_SHARED_MARK) ? other_machine : foreign;
    }
    finding found = examine_header(&object->header, bytes);
    if (found.status == TH_OK && th_published(&object->refused) != 0) {
        return refused;
    }
    if (found.status == TH_OK && is_elsewhere(&object->header)) {
        return elsewhere;
    }
    return found;
}

const char *th_shared_heap_explain(const void *memory, size_t bytes) {
    return examine(memory, bytes).text;
}

/* How long calls wait for the lock. */
static uint64_t wait_of(const th_shared_heap_config *config) {
    return config->wait_ns != 0 ? config->wait_ns : TH_LOCK_FOREVER;
}

/* ---- making one ---------------------------------------------------------------------------- */

/* Divides the object, and makes the heap in the region. */
static th_status divide(th_shared_heap *made, unsigned char *memory, size_t bytes,
                        const th_shared_heap_config *config, th_shared_header *header) {
    size_t index_bytes = 0;
#if TH_INDEX
    if (bytes - index_start >= INDEX_REGION_BYTES_MIN) {
        index_bytes = th_heap_index_bytes(bytes - index_start, config->alignment);
    }
#endif
    size_t region_start = th_size_round_up(index_start + index_bytes, PART_ALIGNMENT);
    const th_heap_config plain = {.alignment = config->alignment,
                                  .layout = config->layout,
                                  .guarding = config->guarding,
                                  .index =
                                      index_bytes != 0 ? TH_HEAP_INDEX_GIVEN : TH_HEAP_INDEX_NONE,
                                  .index_memory = memory + index_start,
                                  .index_bytes = index_bytes};
    if (region_start >= bytes) {
        return TH_ERR_TOO_SMALL;
    }
    th_status status =
        th_heap_init(&made->heap, memory + region_start, bytes - region_start, &plain);
    *header = (th_shared_header){.version = TH_SHARED_VERSION,
                                 .lock_layout = th_process_lock_layout(),
                                 .bytes = bytes,
                                 .index_start = index_start,
                                 .index_bytes = index_bytes,
                                 .region_start = region_start,
                                 .space = th_process_space()};
    return status;
}

static void describe(const th_heap *heap, th_shared_header *header) {
    header->check_seed = heap->check_seed;
    header->dwords = heap->dwords;
    header->last = heap->last;
    header->tag_free = heap->tag_free;
    header->size_max = heap->size_max;
    header->unit_dwords = heap->unit_dwords;
    header->header_dwords = heap->header_dwords;
    header->guard = heap->guard;
    header->layout = heap->layout;
    header->check = check_of(header);
}

th_status th_shared_heap_init(th_shared_heap *shared, void *memory, size_t bytes,
                              const th_shared_heap_config *config) {
    static const th_shared_heap_config defaults = {0};
    if (shared == NULL || memory == NULL) {
        return TH_ERR_NULL;
    }
    config = config != NULL ? config : &defaults;
    if (config->read_only) {
        return TH_ERR_CONFIG;
    }
    finding found = examine(memory, bytes);
    if (found.status != TH_ERR_BUSY) {
        return found.status == TH_ERR_MISALIGNED || bytes < sizeof(th_shared_object) ? found.status
                                                                                     : TH_ERR_BUSY;
    }
    th_shared_object *object = memory;
    th_shared_heap made = {.object = object, .wait_ns = wait_of(config)};
    th_shared_header header;
    th_status status = divide(&made, memory, bytes, config, &header);
    if (status == TH_OK) {
        status = th_process_lock_make_strict(&object->lock);
    }
    if (status == TH_OK) {
        th_track_release(made.heap.base, th_managed_bytes(&made.heap));
        made.heap.fast = TH_FAST_NONE;
        th_seal(&made.heap);
        describe(&made.heap, &header);
        object->header = header;
        th_shared_commit(&made);
        th_publish(&object->header.mark, TH_SHARED_MARK);
        *shared = made;
    }
    return status;
}

/* ---- attaching ----------------------------------------------------------------------------- */

/* The heap as its header describes it, without what changes. */
static void resemble(th_heap *heap, th_shared_object *object, const th_guarding *guarding) {
    const th_shared_header *header = &object->header;
    unsigned char *start = (unsigned char *)object;
    *heap = (th_heap){.base = start + header->region_start,
                      .dwords = header->dwords,
                      .last = header->last,
                      .check_seed = header->check_seed,
                      .tag_free = header->tag_free,
                      .size_max = header->size_max,
                      .unit_dwords = (uint8_t)header->unit_dwords,
                      .header_dwords = (uint8_t)header->header_dwords,
                      .guard = (uint8_t)header->guard,
                      .layout = (uint8_t)header->layout,
                      .fast = TH_FAST_NONE};
    heap->config.guarding = *guarding;
    heap->config.guarding.level = (int)header->guard;
    if (header->index_bytes != 0) {
        heap->config.index = TH_HEAP_INDEX_GIVEN;
        heap->config.index_memory = start + header->index_start;
        heap->config.index_bytes = (size_t)header->index_bytes;
    } else {
        heap->config.index = TH_HEAP_INDEX_NONE;
    }
    th_index_lay(heap);
}

th_status th_shared_heap_attach(th_shared_heap *shared, void *memory, size_t bytes,
                                const th_shared_heap_config *config) {
    static const th_shared_heap_config defaults = {0};
    if (shared == NULL) {
        return TH_ERR_NULL;
    }
    config = config != NULL ? config : &defaults;
    th_status status = examine(memory, bytes).status;
    bool is_allowed = status == TH_ERR_UNSUPPORTED && (config->read_only || config->any_namespace);
    if (status != TH_OK && !is_allowed) {
        return status;
    }
    th_shared_heap made = {
        .object = memory, .wait_ns = wait_of(config), .read_only = config->read_only};
    resemble(&made.heap, memory, &config->guarding);
    status = made.read_only ? TH_OK : th_shared_heap_check(&made, NULL);
    if (status == TH_OK) {
        *shared = made;
    }
    return status;
}
