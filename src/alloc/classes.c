/* SPDX-License-Identifier: MIT */
/* Size classes: every class is a th_slab, and all of them share one set of ranges, which tells
 * their objects from large blocks. */
#include "tagheap/classes.h"

#include <assert.h>
#include <string.h>

#include "alloc/large.h"
#include "alloc/slab.h"
#include "alloc/thunks.h"
#include "base/align.h"
#include "base/compiler.h"
#include "tagheap/pages.h"

#define STEP_BYTES  ((size_t)16)   /* between the smallest classes */
#define LINEAR_MAX  ((size_t)128)  /* the last of those */
#define LINEAR      8u             /* their number */
#define PER_DOUBLE  4u             /* classes to every doubling above them */
#define SLAB_SHARES 8u             /* the largest class is this part of a slab */
#define ALIGNED_MAX ((size_t)4096) /* no class is aligned to more */

/* ---- the mapping -------------------------------------------------------------------------- */

unsigned th_class_of(size_t bytes) {
    if (bytes <= LINEAR_MAX) {
        return bytes > 0 ? (unsigned)((bytes - 1) / STEP_BYTES) : 0;
    }
    unsigned power = th_highest_bit(bytes - 1); /* 2^power < bytes <= 2^(power + 1) */
    unsigned quarter = (unsigned)((bytes - 1) >> (power - 2)) & (PER_DOUBLE - 1);
    return LINEAR + (power - th_highest_bit(LINEAR_MAX)) * PER_DOUBLE + quarter;
}

size_t th_class_bytes(unsigned number) {
    if (number < LINEAR) {
        return (number + 1) * STEP_BYTES;
    }
    unsigned doublings = (number - LINEAR) / PER_DOUBLE;
    size_t quarters = PER_DOUBLE + (number - LINEAR) % PER_DOUBLE + 1;
    return (LINEAR_MAX / PER_DOUBLE * quarters) << doublings;
}

/* What the objects of a class are aligned to. */
static size_t class_alignment(size_t bytes) {
    size_t lowest = bytes & (0 - bytes);
    return lowest < ALIGNED_MAX ? lowest : ALIGNED_MAX;
}

/* The first class for the size that has the alignment, too. A power of two has it, if it is no
 * more than ALIGNED_MAX: there are at most PER_DOUBLE to look at. */
static unsigned aligned_class_of(size_t bytes, size_t alignment) {
    unsigned number = th_class_of(bytes > alignment ? bytes : alignment);
    while (class_alignment(th_class_bytes(number)) < alignment) {
        number++;
    }
    return number;
}

/* ---- start and end ------------------------------------------------------------------------ */

static int level_of(const th_classes *classes) {
    return th_guarding_level(&classes->config.guarding);
}

TH_DEFINE_SETTLE(classes);

TH_DEFINE_IS_SOUND(classes);

static th_status verify_config(const th_classes_config *config, size_t slab_bytes) {
    bool mapped = config->backing.table == NULL;
    if (!th_guarding_is_valid(&config->guarding) || !th_backing_is_usable(&config->backing) ||
        !th_is_power_of_two(slab_bytes) || slab_bytes < TH_CLASSES_SLAB_BYTES_MIN ||
        slab_bytes > TH_CLASSES_SLAB_BYTES_MAX || (mapped && slab_bytes < th_pages_size())) {
        return TH_ERR_CONFIG;
    }
    return TH_OK;
}

/* Large blocks on mapped pages begin where a page does. */
static void set_sure_bits(th_classes *classes) {
    bool is_sure = classes->config.backing.table == NULL && classes->slabs[0].quick_bits != 0;
    classes->sure_bits = is_sure ? th_pages_size() - 1 : 0;
}

static size_t kept_bytes_max(const th_classes_config *config) {
    if (config->backing.table != NULL || config->kept_bytes_max == TH_CLASSES_KEEP_NONE) {
        return 0;
    }
    return config->kept_bytes_max != 0 ? config->kept_bytes_max : TH_CLASSES_KEPT_BYTES;
}

/* The configuration has been verified: no part can refuse its own. */
static void init_parts(th_classes *classes, size_t slab_bytes) {
    const th_classes_config *config = &classes->config;
    th_guarding guarding = config->guarding;
    if (guarding.level == 3) {
        guarding.level = 2; /* the whole is verified after each operation, not its parts */
    }
    const th_large_config large = {
        .kept_bytes_max = kept_bytes_max(config), .backing = config->backing, .guarding = guarding};
    (void)th_large_init(&classes->large, &large);
    for (unsigned number = 0; number < classes->count; number++) {
        size_t bytes = th_class_bytes(number);
        const th_slab_config slab = {.object_bytes = bytes,
                                     .alignment = class_alignment(bytes),
                                     .slab_bytes = slab_bytes,
                                     .empty_slabs_max = config->empty_slabs_max,
                                     .coloured = true,
                                     .backing = config->backing,
                                     .guarding = guarding};
        (void)th_slab_init_shared(&classes->slabs[number], &slab, &classes->slab_ranges);
    }
}

th_status th_classes_init(th_classes *classes, const th_classes_config *config) {
    static const th_classes_config defaults;
    if (classes == NULL) {
        return TH_ERR_NULL;
    }
    config = config != NULL ? config : &defaults;
    size_t slab_bytes = config->slab_bytes != 0 ? config->slab_bytes : TH_CLASSES_SLAB_BYTES;
    th_status status = verify_config(config, slab_bytes);
    if (status != TH_OK) {
        return status;
    }
    memset(classes, 0, sizeof *classes);
    classes->config = *config;
    classes->slab_bytes = slab_bytes;
    classes->class_bytes_max = slab_bytes / SLAB_SHARES;
    classes->count = th_class_of(classes->class_bytes_max) + 1;
    init_parts(classes, slab_bytes);
    set_sure_bits(classes);
    return TH_OK;
}

void th_classes_clean_up(th_classes *classes) {
    if (classes == NULL) {
        return;
    }
    for (unsigned number = 0; number < classes->count; number++) {
        th_slab_clean_up(&classes->slabs[number]);
    }
    th_large_clean_up(&classes->large);
    memset(classes, 0, sizeof *classes);
}

/* ---- allocation --------------------------------------------------------------------------- */

static void *alloc_small(th_classes *classes, th_slab *slab, size_t bytes) {
    void *block = th_slab_alloc_bytes(slab, bytes);
    if (block == NULL && th_large_trim(&classes->large) > 0) {
        block = th_slab_alloc_bytes(slab, bytes);
    }
    classes->slack_bytes += block != NULL ? slab->stride - bytes : 0;
    return block;
}

/* A good request. Zeroed: if it is for a large block on mapped pages. */
static void *alloc(th_classes *classes, size_t bytes, size_t alignment, bool zeroed) {
    bool is_small = bytes <= classes->class_bytes_max && alignment <= classes->class_bytes_max &&
                    alignment <= ALIGNED_MAX;
    unsigned number = is_small ? aligned_class_of(bytes, alignment) : classes->count;
    if (number < classes->count) {
        return alloc_small(classes, &classes->slabs[number], bytes);
    }
    return zeroed ? th_large_alloc_aligned(&classes->large, bytes, alignment)
                  : th_large_alloc_unzeroed(&classes->large, bytes, alignment);
}

static void *alloc_any(th_classes *classes, size_t bytes, size_t alignment, bool zeroed) {
    if (classes == NULL || bytes - 1 >= PTRDIFF_MAX || !th_is_power_of_two(alignment)) {
        return NULL;
    }
    void *block = alloc(classes, bytes, alignment, zeroed);
    classes->failed_allocs += block == NULL;
    th_classes_settle(classes);
    return block;
}

void *th_classes_alloc_aligned(th_classes *classes, size_t bytes, size_t alignment) {
    return alloc_any(classes, bytes, alignment, false);
}

TH_NOINLINE static void *alloc_carefully(th_classes *classes, size_t bytes) {
    return th_classes_alloc_aligned(classes, bytes, TH_ALLOCATOR_ALIGNMENT);
}

void *th_classes_alloc(th_classes *classes, size_t bytes) {
    if (!th_guarding_is_null(classes) && bytes - 1 < classes->class_bytes_max) {
        th_slab *slab = classes->slabs + (size_t)th_class_of(bytes);
        size_t slack = slab->stride - bytes;
        if (slab->quick != NULL && slack <= TH_SLAB_SLACK_MAX) {
            classes->slack_bytes += slack;
            return th_slab_take(slab, (uint32_t)(1 + slack));
        }
    }
    return alloc_carefully(classes, bytes);
}

void *th_classes_alloc_zeroed(th_classes *classes, size_t bytes) {
    void *block = alloc_any(classes, bytes, TH_ALLOCATOR_ALIGNMENT, true);
    if (block == NULL) {
        return NULL;
    }
    bool is_zeroed = bytes > classes->class_bytes_max && classes->config.backing.table == NULL;
    return is_zeroed ? block : memset(block, 0, bytes);
}

void *th_classes_alloc_array_zeroed(th_classes *classes, size_t count, size_t size) {
    size_t bytes;
    return th_mul_overflows(count, size, &bytes) ? NULL : th_classes_alloc_zeroed(classes, bytes);
}

/* The class whose block this may be; NULL: none, it is large or foreign. */
static th_slab *slab_of(const th_classes *classes, const void *block) {
    const th_slab_head *head = th_slab_find(classes->slab_ranges, block);
    return head != NULL ? head->owner : NULL;
}

/* The slab that the block may be in; NULL: it is large, or foreign. False after a report. All that
 * is done to a block begins here. */
static bool look_up(const th_classes *classes, const void *block, th_slab_head **head) {
    th_fault fault;
    *head = th_slab_find(classes->slab_ranges, block);
    return *head == NULL || level_of(classes) < 1 ||
           th_guarding_passes(&classes->config.guarding, th_slab_verify_head(*head, &fault),
                              &fault);
}

/* What is asked for of a live block; 0 after a report. */
static size_t requested(const th_classes *classes, const void *block) {
    th_slab_head *head;
    if (!look_up(classes, block, &head)) {
        return 0;
    }
    return head != NULL ? th_slab_requested_size(head->owner, block)
                        : th_large_requested_size(&classes->large, block);
}

static void free_block(th_classes *classes, void *block) {
    th_slab_head *head;
    if (!look_up(classes, block, &head)) {
        return;
    }
    if (head != NULL) {
        size_t stride = head->owner->stride; /* the slab may go with its last block */
        size_t requested_bytes = th_slab_free_in(head, block);
        classes->slack_bytes -= requested_bytes > 0 ? stride - requested_bytes : 0;
    } else {
        th_large_free(&classes->large, block);
    }
}

TH_NOINLINE static void free_carefully(th_classes *classes, void *block) {
    free_block(classes, block);
    th_classes_settle(classes);
}

void th_classes_free(th_classes *classes, void *block) {
    if (classes == NULL) {
        return;
    }
    size_t offset = (uintptr_t)block & (classes->slab_bytes - 1);
    if (((uintptr_t)block & classes->sure_bits) == 0) {
        free_carefully(classes, block);
        return;
    }
    th_slab_head *head = (th_slab_head *)(void *)((unsigned char *)block - offset);
    uint32_t index = th_slab_index(head->owner, offset - head->first);
    uint32_t state = head->state[index];
    if (th_slab_changes_list(head) || state == TH_SLAB_STATE_LONG) {
        free_carefully(classes, block);
        return;
    }
    classes->slack_bytes -= state - 1;
    th_slab_put(head->owner, head, block, index);
}

/* ---- resize ------------------------------------------------------------------------------- */

/* Would the block be worth its place with so many bytes? Less than half full is too little, unless
 * it is large, and stays so: then it has to give back what is too much. */
static bool is_snug(const th_classes *classes, const th_slab *slab, const void *block,
                    size_t bytes) {
    if (slab != NULL) {
        return bytes >= slab->config.object_bytes / 2;
    }
    return bytes > classes->class_bytes_max ||
           bytes >= th_large_usable_size(&classes->large, block) / 2;
}

/* `loose`: even if it is not worth its place then. */
static bool resize_in_place(th_classes *classes, void *block, size_t old_bytes, size_t bytes,
                            bool loose) {
    th_slab *slab = slab_of(classes, block);
    if (!loose && !is_snug(classes, slab, block, bytes)) {
        return false;
    }
    if (slab == NULL) {
        return loose ? th_large_resize_in_place(&classes->large, block, bytes)
                     : th_large_resize_snugly(&classes->large, block, bytes);
    }
    if (!th_slab_resize_in_place(slab, block, bytes)) {
        return false;
    }
    classes->slack_bytes += old_bytes;
    classes->slack_bytes -= bytes;
    return true;
}

/* A good request for a live block. */
static void *resize(th_classes *classes, void *block, size_t old_bytes, size_t bytes,
                    size_t alignment) {
    if (resize_in_place(classes, block, old_bytes, bytes, false)) {
        return block;
    }
    void *moved = alloc(classes, bytes, alignment, false);
    if (moved != NULL) {
        memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
        free_block(classes, block);
        return moved;
    }
    if (resize_in_place(classes, block, old_bytes, bytes, true)) {
        return block;
    }
    classes->failed_allocs++;
    return NULL;
}

void *th_classes_realloc_aligned(th_classes *classes, void *block, size_t bytes, size_t alignment) {
    void *resized = NULL;
    if (block == NULL) {
        return th_classes_alloc_aligned(classes, bytes, alignment);
    }
    if (bytes == 0) {
        th_classes_free(classes, block);
        return NULL;
    }
    if (classes == NULL || bytes > PTRDIFF_MAX || !th_is_power_of_two(alignment)) {
        return NULL;
    }
    size_t old_bytes = requested(classes, block);
    if (old_bytes > 0 && th_is_aligned((uintptr_t)block, alignment)) {
        resized = resize(classes, block, old_bytes, bytes, alignment);
    }
    th_classes_settle(classes);
    return resized;
}

void *th_classes_realloc(th_classes *classes, void *block, size_t bytes) {
    return th_classes_realloc_aligned(classes, block, bytes, TH_ALLOCATOR_ALIGNMENT);
}

static bool resize_live_in_place(th_classes *classes, void *block, size_t bytes, bool loose) {
    if (classes == NULL) {
        return false;
    }
    size_t old_bytes = bytes - 1 < PTRDIFF_MAX ? requested(classes, block) : 0;
    bool done = old_bytes > 0 && resize_in_place(classes, block, old_bytes, bytes, loose);
    th_classes_settle(classes);
    return done;
}

bool th_classes_resize_in_place(th_classes *classes, void *block, size_t bytes) {
    return resize_live_in_place(classes, block, bytes, true);
}

/* ---- all at once -------------------------------------------------------------------------- */

th_status th_classes_reset(th_classes *classes) {
    if (classes == NULL || classes->count == 0) {
        return TH_ERR_NULL;
    }
    if (!th_classes_is_sound(classes)) {
        return TH_ERR_CORRUPT;
    }
    for (unsigned number = 0; number < classes->count; number++) {
        (void)th_slab_reset(&classes->slabs[number]); /* all of them are sound */
    }
    (void)th_large_reset(&classes->large);
    classes->slack_bytes = 0;
    th_classes_settle(classes);
    return TH_OK;
}

size_t th_classes_trim(th_classes *classes) {
    if (classes == NULL) {
        return 0;
    }
    size_t slabs = 0;
    for (unsigned number = 0; number < classes->count; number++) {
        slabs += th_slab_trim(&classes->slabs[number]);
    }
    (void)th_large_trim(&classes->large);
    th_classes_settle(classes);
    return slabs;
}

/* ---- queries ------------------------------------------------------------------------------ */

size_t th_classes_requested_size(const th_classes *classes, const void *block) {
    return classes != NULL && block != NULL ? requested(classes, block) : 0;
}

size_t th_classes_usable_size(const th_classes *classes, const void *block) {
    if (classes == NULL) {
        return 0;
    }
    const th_slab *slab = slab_of(classes, block);
    if (slab == NULL) {
        return th_large_usable_size(&classes->large, block);
    }
    return requested(classes, block) > 0 ? slab->config.object_bytes : 0;
}

bool th_classes_owns(const th_classes *classes, const void *address) {
    if (classes == NULL) {
        return false;
    }
    const th_slab *slab = slab_of(classes, address);
    return slab != NULL ? th_slab_owns(slab, address) : th_large_owns(&classes->large, address);
}

th_classes_stats th_classes_get_stats(const th_classes *classes) {
    if (classes == NULL) {
        return (th_classes_stats){0};
    }
    th_large_stats large = th_large_get_stats(&classes->large);
    th_classes_stats stats = {.live = large.live,
                              .live_large = large.live,
                              .requested_bytes = large.requested_bytes - classes->slack_bytes,
                              .block_bytes = large.bytes,
                              .memory_bytes = large.bytes + large.kept_bytes,
                              .class_bytes_max = classes->class_bytes_max,
                              .failed_allocs = classes->failed_allocs};
    for (unsigned number = 0; number < classes->count; number++) {
        th_slab_stats slab = th_slab_get_stats(&classes->slabs[number]);
        size_t live_bytes = (size_t)slab.live * slab.stride_bytes;
        stats.live += slab.live;
        stats.slabs += slab.slabs;
        stats.requested_bytes += live_bytes;
        stats.block_bytes += live_bytes;
        stats.memory_bytes += (size_t)slab.slabs * slab.slab_bytes;
    }
    th_slab_stats records = th_slab_get_stats(&classes->large.records);
    stats.memory_bytes += (size_t)records.slabs * records.slab_bytes;
    return stats;
}

th_status th_classes_check(const th_classes *classes, th_fault *fault) {
    th_no_fault(fault);
    if (classes == NULL || classes->count == 0) {
        return TH_ERR_NULL;
    }
    th_status status = th_large_check(&classes->large, fault);
    for (unsigned number = 0; number < classes->count && status == TH_OK; number++) {
        status = th_slab_check(&classes->slabs[number], fault);
    }
    return status;
}

/* ---- as an allocator ---------------------------------------------------------------------- */

static bool is_live_block(const th_classes *classes, const void *block) {
    const th_slab *slab = slab_of(classes, block);
    th_status status = slab != NULL ? th_slab_verify(slab, block, NULL)
                                    : th_large_verify(&classes->large, block, NULL);
    return status == TH_OK;
}

static void *table_alloc(void *self, size_t bytes, size_t alignment) {
    return alignment <= TH_ALLOCATOR_ALIGNMENT ? th_classes_alloc(self, bytes)
                                               : th_classes_alloc_aligned(self, bytes, alignment);
}

TH_THUNKS(classes);
TH_THUNK_USABLE_SIZE(classes);

static bool table_resize_in_place(void *self, void *pointer, size_t bytes) {
    return resize_live_in_place(self, pointer, bytes, false);
}

/* A block remembers its own size. resize_in_place has been asked before, and has reported what is
 * bad. */
static void *table_realloc(void *self, void *pointer, size_t kept, size_t bytes, size_t alignment) {
    (void)kept;
    if (level_of(self) >= 1 && !is_live_block(self, pointer)) {
        return NULL;
    }
    return th_classes_realloc_aligned(self, pointer, bytes, alignment);
}

th_allocator th_classes_allocator(th_classes *classes) {
    static const th_allocator_table table = {.alloc = table_alloc,
                                             .resize_in_place = table_resize_in_place,
                                             .realloc = table_realloc,
                                             .usable_size = th_classes_thunk_usable_size,
                                             TH_THUNKS_OF(classes)};
    return th_allocator_of(&table, classes);
}
